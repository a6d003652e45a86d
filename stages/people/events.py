"""What happens in the frames of one source: people appear and leave, enter and exit zones, and cross lines.

A pure state machine over the lines of results.jsonl: the same lines give the same events, whenever and by whomever it
is asked. So render need not keep them anywhere: after a death it makes them again of the lines that are written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..answers import Answer
from ..areas import Areas
from ..decimals import as_json
from ..results.jsonl import Line
from .presence import BRIEF_S, FIRST_S, HOLD_S, Presence


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a person did."""

    event: str  # "appeared", "left", "entered", "exited", "crossed"
    line: Line  # the frame in which it is known
    id: int  # of the person, within the source
    answers: dict[str, Answer]  # what is displayed about them, by stage
    dwell: float | None = None  # seconds: left: in the picture, exited: in the zone
    last: float | None = None  # left: seconds of the source at which they were last in view
    zone: str | None = None
    crossed: str | None = None  # the line
    direction: str | None = None  # "in" or "out"

    def to_json(self) -> dict:
        """As a line of events.jsonl says it; what is not known is left out."""
        said = {
            "event": self.event,
            "source": self.line.source,
            "file": self.line.file,
            "frame": self.line.frame,
            "time": as_json(self.line.time),
            "clock": self.line.clock,
            "id": self.id,
            "zone": self.zone,
            "line": self.crossed,
            "direction": self.direction,
            "dwell": None if self.dwell is None else as_json(self.dwell),
            "last": None if self.last is None else as_json(self.last),
        }
        answers = {named(stage): answer.to_json() for stage, answer in self.answers.items()}
        return {key: value for key, value in said.items() if value is not None} | answers

    def to_line(self) -> bytes:
        """Its line in UTF-8, with its end."""
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "backslashreplace") + b"\n"


KEYS = {  # with the types of their values
    "event": str, "source": str, "file": str, "frame": int, "time": float, "clock": str, "id": int,
    "zone": str, "line": str, "direction": str, "dwell": float, "last": float,
}  # fmt: skip


def named(stage: str) -> str:
    """The key of a stage's answer: one of your own may be called like another key."""
    return f"{stage}_answer" if stage in KEYS else stage


@dataclass(slots=True)
class EventMachine:
    """Takes the lines of one source in their order and says what has happened.

    `coast_s`: so long the tracker waits for a face that is not found, `render.coast`. `areas`: zones and lines in
    shares of the picture. `person` makes what is kept of a person; `left` is called with each one who has left. Faces
    that were in view for less than `BRIEF_S` are mostly false detections: nothing is said of them.
    """

    coast_s: float
    areas: Areas = field(default_factory=Areas)
    person: Callable[[int, Line], Presence] = Presence
    left: Callable[[Presence], None] = lambda person: None
    appeared: int = 0  # how many people so far; somebody who comes back counts again
    _people: dict[int, Presence] = field(default_factory=dict)  # by ascending id
    _before: Line | None = None  # the last frame
    _held_s: float = FIRST_S  # how long it, or one before it, counted
    _size: tuple[int, int] = (0, 0)  # of the frames
    _pixels: Areas = field(default_factory=Areas)  # the areas in them

    def step(self, line: Line) -> list[Event]:
        """Take the next frame; return what has happened up to it, people in the order of their ids."""
        events = []
        if self._before is not None:
            if line.cut or line.file != self._before.file or line.time < self._before.time:
                events = self.end()  # As the tracker: what comes shows other faces.
            else:
                self._hold(line.time - self._before.time)
        for face in line.faces:
            if face.id is not None:
                person = self._people.get(face.id) or self._people.setdefault(face.id, self.person(face.id, line))
                person.see(line, face)
        pixels = self._in_pixels(line.width, line.height)
        for number in sorted(self._people):
            events += self._events_of(self._people[number], line, pixels)
        self._before = line
        return events

    def end(self) -> list[Event]:
        """No frame follows, or none that goes on from the last one: whoever is there leaves."""
        if self._before is None:
            return []
        self._hold(self._held_s)
        events = []
        for person in (self._people[number] for number in sorted(self._people)):
            events += [*self._appearance(person, self._before), *self._departure(person, self._before)]
        self._before, self._held_s = None, FIRST_S
        return events

    @property
    def known(self) -> list[Presence]:
        """Those who are there, or may come back, and have been told of."""
        return [person for person in self._people.values() if person.is_known]

    @property
    def lowest_id(self) -> int | None:
        """Of those who are there, or may come back."""
        return min(self._people, default=None)

    def to_json(self) -> dict:
        """All that it knows of the lines so far, for `take_up` of another one."""
        before = None if self._before is None else replace(self._before, faces=[]).to_json()
        people = [
            person.to_json() | {"is_in_view": person.seen is self._before} for _, person in sorted(self._people.items())
        ]
        return {"appeared": self.appeared, "before": before, "held_s": self._held_s, "people": people}

    def take_up(self, said: dict) -> None:
        """Go on from what another one knew; raises `KeyError`, `TypeError` and `ValueError` for nothing such."""
        self.appeared = int(said["appeared"])
        self._before = None if said["before"] is None else Line.of_json(said["before"])
        self._held_s = float(said["held_s"])
        for one in said["people"]:
            person = Presence.of_json(one)
            if one["is_in_view"]:
                person.seen = self._before
            self._people[person.id] = person

    def _in_pixels(self, width: int, height: int) -> Areas:
        if (width, height) != self._size:
            self._size, self._pixels = (width, height), self.areas.scaled(width, height)
        return self._pixels

    def _hold(self, gap_s: float) -> None:
        self._held_s = min(gap_s, HOLD_S)
        for person in self._people.values():
            if person.seen is self._before:
                person.hold(self._held_s)

    def _events_of(self, person: Presence, line: Line, pixels: Areas) -> Iterator[Event]:
        yield from self._appearance(person, line)
        if person.seen is line:
            for zone, dwell_s in person.changed_zones(pixels):
                if person.is_known:
                    yield _in_zone(person, line, zone, dwell_s)
            if person.is_known or person.seen is person.first:  # The first place counts as long as they are unknown.
                for crossed, direction in person.crossed_lines(pixels):
                    yield Event("crossed", line, person.id, person.answers, crossed=crossed, direction=direction)
        elif line.time - person.seen.time > self.coast_s:
            yield from self._departure(person, line)

    def _appearance(self, person: Presence, line: Line) -> Iterator[Event]:
        if not person.is_known and person.seconds >= BRIEF_S:
            person.is_known = True
            self.appeared += 1
            yield Event("appeared", line, person.id, person.answers)
            for zone, stay in person.zones.items():
                if stay.since_s is not None:
                    yield _in_zone(person, line, zone, None)

    def _departure(self, person: Presence, line: Line) -> Iterator[Event]:
        del self._people[person.id]
        stays = person.leave_zones()
        if person.is_known:
            for zone, dwell_s in stays:
                yield _in_zone(person, line, zone, dwell_s)
            self.left(person)
            yield Event("left", line, person.id, person.answers, dwell=person.dwell_s, last=person.until_s)


def events_of(lines: Iterable[Line], coast_s: float, areas: Areas | None = None) -> Iterator[Event]:
    """Every event of the lines of one source, those of its end included."""
    machine = EventMachine(coast_s, areas or Areas())
    for line in lines:
        yield from machine.step(line)
    yield from machine.end()


def _in_zone(person: Presence, line: Line, zone: str, dwell_s: float | None) -> Event:
    event = "entered" if dwell_s is None else "exited"
    return Event(event, line, person.id, person.answers, zone=zone, dwell=dwell_s)
