"""A history keeps every event and every decision, and is played again as it was."""

from __future__ import annotations

import re

import pytest

from stages.delivery.dispatcher import Dispatcher
from stages.delivery.events import FromWorker, Read, SendFrame, Tick
from stages.delivery.joiner import Emit
from stages.delivery.rules import Rules
from stages.trace.history import CAPTURE, CoreStarted, CoreStep, HistoryError, Replayer, decided, plain, restored
from tests.delivery.said import acked, answer, crops, end, found, heartbeat, hello, picture

RULES = Rules(attributes=("age",), cards={"detect": "D", "age": "A"}, hang_s={"age": 5.0})


@pytest.mark.parametrize(
    "value",
    [
        RULES,
        hello("c1", "age", ("desk", 0), 7, "A", 3, ((5, "hang"), (6, "killed"))),
        acked(2, 3, {3: ["age", "picture"], 4: []}, heard=5),
        [SendFrame("c1", 0, 1, 1, ("age",)), end(4), Tick()],
        found(3, faces=2),
    ],
)
def test_what_is_kept_comes_back_as_it_was(value):
    assert restored(plain(value)) == value


def test_of_pixels_the_shape_is_kept():
    event = FromWorker("d", crops(3, faces=2))
    assert restored(plain(event)).message.size == event.message.size == 20


def test_what_is_decided_names_the_messages_that_it_passes_on():
    emit = Emit(3, picture(3), found(3, attempt=2), {"age": answer(3)}, ("gender",), None)
    [named] = restored(decided([emit]))
    assert (named.picture, named.missing) == ("the picture at 0.0 s", ("gender",))
    assert named.faces == "faces, try 2, boxes b, grant "


def test_what_no_history_holds_is_refused():
    with pytest.raises(HistoryError, match="has a Flown that is not of this version"):
        restored(["Flown", 1])
    with pytest.raises(HistoryError, match="has a Read that is not of this version"):
        restored(["Read", 1])
    with pytest.raises(HistoryError, match="has a list where a kind should be"):
        restored([["Read"], 1])


NO_EVENTS = [5, [], ["Tick", 1], ["dict", [["list"], 1]], ["Ack", *[None] * 14], ["\n"]]
NO_PIXELS = [["array", -1], ["array", 10**9, 10**9, 10**9], ["array", "x"]]


@pytest.mark.parametrize("event", NO_EVENTS + NO_PIXELS)
def test_an_event_that_no_core_can_take_is_a_sentence(event):
    began, *heard = history(RULES)
    with pytest.raises(HistoryError) as refused:
        Replayer().play([began, *heard, CoreStep(began.who, 1.0, event, [])])
    assert re.fullmatch(r"[^\n]+; (it is damaged or|make another|replay it)[^\n]*\.", str(refused.value))


def history(rules: Rules) -> list[CoreStarted | CoreStep]:
    """Of a short run under these rules."""
    heard = [
        Read(100),
        Read(100),
        hello("d", "detect"),
        heartbeat("d", 1, 0),
        Tick(),
    ]
    core, lines = Dispatcher(rules), [CoreStarted("capture-0/0", CAPTURE, [plain(rules), 0])]
    for number, event in enumerate(heard):
        lines.append(CoreStep("capture-0/0", number / 10, plain(event), decided(core.step(event, number / 10))))
    return lines


def test_what_was_heard_leads_to_the_same_decisions():
    again = Replayer().play(history(RULES))
    assert (again.steps, again.differing) == (5, [])


def test_under_another_rule_it_does_not_and_the_step_is_named():
    began, *heard = history(RULES)
    other = Rules(attributes=("age",), cards={"detect": "another", "age": "A"})
    again = Replayer().play([CoreStarted(began.who, began.core, [plain(other), 0]), *heard])
    assert again.differing[0].startswith("step 3 of capture-0/0, WorkerHello: then [], now [Refuse(connection='d', ")
