"""A history keeps every event and every decision, and is played again as it was."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from stages.delivery import dispatcher, joiner
from stages.delivery.dispatcher import (
    Acked,
    Dispatcher,
    Read,
    Rules,
    SendFrame,
    Tick,
    WorkerHeartbeat,
    WorkerRegistered,
)
from stages.trace.history import CAPTURE, CoreStarted, CoreStep, HistoryError, Replayer, plain, restored

RULES = Rules(attributes=("age",), cards={"detect": "D", "age": "A"}, hang_s={"age": 5.0})


@pytest.mark.parametrize(
    "value",
    [
        RULES,
        WorkerRegistered("c1", "age", ("desk", 0), 7, "A", 3, ((5, "hang"), (6, "killed"))),
        Acked(1, 2, 3, {3: frozenset({"age", "picture"}), 4: frozenset()}, False, None, 5),
        [SendFrame("c1", 0, 1, 1, ("age",)), dispatcher.SendEnd(4), Tick()],
        joiner.Emit(3, "picture", "faces", {"age": "answers"}, ("gender",), None),
    ],
)
def test_what_is_kept_comes_back_as_it_was(value):
    assert restored(plain(value)) == value


def test_a_payload_is_kept_by_its_name():
    @dataclass
    class Pixels:
        size: int

    kept = plain(joiner.PictureReceived(3, Pixels(7)), lambda pixels: f"{pixels.size} pixels")
    assert restored(kept) == joiner.PictureReceived(3, "7 pixels")


def test_what_no_history_holds_is_refused():
    with pytest.raises(HistoryError, match="has a Flown that is not of this version"):
        restored(["Flown", 1])
    with pytest.raises(HistoryError, match="has a Read that is not of this version"):
        restored(["Read", 1])
    with pytest.raises(HistoryError, match="has a list where a kind should be"):
        restored([["Read"], 1])


@pytest.mark.parametrize("event", [5, [], ["Tick", 1], ["dict", [["list"], 1]], ["Acked", *[None] * 7], ["\n"]])
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
        WorkerRegistered("d", "detect", ("desk", 0), 1, "D"),
        WorkerHeartbeat("d", 1, 0),
        Tick(),
    ]
    core, lines = Dispatcher(rules), [CoreStarted("capture-0/0", CAPTURE, [plain(rules), 0])]
    for number, event in enumerate(heard):
        lines.append(CoreStep("capture-0/0", number / 10, plain(event), plain(core.step(event, number / 10))))
    return lines


def test_what_was_heard_leads_to_the_same_decisions():
    again = Replayer().play(history(RULES))
    assert (again.steps, again.differing) == (5, [])


def test_under_another_rule_it_does_not_and_the_step_is_named():
    began, *heard = history(RULES)
    other = Rules(attributes=("age",), cards={"detect": "another", "age": "A"})
    again = Replayer().play([CoreStarted(began.who, began.core, [plain(other), 0]), *heard])
    assert again.differing[0].startswith(
        "step 3 of capture-0/0, WorkerRegistered: then [], now [Refuse(connection='d', "
    )
