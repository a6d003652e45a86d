"""What a browser may ask for, and what comes of it."""

from __future__ import annotations

import json

import pytest

from stages.view.web.encoded import Switches
from stages.view.web.viewer import NotUnderstood, Viewer

STAGES, SOURCES = {"gender", "emotion", "age"}, {"door", "yard"}


def said(viewer: Viewer, message: object) -> Viewer:
    viewer.receive(message if isinstance(message, str) else json.dumps(message), STAGES, SOURCES)
    return viewer


def look(source: str = "door", **more: object) -> dict:
    return {"do": "look", "source": source, "hide": [], "blur": False, "paused": False} | more


def test_a_browser_says_what_it_looks_at_and_how():
    viewer = said(Viewer(), look(hide=["age", "gender"], blur=True))
    assert viewer.source == "door"
    assert viewer.switches == Switches(frozenset({"age", "gender"}), blurred=True)


def test_it_is_sent_something_when_it_has_drawn_what_came_before():
    viewer = said(Viewer(), {"do": "ready"})
    assert viewer.ready


def test_one_that_comes_back_says_what_it_knows_already():
    assert said(Viewer(), look(known=[1700, 41])).known == (1700, 41)


def test_a_switch_changes_nothing_of_what_it_knows():
    viewer = said(Viewer(), look(known=[1700, 41]))
    assert said(viewer, look(hide=["age"])).known == (1700, 41)


def test_of_another_source_it_knows_nothing():
    viewer = said(Viewer(), look(known=[1700, 41]))
    viewer.drawn = (7, viewer.switches)
    assert (said(viewer, look("yard")).known, viewer.drawn) == ((0, 0), None)


def test_one_that_pauses_keeps_the_picture_of_that_moment_until_it_goes_on():
    newest = iter(["first", "second", "third"])
    viewer = said(Viewer(), look())
    assert viewer.choose(lambda _: next(newest)) == "first"
    said(viewer, look(paused=True))
    assert [viewer.choose(lambda _: next(newest)) for _ in range(3)] == ["second"] * 3
    said(viewer, look())
    assert (viewer.choose(lambda _: next(newest)), viewer.held) == ("third", None)


def test_one_that_does_not_pause_holds_no_picture_however_slow_it_is():
    viewer = said(Viewer(), look())
    viewer.choose(lambda _: "first")
    assert viewer.held is None


def test_who_wants_faces_hidden_or_pauses_is_shown_analysed_pictures():
    asked_for = []
    viewer = said(Viewer(), look(blur=True))
    viewer.choose(asked_for.append)
    said(viewer, look(paused=True))
    viewer.choose(asked_for.append)
    assert asked_for == [True, True]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no JSON",
        "[" * 4000,
        b"\xff\xfe",
        "null",
        {"do": "quit"},
        {"do": ["ready"]},
        look("cellar"),
        look(hide=["detect"]),
        look(hide=[["age"]]),
        look(hide="age"),
        look(blur=1),
        look(paused="no"),
        {"do": "look", "source": "door"},
    ],
    ids=repr,
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(message):
    viewer = said(Viewer(), look(hide=["age"]))
    with pytest.raises(NotUnderstood):
        viewer.receive(message if isinstance(message, bytes | str) else json.dumps(message), STAGES, SOURCES)
    assert (viewer.source, viewer.switches, viewer.ready) == ("door", Switches(frozenset({"age"})), False)


def test_who_talks_nonsense_all_along_is_no_longer_listened_to():
    viewer = Viewer()
    for _ in range(20):
        with pytest.raises(NotUnderstood):
            viewer.receive("?", STAGES, SOURCES)
    assert not viewer.is_beyond_hope
    with pytest.raises(NotUnderstood):
        viewer.receive("?", STAGES, SOURCES)
    assert viewer.is_beyond_hope
