"""Random histories of the whole pipeline: what must hold in every one of them."""

from __future__ import annotations

import random

import pytest

from tests.simulation.world import Plan, ended

HISTORIES = 40  # of each kind; a thousand take a minute
FEW = 4  # of those that take longest


def seeds(histories: int, drawn: int | None = None) -> list:
    """So many of them, usually a quarter, are drawn by `make test`, the rest by `make test-long`."""
    drawn = histories // 4 if drawn is None else drawn
    return [pytest.param(seed, marks=[pytest.mark.long] if seed >= drawn else []) for seed in range(histories)]


def plans(seed: int, **fixed) -> Plan:
    draw = random.Random(seed)
    drawn = {
        "frames": draw.choice((0, 1, 7, 30, 60)),
        "attributes": draw.choice(((), ("gender",), ("gender", "emotion", "age"))),
        "window": draw.choice((1, 2, 5, 16)),
        "window_bytes": draw.choice((1, 3500, 10**9)),
        "replicas": {"detect": draw.choice((1, 2, 3)), "gender": draw.choice((1, 2))},
        "service_s": {"detect": draw.choice((0.002, 0.03)), "gender": draw.choice((0.001, 0.2))},
        "repeat": draw.choice((0.0, 0.3)),
        "shuffle": draw.random() < 0.5,
        "every": {"gender": draw.choice((1, 1, 3)), "age": draw.choice((1, 4))},
        "credit": draw.choice((2, 8)),
    }
    return Plan(**{**drawn, **fixed})


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_file_comes_out_whole_in_order_and_once(seed):
    plan = plans(seed)
    world = ended(plan, seed)
    assert [emit.frame for emit in world.emitted] == list(range(plan.frames))
    assert all(emit.missing == () and emit.error is None for emit in world.emitted)


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_file_comes_out_whole_whichever_workers_die_and_come_back(seed):
    plan = plans(seed, kills=8, frames=60, resend_after_s=1e6)  # Without the timer: a death is cured at once.
    world = ended(plan, seed)
    assert [emit.frame for emit in world.emitted] == list(range(60))
    assert all(emit.missing == () for emit in world.emitted)


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_file_comes_out_whole_although_messages_are_lost(seed):
    world = ended(plans(seed, lose=0.03, frames=30, resend_after_s=2.0), seed)
    assert [emit.frame for emit in world.emitted] == list(range(30))


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_answers_are_joined_only_with_the_boxes_that_they_were_cut_along(seed):
    plan = plans(seed, kills=6, frames=40, differing_boxes=True, replicas={"detect": 3}, resend_after_s=2.0)
    assert len(ended(plan, seed).emitted) == 40


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_detect_that_dies_between_its_two_answers_costs_no_time(seed):
    deaths = {"kills": 20, "dies_between": 0.5, "resend_after_s": 1e6}  # Without the timer: a death is cured at once.
    plan = plans(seed, frames=40, differing_boxes=True, replicas={"detect": 3}, **deaths)
    assert [emit.frame for emit in ended(plan, seed).emitted] == list(range(40))


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_file_comes_out_whole_although_cables_are_cut(seed):
    world = ended(plans(seed, frames=60, cuts=12, resend_after_s=1e6), seed)
    assert [emit.frame for emit in world.emitted] == list(range(60))


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_camera_drops_what_it_must_and_the_account_balances(seed):
    slow = {"service_s": {"detect": 0.1, "age": 0.3}, "attributes": ("gender", "age")}
    world = ended(plans(seed, live=True, frames=120, **slow), seed)
    assert world.dispatcher.read == 120
    assert world.joiner.dropped.total() + len(world.emitted) == 120


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_camera_goes_on_whichever_workers_die_and_whatever_is_lost(seed):
    world = ended(plans(seed, live=True, frames=150, kills=5, lose=0.02), seed)
    assert world.dispatcher.read == 150


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_file_comes_out_whole_whichever_process_dies_or_hangs(seed):
    deaths = {"kills": 6, "hangs": 3, "capture_kills": 3, "render_kills": 3, "resend_after_s": 1e6}
    world = ended(plans(seed, frames=60, **deaths), seed)
    assert [emit.frame for emit in world.emitted] == list(range(60))


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_file_comes_out_whole_although_processes_die_and_messages_are_lost(seed):
    deaths = {"kills": 4, "hangs": 2, "capture_kills": 2, "render_kills": 2, "lose": 0.03, "resend_after_s": 2.0}
    world = ended(plans(seed, frames=40, **deaths), seed)
    assert [emit.frame for emit in world.emitted] == list(range(40))


@pytest.mark.parametrize("cause", ["exit", "hang", "fail"])
@pytest.mark.parametrize("seed", seeds(HISTORIES // 2))
def test_a_poison_frame_is_given_up_and_no_other(seed, cause):
    poison = {("detect", 7): cause, ("detect", 8): cause, ("gender", 12): cause, ("age", 16): cause}
    everybody = {"attributes": ("gender", "age"), "window": 16, "window_bytes": 10**9}
    world = ended(plans(seed, frames=40, poison=poison, resend_after_s=1e6, **everybody), seed)
    assert all(ends <= 6 for ends in world.poisoned.values()), world.poisoned
    assert [emit.frame for emit in world.emitted if emit.error] == [7, 8]
    assert {emit.frame: emit.missing for emit in world.emitted if emit.missing} == {12: ("gender",), 16: ("age",)}


@pytest.mark.parametrize("seed", seeds(HISTORIES // 4))
def test_an_answer_that_every_worker_keeps_back_is_given_up_and_no_other(seed):
    """They call the task finished, and answer all others."""
    poison = {("detect", 7): "keep", ("gender", 12): "keep", ("age", 28): "keep"}
    plan = plans(seed, frames=40, poison=poison, resend_after_s=1.0, attributes=("gender", "age"), window_bytes=10**9)
    world = ended(plan, seed, longest_s=2000.0)
    assert [emit.frame for emit in world.emitted] == list(range(40))
    assert [emit.frame for emit in world.emitted if emit.error] == [7]
    assert {emit.frame: emit.missing for emit in world.emitted if emit.missing} == {12: ("gender",), 28: ("age",)}


@pytest.mark.parametrize("seed", seeds(HISTORIES // 2))
def test_a_frame_that_a_stage_on_another_machine_does_not_survive_is_given_up_and_no_other(seed):
    poison = {("detect", 7): "exit", ("gender", 12): "hang", ("age", 16): "exit"}
    far = {"attributes": ("gender", "age"), "far": frozenset({"detect", "gender", "age"}), "resend_after_s": 2.0}
    world = ended(plans(seed, frames=60, poison=poison, kills=6, hangs=2, render_kills=1, **far), seed)
    assert [emit.frame for emit in world.emitted if emit.error] == [7]
    assert {emit.frame: emit.missing for emit in world.emitted if emit.missing} == {12: ("gender",), 16: ("age",)}


@pytest.mark.parametrize("seed", seeds(HISTORIES // 2))
def test_kills_and_hangs_beside_a_poison_frame_cost_no_innocent_one(seed):
    poison = {("detect", 7): "exit", ("gender", 12): "fail"}
    deaths = {"kills": 10, "hangs": 4, "render_kills": 2, "capture_kills": 2, "resend_after_s": 2.0}
    world = ended(plans(seed, frames=60, poison=poison, attributes=("gender", "age"), **deaths), seed)
    assert [emit.frame for emit in world.emitted if emit.error or emit.missing] == [7, 12]


@pytest.mark.parametrize("seed", seeds(HISTORIES))
def test_a_camera_goes_on_above_what_was_heard_when_capture_or_render_dies(seed):
    deaths = {"kills": 3, "capture_kills": 2, "render_kills": 2}
    world = ended(plans(seed, live=True, frames=200, window_bytes=10**9, **deaths), seed)
    lost = [skip for skip in world.skipped if skip.reason == "restart"]
    assert all(skip.stage in ("capture", "render") for skip in lost)


@pytest.mark.parametrize("seed", seeds(30))
def test_a_file_that_a_person_stops_ends_with_what_was_under_way(seed):
    world = ended(plans(seed, frames=10_000, window_bytes=10**9, stop_at_s=3.0), seed)
    assert [emit.frame for emit in world.emitted] == list(range(world.dispatcher.read))
    assert world.dispatcher.read < 10_000


@pytest.mark.parametrize("seed", seeds(30))
def test_a_stage_that_leaves_a_camera_is_missed_and_not_waited_for(seed):
    swift = {"window": 16, "window_bytes": 10**9, "attributes": ("gender", "age"), "every": {}}
    swift["service_s"] = {"detect": 0.001, "gender": 0.001}
    world = ended(plans(seed, live=True, frames=300, leave="age", **swift), seed)
    missed = [emit for emit in world.emitted if emit.missing]
    only_age = [emit for emit in missed if emit.missing == ("age",)]
    assert only_age and len(only_age) > 0.7 * len(missed)  # Others are shed where their messages take long.


def hostile(seed: int) -> dict[str, int]:
    draw = random.Random(f"hostile {seed}")
    return {stage: draw.choice((0, 1, 2)) for stage in ("gender", "age")} | {"detect": draw.choice((1, 2))}


SLOW = {"service_s": {"detect": 0.05, "gender": 0.05}, "window_bytes": 10**9, "attributes": ("gender", "age")}


# 1037: the only good detect has a task in isolation, and so no room, just when a frame has had too many wrong answers.
@pytest.mark.parametrize("seed", [*seeds(2 * HISTORIES, FEW), 1037])
def test_hostile_workers_beside_good_ones_cost_a_file_nothing_but_time(seed):
    frames = 100 if seed < 1000 else 150
    world = ended(plans(seed, frames=frames, hostile=hostile(seed), resend_after_s=2.0, **SLOW), seed)
    assert [emit.frame for emit in world.emitted] == list(range(frames))
    assert all(emit.missing == () and emit.error is None for emit in world.emitted)
    assert world.ignored > 0


# 1023: a worker that holds as much as any may says that it has nothing left, to be given a task alone.
@pytest.mark.parametrize("seed", [*seeds(HISTORIES, FEW), 1023])
def test_no_frame_is_waited_for_for_good_whoever_dies_beside_hostile_workers(seed):
    deaths = {"kills": 5, "hangs": 2, "render_kills": 2, "capture_kills": 1, "lose": 0.01, "resend_after_s": 2.0}
    world = ended(plans(seed, frames=100, hostile=hostile(seed), **deaths, **SLOW), seed)
    assert [emit.frame for emit in world.emitted] == list(range(100))


@pytest.mark.parametrize("seed", seeds(HISTORIES, FEW))
def test_a_camera_goes_on_beside_hostile_workers(seed):
    world = ended(plans(seed, live=True, frames=300, hostile=hostile(seed), **SLOW), seed)
    assert world.dispatcher.read == 300


# 1000: of those who were there before a frame had too many wrong answers only such are left as never have any room.
@pytest.mark.parametrize("stage", ["detect", "age"])
@pytest.mark.parametrize("seed", [*seeds(HISTORIES // 2, FEW), 1000])
def test_a_stage_whose_every_worker_is_hostile_is_given_up_and_the_others_are_not(seed, stage):
    plan = plans(seed, frames=60, hostile={stage: 2}, only_hostile=stage, resend_after_s=1.0, **SLOW)
    world = ended(
        plan, seed, longest_s=3000.0, most_events=1_000_000
    )  # The timer that finds out who answers nothing doubles.
    assert [emit.frame for emit in world.emitted] == list(range(60))


def test_no_work_is_handed_out_twice_when_nothing_goes_wrong():
    world = ended(Plan(frames=50, attributes=("gender", "age"), shuffle=True), seed=1)
    with_faces = sum(frame % 5 != 0 for frame in range(50))
    assert world.sent == {"detect": 50, "gender": with_faces, "age": with_faces}
