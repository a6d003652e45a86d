"""Recordings that somebody at the page begins and ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import av
import pytest

from stages.rendering.extra import Extra
from stages.rendering.recording import PageRecording, complete_recordings
from stages.sinks.encoders import SOFTWARE
from tests.results.frames import flat, frame

DRAWN = flat(64, 48, 200)


@dataclass
class Page:
    """Stands for the page: whether a recording is wanted, and what is told about it."""

    wanted: bool = False
    told: list = field(default_factory=list)

    def wants_recorded(self, source: str) -> bool:
        return self.wanted

    def recorded(self, source: str, file: str | None, since: float, failure: str | None = None) -> None:
        self.told.append((source, file, failure))
        self.wanted = self.wanted and not failure


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def recording(page, tmp_path) -> PageRecording:
    return PageRecording("door", tmp_path, SOFTWARE, Extra("the page", page))


def show(recording: PageRecording, *numbers: int) -> None:
    for number in numbers:
        recording.take(frame(number, source="door"), DRAWN if recording.wants_drawn else None)


def test_a_recording_has_the_frames_from_its_beginning_to_its_end_and_begins_at_zero(recording, page, tmp_path):
    show(recording, 0, 1, 2)
    page.wanted = True
    show(recording, 3, 4, 5, 6)
    page.wanted = False
    show(recording, 7, 8)
    assert page.told == [("door", None, None), ("door", "saved/door-3.mp4", None)]
    with av.open(str(tmp_path / "saved" / "door-3.mp4")) as video:
        times = [float(picture.time) for picture in video.decode(video=0)]
    assert times == pytest.approx([0, 0.04, 0.08, 0.12], abs=0.001)


def test_one_that_is_under_way_at_the_end_of_the_source_is_complete(recording, page, tmp_path):
    page.wanted = True
    show(recording, 0, 1)
    recording.close()
    assert page.told[-1] == ("door", "saved/door-0.mp4", None) and (tmp_path / "saved" / "door-0.mp4").exists()


def test_a_file_of_somebody_else_stays_and_the_page_is_told_why_nothing_is_recorded(recording, page, tmp_path):
    (tmp_path / "saved").mkdir()
    foreign = tmp_path / "saved" / "door-0.mp4"
    foreign.write_text("mine")
    page.wanted = True
    show(recording, 0, 1)
    recording.close()
    assert foreign.read_text() == "mine" and not page.wanted
    [failure] = [failure for _, _, failure in page.told if failure]
    assert "door-0.mp4" in failure


def test_what_a_killed_render_has_left_is_completed_by_the_next_one(recording, page, tmp_path):
    page.wanted = True
    show(recording, 0, 1, 2)
    assert not (tmp_path / "saved" / "door-0.mp4").exists()
    complete_recordings(tmp_path)
    with av.open(str(tmp_path / "saved" / "door-0.mp4")) as video:
        assert len(list(video.decode(video=0))) >= 2  # Killed, it may lose the last frame.


def test_nothing_is_there_where_nobody_wants_it(recording, tmp_path):
    show(recording, 0, 1)
    recording.close()
    assert list(tmp_path.iterdir()) == []


def test_each_video_of_a_folder_has_a_recording_of_its_own_and_pictures_have_none(recording, page, tmp_path):
    """In one the second would be over in a moment: its times begin at zero, and those of a video never go back."""
    page.wanted = True
    frames = [
        frame(number, time=number % 5 / 25, file=file) for number, file in enumerate(["a.mp4"] * 5 + ["b.mp4"] * 5)
    ]
    for one in (*frames, frame(10, file="c.jpg", rate=None, time=0.0)):
        recording.take(one, DRAWN)
    assert [file for _, file, _ in page.told if file] == ["saved/a-0.mp4", "saved/b-5.mp4"]
    for path in (tmp_path / "saved").iterdir():
        with av.open(str(path)) as video:
            times = [float(picture.time) for picture in video.decode(video=0)]
        assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=0.001)
