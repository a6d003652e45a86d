"""A live source is not waited for: what cannot be analysed in time is dropped and accounted for; and services."""

from __future__ import annotations

import json
import re
import signal
from datetime import datetime

import pytest

from stages.sinks.comparing import USUAL
from tests.browser import free_port
from tests.end_to_end.command import EACH_FRAME, Ran, Running, eventually
from tests.end_to_end.material import scene
from tests.end_to_end.server import camera
from tests.sinks.clips import frames_in

STAYS_AWAY = "--set=reconnect=0"


@pytest.fixture
def door(astronaut):
    with camera(lambda number: scene(astronaut, number), rate=15) as live:
        yield live


def assert_balanced(ran: Ran) -> dict:
    """captured = rendered + drops; the lines ascend and are those that were rendered."""
    [source] = ran.summary["sources"]
    dropped = sum(drop["count"] for drop in source["dropped"])
    assert source["captured"] == source["rendered"] + dropped + source["unaccounted"]
    frames = [line["frame"] for line in ran.lines]
    assert frames == sorted(set(frames)) and len(frames) == source["rendered"]
    assert all(drop["stage"] and drop["reason"] for drop in source["dropped"])
    return source


def memory(run: Running) -> dict[str, int]:
    """Resident bytes by stage."""
    return {stage: sum(p.memory_info().rss for p in processes) for stage, processes in run.stages().items()}


def test_a_stream_is_shown_until_it_ends_and_the_account_balances(place, door):
    run = place.start(door.url, STAYS_AWAY).until_lines(20)
    door.ended.set()
    ran = run.end().succeeded()
    source = assert_balanced(ran)
    assert source["unaccounted"] == 0
    assert 20 <= source["rendered"] < source["captured"] <= door.sent
    # What came while the stages were starting is dropped, and counted as that.
    assert {(drop["stage"], drop["reason"]) for drop in source["dropped"]} >= {("capture", "stages not ready")}
    assert source["captured"] >= door.sent - 2  # One picture more is read ahead, and one may be on its way.
    assert source["source"] == "127.0.0.1/door"
    assert "the stream ended after" in ran.out
    assert len(list((ran.output / "annotated").glob("*.mp4"))) == 1


def test_each_frame_of_a_stream_has_its_time_of_day_and_the_run_its_start(place, door):
    before = datetime.now().astimezone()
    run = place.start(door.url, STAYS_AWAY).until_lines(20)
    door.ended.set()
    ran = run.end()
    clocks = [datetime.fromisoformat(line["clock"]) for line in ran.lines]
    passed_s = [(clock - clocks[0]).total_seconds() for clock in clocks]
    times = [line["time"] - ran.lines[0]["time"] for line in ran.lines]
    assert passed_s == pytest.approx(times, abs=0.1)
    started = datetime.fromisoformat(ran.summary["started"])
    assert before <= started <= clocks[-1]
    assert ran.summary["started"] == json.loads((ran.output / "run.json").read_text())["started"]


def test_a_stream_is_waited_for_when_the_run_starts_and_found_again_when_it_is_lost(place, astronaut):
    port = free_port()
    run = place.start(f"http://127.0.0.1:{port}/door")
    run.until(lambda: "is not there yet (Connection refused); waiting 60 s for it" in run.err, "the wait")
    with camera(lambda number: scene(astronaut, number), rate=15, port=port) as door:
        run.until_lines(4)
        door.ended.set()
        run.until(lambda: "is lost; looking for it" in run.err, "the loss")
        door.ended.clear()
        run.until(lambda: "/door is back" in run.err, "its return")
        ran = run.until_lines(run.line_count + 6).signal(signal.SIGINT).end()
    assert ran.status == 130, ran.err
    assert ran.err.count("waiting 60 s for it") == 1
    assert_balanced(ran)
    times = [line["time"] for line in ran.lines]
    assert times == sorted(times)


def test_a_stream_goes_on_when_capture_or_render_dies_and_what_died_with_it_is_counted(place, door):
    run = place.start(door.url).until_lines(8)
    for stage in ("capture", "render"):
        run.stages()[stage][0].kill()
        run.until(lambda stage=stage: f"{stage} was killed by SIGKILL; it is started again" in run.err, "the restart")
        run.until_lines(run.line_count + 8)
    ran = run.signal(signal.SIGINT).end()
    assert ran.status == 130, ran.err
    source = assert_balanced(ran)
    times = [line["time"] for line in ran.lines]
    assert times == sorted(times) and times[-1] > times[0] + 0.5
    assert all(drop["stage"] in ("capture", "render", "detect") for drop in source["dropped"])
    assert ran.summary["restarts"] == {"capture": 1, "render": 1}
    [video] = (ran.output / "annotated").glob("*.mp4")
    # Of a live source the lines stay that a killed render has written without their pictures: at most those two.
    assert len(ran.lines) - USUAL <= frames_in(video) <= len(ran.lines)


def test_a_service_goes_on_after_kill_9_ends_well_with_sigterm_and_keeps_what_it_cannot_go_on_with(place, astronaut):
    with camera(lambda number: scene(astronaut, number), rate=15) as door:
        run = place.start(door.url, "--service").until_lines(6)
        run.signal(signal.SIGKILL).end(alone=False)
        eventually(lambda: place.processes() == [], "the stages have ended")
        before = run.line_count
        ran = place.start(door.url, "--service").until_lines(before + 4).signal(signal.SIGTERM).end()
    assert ran.status == 0, ran.err
    assert "continues at frame" in ran.err
    assert_balanced(ran)
    times = [line["time"] for line in ran.lines]
    assert times == sorted(set(times))
    assert times[before] - times[before - 1] < 1  # The pause between the two runs is not counted.

    (ran.output / "run.json").write_bytes(b"")
    waits = place.start(door.url, "--service")  # Nobody is there any more.
    waits.until(lambda: "waiting as long as it takes for it" in waits.err, "the wait")
    assert "it stays as it is, and this run begins" in waits.err
    assert waits.signal(signal.SIGTERM).end().status == 0
    assert [line["time"] for line in ran.lines] == times


# --- Too slow ---


@pytest.mark.long
def test_a_stage_that_stands_still_costs_its_answers_and_nothing_else(place, door):
    """Age is held for good: frames with faces go on without it, marked, each within the deadline."""
    run = place.start(door.url, "--set=deadline=0.3", "--set=hang=60", *EACH_FRAME).until_lines(10)
    before = memory(run)
    run.stages()["age"][0].suspend()
    held_at = run.line_count
    run.until_lines(held_at + 60)
    after = memory(run)
    ran = run.signal(signal.SIGINT).end()
    assert ran.status == 130
    source = assert_balanced(ran)
    # On a busy machine the others may be late now and then too; what is marked and what is there always make a whole.
    without = [line for line in ran.lines if "age" in line.get("missing", ())]
    assert len(without) >= 30 and source["missing"] == sum(len(line.get("missing", ())) for line in ran.lines)
    for line in without:
        there = {"gender", "emotion", "age"} - set(line["missing"])
        assert line["faces"] and all(there == face.keys() & {"gender", "emotion", "age"} for face in line["faces"])
    for stage in ("capture", "render", "detect", "gender", "emotion"):
        assert after[stage] < before[stage] + 60_000_000, f"{stage} grew from {before[stage]} to {after[stage]} bytes"


@pytest.mark.long
def test_a_classifier_that_is_far_too_slow_costs_answers_and_no_frame_waits_for_it(place, door):
    """Age can answer three frames a second of fifteen: latency stays bounded, and what is missing is counted."""
    slow = ("--set=chaos={age: {slow: 0.33}}", "--set=deadline=0.5", "--set=stages.detect.smallest_face=0.3")
    run = place.start(door.url, STAYS_AWAY, *slow, *EACH_FRAME).until_lines(20)
    before = memory(run)
    run.until_lines(70)
    after = memory(run)
    door.ended.set()
    ran = run.end().succeeded()
    source = assert_balanced(ran)
    without = [line for line in ran.lines if "age" in line.get("missing", ())]
    assert len(without) >= 20 and any(face.keys() >= {"age"} for face in ran.faces)
    assert source["missing"] == sum(len(line.get("missing", ())) for line in ran.lines)
    assert source["latency_ms"]["p50"] < 1000  # The deadline, and how soon it is noticed and said.
    lost = [json.loads(line) for line in (ran.output / "account.jsonl").read_text().splitlines()]
    given_up = [loss["reason"] for loss in lost if (loss["what"], loss["stage"]) == ("given up", "age")]
    assert len(given_up) >= len(without) and set(given_up) <= {"late", "overload"}
    assert sum(after.values()) < sum(before.values()) + 60_000_000


def test_frames_are_dropped_at_a_detector_that_stands_still_and_counted(place, door):
    run = place.start(
        door.url, STAYS_AWAY, "--set=deadline=0.3", "--set=hang=60", "--set=stages.detect.replicas=1", "--set=window=4"
    )
    run.until_lines(5)
    [detect] = run.stages()["detect"]
    detect.suspend()
    sent = door.sent
    run.until(lambda: door.sent >= sent + 30, "two seconds of pictures")
    detect.resume()
    run.until_lines(run.line_count + 10)  # It goes on where the source is now.
    door.ended.set()
    ran = run.end().succeeded()
    source = assert_balanced(ran)
    assert source["unaccounted"] == 0
    at_detect = [drop for drop in source["dropped"] if drop["stage"] == "detect"]
    assert {drop["reason"] for drop in at_detect} <= {"late", "queue full"}
    assert sum(drop["count"] for drop in at_detect) >= 20
    assert re.search(r"\d+ frames dropped, because ", ran.out)


@pytest.mark.long
def test_a_detector_that_is_too_slow_for_the_camera(place, door):
    """Every picture takes it longer than the next one takes to come, so frames go, and memory stays."""
    slow = [
        "--set=stages.detect.longest_side=480",
        "--set=stages.detect.smallest_face=0.02",
        "--set=stages.detect.haar.step=1.01",
    ]
    run = place.start(
        door.url, STAYS_AWAY, *slow, "--set=stages.detect.replicas=1", "--set=deadline=20", "--set=window=4"
    ).until_lines(3)
    before = memory(run)
    run.until_lines(8)
    after = memory(run)
    door.ended.set()
    ran = run.end().succeeded()
    source = assert_balanced(ran)
    assert any(drop["reason"] == "queue full" and drop["count"] > 5 for drop in source["dropped"])
    assert sum(after.values()) < sum(before.values()) + 100_000_000
    assert "detect was the busiest stage" in ran.out
