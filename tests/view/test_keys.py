"""What keys do, and which of them are listed."""

from __future__ import annotations

from functools import reduce

import pytest

from stages.view.keys import BACK, NEXT, KeyState, Situation, key_of, keys_for, on_key

STAGES = frozenset({"gender", "emotion", "age"})


RUNNING, ENDED = Situation(STAGES, goes_on=True), Situation(STAGES, finished=True)


def press(keys: str, view: KeyState | None = None, now: Situation = RUNNING) -> KeyState:
    return reduce(lambda before, key: on_key(before, key, now), keys, view or KeyState())


def test_keys_switch_labels_pause_save_quit_and_turn_pages():
    assert press("g").hidden == {"gender"}
    assert press("gEa").hidden == {"gender", "emotion", "age"}
    assert press("gGeA").hidden == {"emotion", "age"}
    assert press("e").show(["gender", "emotion", "glasses"]) == {"gender", "glasses"}
    assert press(" ").paused and not press("  ").paused
    assert press("sS").saves == 2
    assert press("q").quit and press("Q").quit and press("\x1b").quit
    assert on_key(KeyState(), BACK, RUNNING).steps == -1
    assert reduce(lambda view, key: on_key(view, key, RUNNING), (NEXT, NEXT, BACK), KeyState()).steps == 1
    assert press("xyz1\t\r\xff") == KeyState()


def test_escape_leaves_full_screen_before_it_quits():
    assert press("f").full_screen and not press("fF").full_screen
    assert press("f\x1b") == KeyState()
    assert press("f\x1b\x1b").quit and press("fq").quit


def listed(view: KeyState | None = None, **situation) -> dict[str, str]:
    return dict(keys_for(view or KeyState(), Situation(**{"stages": STAGES} | situation)))


def test_only_keys_that_do_something_now_are_listed():
    always = {"S": "save the picture", "F": "full screen", "H": "hide the keys"}
    assert listed(stages=frozenset(), finished=True) == always | {"Q, Esc": "close the window"}
    video = listed(goes_on=True, has_faces=True)
    assert list(video) == ["G", "E", "A", "D", "S", "space", "click", "F", "H", "Q, Esc"]
    assert list(listed(finished=True, has_previous=True)) == ["G", "E", "A", "S", "left", "F", "H", "Q, Esc"]
    assert "right" in listed(has_next=True) and "left" not in listed(has_next=True)
    assert list(listed(stages=frozenset({"age", "glasses"})))[0] == "A"


def test_a_key_that_is_not_listed_does_nothing():
    """Over the last picture there is nothing to pause, and all statistics are 0."""
    assert press(" d", now=ENDED) == KeyState()
    assert not {"space", "D"} & listed(goes_on=False, finished=True).keys()
    assert press(" d", press(" d"), ENDED) == KeyState()  # What was begun before can be ended.
    assert {"space", "D"} < listed(press(" d"), finished=True).keys()


def test_a_switch_says_what_it_would_do_next():
    assert (listed()["G"], listed(press("g"))["G"]) == ("hide gender", "show gender")
    assert (listed(goes_on=True)["space"], listed(press(" "))["space"]) == ("pause", "continue")
    assert "F, Esc" in listed(press("f")) and listed(press("f"))["Q"] == "end the run"
    clicks = [listed(has_faces=True, **more)["click"] for more in ({}, {"are_followed": True}, {"face_is_open": True})]
    assert clicks == ["a face: all answers", "a face: its history", "close the face"]


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (0xFF51, BACK), (0x10FF51, BACK), (0x250000, BACK), (0xF702, BACK),  # Qt, GTK with Num Lock, Windows, macOS
        (0xFF53, NEXT), (0x10FF53, NEXT), (0x270000, NEXT), (0xF703, NEXT),
        (0xFF52, ""), (0xFF54, ""), (0xFFE1, ""), (0xF700, ""),  # up, down, shift
        (ord("q"), "q"), (0x100000 | ord("S"), "S"), (0x20, " "), (0x1B, "\x1b"), (0xFF1B, "\x1b"), (0x25, "%"),
    ],
)  # fmt: skip
def test_a_key_is_told_by_its_whole_code(code, key):
    assert key_of(code) == key
