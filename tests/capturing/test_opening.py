"""A live source that is not there yet is waited for; a mistake is said at once."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from stages.capturing import opening
from stages.capturing.opening import opened
from stages.config.schema import Pipeline
from stages.config.settings import SourceSettings
from stages.sources.base import SourceAway, SourceError

AWAY = SourceAway("There is no camera 3; no camera was found.", "no camera 3 yet")


class Person:
    """Stands for the launcher; asks for the end once it has been told so many heartbeats."""

    def __init__(self, stops_after: int | None = None):
        self.said, self.beats, self._stops_after = [], 0, stops_after

    @property
    def stop_requested(self) -> bool:
        return self._stops_after is not None and self.beats >= self._stops_after

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def heartbeat(self) -> None:
        self.beats += 1


@pytest.fixture
def clock(monkeypatch):
    """Time passes only where somebody sleeps."""
    now = SimpleNamespace(s=100.0)

    def sleep(seconds: float) -> None:
        now.s += seconds

    monkeypatch.setattr(opening, "time", SimpleNamespace(monotonic=lambda: now.s, sleep=sleep))
    return now


def source_after(monkeypatch, *errors: Exception) -> list:
    """The source fails like this, try by try, and then opens; gives what it was opened as."""
    specs, coming = [], iter(errors)

    def open_source(spec, *_):
        specs.append(spec)
        if error := next(coming, None):
            raise error
        return "a source"

    monkeypatch.setattr(opening, "open_source", open_source)
    return specs


def settings(spec, reconnect=60.0, was=None) -> SimpleNamespace:
    pipeline = replace(Pipeline(), reconnect=reconnect)
    return SimpleNamespace(
        source=SourceSettings(spec, None, False), inputs={}, machines=None, opened_as=was, pipeline=pipeline
    )


def test_it_is_waited_for_with_one_line_and_with_signs_of_life(monkeypatch, clock):
    specs = source_after(monkeypatch, AWAY, AWAY, AWAY)
    person = Person()
    assert opened(settings(3), person) == "a source"
    assert person.said == [
        "no camera 3 yet; waiting 60 s for it; Ctrl-C ends the run, --set reconnect=0 does without the wait"
    ]
    assert specs == [3] * 4
    assert 3 < clock.s - 100 < 4  # 0.5, 1 and 2 s: looked for soon, and later less often.
    assert person.beats > 30


def test_one_that_stays_away_is_said_when_the_time_is_over(monkeypatch, clock):
    source_after(monkeypatch, *[AWAY] * 50)
    with pytest.raises(SourceAway, match="There is no camera 3"):
        opened(settings(3), Person())
    assert 60 <= clock.s - 100 < 61


def test_a_service_waits_for_ever(monkeypatch, clock):
    source_after(monkeypatch, *[AWAY] * 2000)
    person = Person()
    assert opened(settings(3, reconnect="forever"), person) == "a source"
    assert person.said == ["no camera 3 yet; waiting as long as it takes for it"]
    assert clock.s - 100 > 9000


def test_with_no_time_for_it_it_is_said_at_once(monkeypatch, clock):
    source_after(monkeypatch, AWAY)
    person = Person()
    with pytest.raises(SourceAway):
        opened(settings(3, reconnect=0.0), person)
    assert (person.said, clock.s) == ([], 100)


def test_a_mistake_is_said_at_once(monkeypatch, clock):
    source_after(monkeypatch, SourceError("There is no file or folder x.mp4."))
    with pytest.raises(SourceError):
        opened(settings("x.mp4"), Person())
    assert clock.s == 100


def test_a_stop_ends_the_wait(monkeypatch, clock):
    source_after(monkeypatch, *[AWAY] * 50)
    assert opened(settings(3), Person(stops_after=3)) is None
    assert clock.s - 100 < 1


def test_a_device_that_is_not_there_yet_is_waited_for(monkeypatch, clock):
    source_after(monkeypatch, SourceError("There is no file or folder /dev/v4l/by-id/none."))
    person = Person()
    assert opened(settings("/dev/v4l/by-id/none"), person) == "a source"
    assert [words.split("; Ctrl-C")[0] for words in person.said] == ["no /dev/v4l/by-id/none yet; waiting 60 s for it"]


def test_in_a_later_life_of_capture_whatever_keeps_a_live_source_away_is_waited_for(monkeypatch, clock):
    specs = source_after(monkeypatch, SourceError("It is not a video that can be read."))
    assert opened(settings("auto", was="camera2"), Person()) == "a source"
    assert specs == [2, 2]
