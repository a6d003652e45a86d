"""Lines of results as the tests of people need them: a picture of 100 x 100 pixels, ten frames a second."""

from __future__ import annotations

from stages.frames import Face
from stages.people.events import Event
from stages.results.jsonl import Line
from tests.results.frames import ANSWERS

SIDE = 10.0  # of a face, pixels


def at(number: int, x: float, y: float = 50.0) -> Face:
    """A face whose centre is there."""
    return Face((x - SIDE / 2, y - SIDE / 2, SIDE, SIDE), 0.9, ANSWERS, number, ANSWERS)


def seen(frame: int, *faces: Face, **more) -> Line:
    return Line("clip.mp4", frame, None, more.pop("time", frame / 10), 100, 100, list(faces), [], None, **more)


def walk(number: int, *places: float, first: int = 0) -> list[Line]:
    """One person, who is at these places from left to right in one frame after the other."""
    return [seen(first + step, at(number, x)) for step, x in enumerate(places)]


def told(events: list[Event]) -> list[str]:
    """Event by event: the time, what happened, and to whom or where."""
    return [
        " ".join(filter(None, [f"{e.line.time:g}", e.event, f"#{e.id}", e.zone or e.crossed, e.direction]))
        for e in events
    ]
