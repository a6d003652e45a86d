"""How a run goes at the moment."""

from __future__ import annotations

import pickle

import pytest

from stages.protocol.rates import Load, RateMeter, Snapshot

STAGES = ("detect", "age", "render")


def at_25_frames_a_second(seconds: float, latency_s: float = 0.08, detect_s: float = 0.03) -> RateMeter:
    meter = RateMeter(STAGES)
    for frame in range(round(25 * seconds)):
        meter.came(frame / 25)
        meter.finished(frame / 25 + latency_s, {"detect": detect_s, "age": 0.002, "render": 0.004})
    return meter


def test_speed_latency_and_work_are_those_of_the_last_seconds():
    meter = at_25_frames_a_second(10)
    meter.told(0.02, 9.7)
    meter.told(0.08, 9.9)
    snapshot = meter.snapshot(10.0, [])
    assert snapshot.frames_s == pytest.approx(25, rel=0.05)
    assert snapshot.latency_s == pytest.approx(0.08)
    assert [load.stage for load in snapshot.loads] == list(STAGES)
    assert [load.work for load in snapshot.loads] == pytest.approx([0.75, 0.05, 0.1], rel=0.05)


def test_two_processes_of_a_stage_work_more_than_a_second_a_second():
    assert at_25_frames_a_second(10, detect_s=0.07).snapshot(10.0, []).loads[0].work == pytest.approx(1.75, rel=0.05)


def test_before_the_first_frame_there_is_nothing_to_tell():
    assert RateMeter(STAGES).snapshot(5.0, []) == Snapshot(0.0, None, tuple(Load(stage, 0.0, 0) for stage in STAGES))


def test_in_the_first_second_the_speed_is_told_of_the_time_so_far():
    assert at_25_frames_a_second(1).snapshot(1.0, []).frames_s == pytest.approx(25, rel=0.1)


def test_a_run_that_stands_still_says_so():
    assert at_25_frames_a_second(2).snapshot(20.0, []).frames_s == 0


def test_a_frame_queues_for_detect_until_its_faces_are_found_and_then_for_what_it_is_missing():
    missing_parts = [(0, []), (1, ["age"]), (2, ["age"]), (3, ["detect", "age"]), (4, ["picture", "detect", "age"])]
    loads = RateMeter(STAGES).snapshot(0.0, missing_parts).loads
    assert [load.queue for load in loads] == [2, 2, 1]


def test_memory_is_bounded_however_fast_frames_are_finished():
    after_100_s, after_200_s = (len(pickle.dumps(at_25_frames_a_second(seconds))) for seconds in (100, 200))
    assert after_200_s < 1.1 * after_100_s


def test_a_latency_that_was_told_long_ago_is_not_told_any_more():
    meter = at_25_frames_a_second(10)
    meter.told(0.08, 5.0)
    assert meter.snapshot(7.9, []).latency_s == 0.08
    assert meter.snapshot(8.1, []).latency_s is None
