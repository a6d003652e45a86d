"""What a browser may ask for, and what comes of it."""

from __future__ import annotations

import json

import pytest

from stages.view.web.viewer import Known, NotUnderstood, Viewer

STAGES, SOURCES = {"gender", "emotion", "age"}, {"door", "yard"}


def said(viewer: Viewer, message: object) -> Viewer:
    viewer.receive(message if isinstance(message, str) else json.dumps(message), STAGES, SOURCES)
    return viewer


def look(source: str | None = "door", **more: object) -> dict:
    return {"do": "look", "source": source, "blur": False, "paused": False} | more


def test_a_browser_says_what_it_looks_at_and_how():
    viewer = said(Viewer(), look(blur=True))
    assert (viewer.source, viewer.looks_at_all, viewer.blurred) == ("door", False, True)


def test_it_may_look_at_all_sources_of_which_none_is_held():
    viewer = said(Viewer(), look(None, paused=True))
    assert (viewer.source, viewer.looks_at_all, viewer.paused) == (None, True, False)


def test_it_asks_for_the_picture_without_the_labels_that_it_has_switched_off():
    assert said(Viewer(), {"do": "save", "hide": ["age"]}).saves == {"age"}


def test_it_is_sent_something_when_it_has_drawn_what_came_before():
    viewer = said(Viewer(), {"do": "ready"})
    assert viewer.ready


def test_one_that_comes_back_says_what_it_knows_already():
    viewer = said(Viewer(), look(life=1700, known=[41, 2, 0]))
    assert (viewer.life, viewer.known) == (1700, Known(41, 2, 0))


def test_a_switch_changes_nothing_of_what_it_knows():
    viewer = said(Viewer(), look(life=1700, known=[41, 0, 0]))
    assert said(viewer, look(blur=True)).known == Known(41)


def test_of_another_source_it_knows_nothing():
    viewer = said(Viewer(), look(life=1700, known=[41, 0, 0]))
    viewer.drawn["door"] = 7, False
    assert (said(viewer, look("yard")).known, viewer.drawn) == (Known(), {})


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
        look(["door"]),
        {"do": "save", "hide": ["detect"]},
        {"do": "save", "hide": [["age"]]},
        {"do": "save", "hide": "age"},
        {"do": "record", "on": 1},
        look(blur=1),
        look(paused="no"),
        {"do": "look", "source": "door"},
    ],
    ids=repr,
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(message):
    viewer = said(Viewer(), look())
    with pytest.raises(NotUnderstood):
        viewer.receive(message if isinstance(message, bytes | str) else json.dumps(message), STAGES, SOURCES)
    assert (viewer.source, viewer.saves, viewer.records, viewer.ready) == ("door", None, None, False)


def test_who_talks_nonsense_all_along_is_no_longer_listened_to():
    viewer = Viewer()
    for _ in range(20):
        with pytest.raises(NotUnderstood):
            viewer.receive("?", STAGES, SOURCES)
    assert not viewer.is_beyond_hope
    with pytest.raises(NotUnderstood):
        viewer.receive("?", STAGES, SOURCES)
    assert viewer.is_beyond_hope
