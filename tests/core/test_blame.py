"""Who is given nothing more, and what is given up, because answers do not come."""

from __future__ import annotations

from collections.abc import Iterable

from stages.core.flow import LONGEST_RESEND, Flow, Quarantine, SayGivenUp, Tick, WorkerBeat
from tests.core.test_flow import ack, cut, flowing, read

EVERY = range(1, 7)


def finished(done: int = 1) -> Flow:
    """A flow of seven frames: the first has no faces, the others are with age, which calls them finished."""
    flow = flowing()
    for connection in ("d", "a"):
        flow.step(WorkerBeat(connection, room=16, finished=0), 0.0)
    read(flow, 7)
    for frame in range(7):
        cut(flow, frame, faces=frame)
    ack(flow, done, lacking(EVERY))
    return flow


def lacking(frames: Iterable[int]) -> dict[int, list[str]]:
    return {frame: ["age"] if frame in frames else [] for frame in range(7)}


def waited(flow: Flow, stalls: int, frames: Iterable[int], done: int = 1) -> list:
    """What the flow does while render lacks age's answers for these frames, and age calls them finished."""
    now_s, actions = 0.0, []
    for stall in range(stalls):
        actions += flow.step(WorkerBeat("a", room=16, finished=1000), now_s)
        now_s += 10.0 * min(2**stall, LONGEST_RESEND)
        for before_s in (0.4, 0.2):
            ack(flow, done, lacking(frames), now_s - before_s)
        actions += flow.step(Tick(), now_s)
    return actions


def quarantined(actions: list) -> list[str]:
    return [action.connection for action in actions if isinstance(action, Quarantine)]


def given_up(actions: list) -> dict[int, str]:
    return {action.frame: action.reason for action in actions if isinstance(action, SayGivenUp)}


def test_who_calls_its_pieces_finished_and_has_never_answered_one_is_given_no_more():
    assert quarantined(waited(finished(), 1, EVERY)) == ["a"]


def test_nobody_is_blamed_for_crops_of_a_detect_that_has_answered_nothing():
    assert quarantined(waited(finished(done=0), 1, EVERY, done=0)) == []


def test_nobody_is_blamed_while_render_is_silent():
    flow = finished()
    flow.step(WorkerBeat("a", room=16, finished=6), 0.0)
    actions = [action for now_s in (10.0, 30.0, 70.0, 150.0, 310.0) for action in flow.step(Tick(), now_s)]
    assert (quarantined(actions), given_up(actions)) == ([], {})


def test_a_piece_that_its_worker_keeps_back_is_given_up_the_fifth_time_and_the_worker_is_named():
    assert given_up(waited(finished(), 4, [1])) == {}
    actions = waited(finished(), 5, [1])
    assert given_up(actions) == {1: "asked 5 times without an answer, age 0 on desk the last time"}
    assert quarantined(actions) == []


def test_a_worker_that_may_have_been_cut_off_has_longer():
    assert given_up(waited(finished(), 7, [6])) == {}  # The last piece that it was given.
    assert list(given_up(waited(finished(), 8, [6]))) == [6]


def test_who_keeps_back_one_piece_after_the_other_is_given_no_more():
    assert quarantined(waited(finished(), 5, [1, 2])) == []
    assert quarantined(waited(finished(), 5, [1, 2, 3])) == ["a"]
