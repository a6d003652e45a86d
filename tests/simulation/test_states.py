"""The tables of states say what happens: every transition is reached, and nothing happens beside them."""

from __future__ import annotations

import pytest

from stages.delivery import control_block, states, tasks, workers
from stages.delivery.events import FromWorker, Read, ReadAll, StartEpoch, Tick
from stages.delivery.stalls import LONGEST_RESEND
from stages.delivery.states import (
    FrameEvent,
    FrameState,
    NoTransition,
    SourceEvent,
    SourceState,
    WorkerEvent,
    WorkerState,
    after,
)
from tests.delivery.said import acked, crops, heartbeat
from tests.delivery.test_dispatcher import dispatching
from tests.simulation.test_histories import SLOW, plans
from tests.simulation.world import World

TABLES = {"FRAME": (tasks, states.FRAME), "WORKER": (workers, states.WORKER), "SOURCE": (control_block, states.SOURCE)}
EVERYBODY = {"window": 16, "window_bytes": 10**9, "attributes": ("gender", "age")}
KINDS = {
    "camera": {"live": True, "frames": 100, "kills": 5, "lose": 0.02, **SLOW},
    "camera ends": {"live": True, "frames": 150, "kills": 3, "capture_kills": 2, "render_kills": 2},
    "camera of poison": {
        "live": True, "frames": 60, "poison": {("detect", n): "fail" for n in range(0, 60, 3)}, "lose": 0.1,
        "deadline_s": 3.0,
    },
    "hostile camera": {"live": True, "frames": 300, "hostile": {"detect": 2, "age": 1}, **SLOW},
    "only hostile": {
        "frames": 30, "hostile": {"detect": 2}, "only_hostile": "detect", "resend_after_s": 1.0, **SLOW,
    },
    "poison": {"frames": 30, "poison": {("detect", 7): "exit", ("gender", 11): "fail"}, "hangs": 5, **EVERYBODY},
    "stop": {"frames": 10_000, "stop_at_s": 3.0, **EVERYBODY},
    "stop at once": {"frames": 50, "stop_at_s": 0.2},
    "both ends": {"frames": 40, "capture_kills": 8, "render_kills": 8},
    "ends": {"frames": 7, "render_kills": 8, "window": 16, "window_bytes": 10**9},
}  # fmt: skip
MOST_SEEDS = 40
# Where to look for what the first histories do not show: a kind, and the seed to begin with.
SEEN_IN = {
    (FrameState.QUEUED, FrameEvent.STOP): ("stop", 2),
    (FrameState.QUEUED, FrameEvent.DETECT_GIVEN_UP): ("only hostile", 2),
    (FrameState.CROPPED, FrameEvent.DETECT_GIVEN_UP): ("only hostile", 8),
    (FrameState.CROPPED, FrameEvent.NO_FACES): ("only hostile", 4),
    (FrameState.FACELESS, FrameEvent.NO_FACES): ("hostile camera", 5),
    (FrameState.FACELESS, FrameEvent.DROP): ("hostile camera", 6),
    (FrameState.UNANALYSED, FrameEvent.DROP): ("camera of poison", 11),
    (WorkerState.DRAINING, WorkerEvent.EVICT): ("only hostile", 2),
    (SourceState.WAITING, SourceEvent.END): ("stop at once", 2),
    (SourceState.WAITING, SourceEvent.NEW_RENDER): ("both ends", 2),
    (SourceState.ENDED, SourceEvent.NEW_RENDER): ("ends", 2),
}


class Reached(dict):
    """A table that notes which of its transitions were made."""

    def __init__(self, table: dict, reached: set):
        super().__init__(table)
        self._reached = reached

    def __getitem__(self, transition):
        state = super().__getitem__(transition)
        self._reached.add(transition)
        return state


def test_every_transition_is_reached_and_none_beside_them(monkeypatch):
    reached, every = set(), [transition for _, table in TABLES.values() for transition in table]
    for name, (module, table) in TABLES.items():
        monkeypatch.setattr(module, name, Reached(table, reached))
    a_faceless_frame_of_which_render_never_gets_the_faces()
    a_render_that_knows_of_frames_that_it_was_not_given()
    a_render_that_comes_back_after_the_end()
    for kind in KINDS:
        World(plans(1, **KINDS[kind]), 1).run(longest_s=3000.0)
    for transition in every:
        kind, first = SEEN_IN.get(transition, ("hostile camera", 2))
        for seed in range(first, first + MOST_SEEDS):
            if transition in reached:
                break
            World(plans(seed, **KINDS[kind]), seed).run(longest_s=3000.0)
    assert [(state.name, event.name) for state, event in every if (state, event) not in reached] == []


def test_what_is_in_no_table_is_a_fault_of_the_program():
    with pytest.raises(NoTransition, match="FrameEvent.STOP cannot happen in FrameState.CROPPED"):
        after(states.FRAME, FrameState.CROPPED, FrameEvent.STOP)


# --- What no history shows ---


def a_faceless_frame_of_which_render_never_gets_the_faces() -> None:
    dispatcher = dispatching(resend_after_s=1.0)
    for frame in (0, 1):
        dispatcher.step(Read(100), 0.0)
        dispatcher.step(FromWorker("d", crops(frame, faces=0)), 0.0)
    unanswered = {"acked_up_to": 1, "missing_parts": {1: ["detect"]}}
    dispatcher.step(acked(10**6, **unanswered), 0.0)
    now_s, number = 0.0, 10**6
    for stall in range(8):
        dispatcher.step(heartbeat("d", finished=100), now_s)
        now_s += min(2.0**stall, LONGEST_RESEND)
        for before_s in (0.4, 0.2):
            number += 1
            dispatcher.step(acked(number, **unanswered), now_s - before_s)
        dispatcher.step(Tick(), now_s)


def a_render_that_knows_of_frames_that_it_was_not_given() -> None:
    dispatcher = dispatching()
    for _ in range(3):
        dispatcher.step(Read(100), 0.0)
    dispatcher.step(acked(10**6, acked_up_to=3), 0.0)
    assert dispatcher.in_flight == 0


def a_render_that_comes_back_after_the_end() -> None:
    dispatcher = dispatching()
    dispatcher.step(ReadAll(), 0.0)
    dispatcher.step(acked(10**6, clean=True), 0.0)
    assert dispatcher.step(acked(1, incarnation=2), 0.0) == [StartEpoch()]
