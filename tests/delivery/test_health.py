"""Who is given nothing more, and what is given up, because answers do not come."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from stages.delivery.dispatcher import Dispatcher
from stages.delivery.events import Evict, Refuse, Tick
from stages.delivery.rules import Rules
from stages.delivery.stalls import LONGEST_RESEND
from stages.protocol.messages import GivenUp
from tests.delivery.said import heartbeat, hello
from tests.delivery.test_dispatcher import ack, cut, dispatching, read

EVERY = range(1, 7)


def finished(acked_up_to: int = 1) -> Dispatcher:
    """A dispatcher of seven frames: the first has no faces, the others are with age, which calls them finished."""
    dispatcher = dispatching()
    for connection in ("d", "a"):
        dispatcher.step(heartbeat(connection, credit=16, finished=0), 0.0)
    read(dispatcher, 7)
    for frame in range(7):
        cut(dispatcher, frame, faces=frame)
    ack(dispatcher, acked_up_to, missing(EVERY))
    return dispatcher


def missing(frames: Iterable[int]) -> dict[int, list[str]]:
    return {frame: ["age"] if frame in frames else [] for frame in range(7)}


def waited(dispatcher: Dispatcher, stalls: int, frames: Iterable[int], acked_up_to: int = 1) -> list:
    """What the dispatcher does while render is missing age's answers for these frames, and age calls them finished."""
    now_s, actions = 0.0, []
    for stall in range(stalls):
        actions += dispatcher.step(heartbeat("a", credit=16, finished=1000), now_s)
        now_s += 10.0 * min(2**stall, LONGEST_RESEND)
        for before_s in (0.4, 0.2):
            ack(dispatcher, acked_up_to, missing(frames), now_s - before_s)
        actions += dispatcher.step(Tick(), now_s)
    return actions


def evicted(actions: list) -> list[str]:
    return [action.connection for action in actions if isinstance(action, Evict)]


def given_up(actions: list) -> dict[int, str]:
    return {action.frame: action.reason for action in actions if isinstance(action, GivenUp)}


def test_who_calls_its_tasks_finished_and_has_never_answered_one_is_given_no_more():
    assert evicted(waited(finished(), 1, EVERY)) == ["a"]


def test_nobody_is_blamed_for_crops_of_a_detect_that_has_answered_nothing():
    assert evicted(waited(finished(acked_up_to=0), 1, EVERY, acked_up_to=0)) == []


def test_nobody_is_blamed_while_render_is_silent():
    dispatcher = finished()
    dispatcher.step(heartbeat("a", credit=16, finished=6), 0.0)
    actions = [action for now_s in (10.0, 30.0, 70.0, 150.0, 310.0) for action in dispatcher.step(Tick(), now_s)]
    assert (evicted(actions), given_up(actions)) == ([], {})


def test_nobody_is_blamed_while_render_is_killed_and_comes_again():
    """What was on its way to it is lost, and its last acknowledgement may be newer than the stall."""
    dispatcher = dispatching(resend_after_s=0.5)
    for connection in ("d", "a"):
        dispatcher.step(heartbeat(connection, credit=16, finished=0), 0.0)
    read(dispatcher, 7)
    for frame in range(7):
        cut(dispatcher, frame, faces=frame)
    for now_s in (-0.3, -0.1):
        ack(dispatcher, 1, missing(EVERY), now_s)
    dispatcher.step(heartbeat("a", credit=16, finished=6), 0.1)
    assert evicted(dispatcher.step(Tick(), 0.6)) == []


@pytest.mark.parametrize("live", [False, True])
def test_after_a_new_render_a_stage_is_not_waited_for_without_end_that_has_nobody_to_rely_on(live):
    rules = Rules(attributes=("age",), cards={"detect": "D", "age": "A"}, live=live)
    dispatcher = Dispatcher(rules, evicted=(("age", ("desk", 0), 1),), answering=(("age", "desk"),))
    assert any(isinstance(action, Refuse) for action in dispatcher.step(hello("a", "age"), 0.0))
    dispatcher.step(hello("d", "detect"), 0.0)
    ack(dispatcher)
    for now_s in (0.1, rules.give_up_after_s - 0.1):
        dispatcher.step(Tick(), now_s)
        assert not dispatcher.started
    dispatcher.step(Tick(), rules.give_up_after_s + 0.2)
    assert dispatcher.started


def test_a_task_that_its_worker_keeps_back_is_given_up_the_fifth_time_and_the_worker_is_named():
    assert given_up(waited(finished(), 4, [1])) == {}
    actions = waited(finished(), 5, [1])
    assert given_up(actions) == {1: "asked 5 times without an answer, age 0 on desk the last time"}
    assert evicted(actions) == []


def test_a_worker_that_may_have_been_cut_off_has_longer():
    assert given_up(waited(finished(), 7, [6])) == {}  # The last task that it was given.
    assert list(given_up(waited(finished(), 8, [6]))) == [6]


def test_who_keeps_back_one_task_after_the_other_is_given_no_more():
    assert evicted(waited(finished(), 5, [1, 2])) == []
    assert evicted(waited(finished(), 5, [1, 2, 3])) == ["a"]
