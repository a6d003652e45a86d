"""Tables of people: a row a person, a row a person and second, and visitors by the hour. Pure.

Each function takes the lines of one source, as `stages.results.jsonl.lines_of` reads them, and gives rows: dictionaries
in the order of the columns, in which None is not known. Times are seconds of the source, shares are from 0 to 1.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .. import time_of_day
from ..answers import Answer, answer_from
from ..areas import Areas
from ..frames import Face
from ..reading.over_time import Moment, StageAnswers, picture_quality
from ..reading.tables import Columns, Row, cells_of
from ..results.jsonl import Line
from .events import KEYS, EventMachine
from .presence import Presence

FACING_DEG = 20.0  # of yaw and of pitch: what is taken for looking into the camera


def people(
    lines: Iterable[Line],
    coast_s: float = 1.0,
    areas: Areas | None = None,
    picture_of: Callable[[Line], str | None] = lambda line: None,
) -> Iterator[Row]:
    """A row for each person that an event tells of, by ascending id.

    `coast_s`, `areas`: as in `EventMachine`. `picture_of` says where a frame can be looked at.
    """
    areas = areas or Areas()
    for person in _gone(lines, coast_s, areas, Person):
        yield person.row(areas, picture_of)


def seconds(lines: Iterable[Line], coast_s: float = 1.0, areas: Areas | None = None) -> Iterator[Row]:
    """A row for each second of the source in which such a person was in view, as the seconds pass.

    Somebody may be there all day: what is known of a second is held only until it is over.
    """
    areas, gone = areas or Areas(), []
    machine = EventMachine(coast_s, areas, _PersonBySecond, gone.append)
    for line in lines:
        machine.step(line)
        for person in gone:
            yield from person.rows(areas)
        gone.clear()
        for person in machine.known:
            yield from person.rows(areas, before=math.floor(line.time))
    machine.end()
    for person in gone:
        yield from person.rows(areas)


def days(rows: Iterable[Row], begins: datetime | None = None) -> Iterator[Row]:
    """How many people came in each hour, by gender and age group; `rows` are those of `people`.

    `begins`: the time of day of the first frame, for a source that has no clock; people whose time of day is not known
    are left out. Somebody who leaves and comes back is counted again.
    """
    visitors: Counter[tuple] = Counter()
    for row in rows:
        if (moment := _moment_of(row, begins)) is not None:
            visitors[row["source"], moment, row.get("gender") or "", row.get("age_group") or ""] += 1
    for (source, (day, hour), gender, group), count in sorted(visitors.items()):
        yield {
            "source": source,
            "day": day,
            "hour": hour,
            "gender": gender or None,
            "age_group": group or None,
            "visitors": count,
        }


def event_row(event: dict) -> Row:
    """The row of an event, as `Event.to_json` gives it: its keys, and the cells of its answers."""
    row = {key: event.get(key) for key in KEYS}
    for key in [key for key in event if key not in KEYS]:
        row |= cells_of(key, answer_from(event[key]))
    return row


def columns_of(rows: Iterable[Row]) -> Columns:
    """The columns of these rows, with the types of their cells; one that a row adds stands behind its neighbour.

    A table without rows has those that say who and when.
    """
    order: list[str] = []
    types: dict[str, type] = {}
    for row in rows:
        for before, name in zip([None, *row], row, strict=False):
            if name not in types:
                order.insert(order.index(before) + 1 if before else 0, name)
                types[name] = type(None)
            if types[name] is type(None):
                types[name] = type(row[name])
    if not order:
        return {"source": str, "file": str, "id": int}
    return {name: str if types[name] is type(None) else types[name] for name in order}


def _moment_of(row: Row, begins: datetime | None) -> tuple[str, int] | None:
    """The day and hour in which a person came."""
    if row["first_clock"] is not None:
        came = time_of_day.read(row["first_clock"])
    elif begins is not None:
        came = begins + timedelta(seconds=row["first"])
    else:
        return None
    return came.date().isoformat(), came.hour


def _gone(lines: Iterable[Line], coast_s: float, areas: Areas, kind: type[Presence]) -> Iterator[Presence]:
    """Everybody that events tell of, by ascending id: each is given when nobody with a lower one is there any more."""
    gone: dict[int, Presence] = {}
    machine = EventMachine(coast_s, areas, kind, lambda person: gone.update({person.id: person}))
    for line in lines:
        machine.step(line)
        lowest = machine.lowest_id
        for number in sorted(gone):
            if lowest is None or number < lowest:
                yield gone.pop(number)
    machine.end()
    yield from (gone[number] for number in sorted(gone))


@dataclass
class Said:
    """What was displayed about a person in some of the time in which they were in view."""

    seconds: float = 0.0
    posed_s: float = 0.0  # for which it is known where they look
    facing_s: float = 0.0  # and it is into the camera
    stages: dict[str, StageAnswers] = field(default_factory=dict)

    def add(self, line: Line, face: Face, seconds: float, begins_s: float = 0.0) -> None:
        """A frame in which they are counts for so many seconds; `begins_s`: the time of the first one of its video."""
        self.seconds += seconds
        if face.pose is not None:
            self.posed_s += seconds
            if max(abs(face.pose.yaw), abs(face.pose.pitch)) <= FACING_DEG:
                self.facing_s += seconds
        moment = moment_of(line, face, begins_s)
        shown = face.shown
        for stage, answer in shown.items():
            said = self.stages.get(stage)
            if said is None or said.kind is not type(answer):
                said = self.stages[stage] = StageAnswers(type(answer))
            said.add(answer, face.answers.get(stage), seconds, moment, face.quality)
        if shown.keys() == self.stages.keys():  # A frame that not all are asked about does not tell their order.
            self.stages = {stage: self.stages[stage] for stage in shown}

    @property
    def facing(self) -> float | None:
        return round(self.facing_s / self.posed_s, 4) if self.posed_s else None


@dataclass
class Person(Presence):
    """A person with what is said about them."""

    begins_s: float = 0.0  # the time of the first frame of the video
    said: Said = field(default_factory=Said)
    best: tuple[float, Line, Face] | None = None  # how good a picture of them it is, and which

    def see(self, line: Line, face: Face) -> None:
        Presence.see(self, line, face)
        quality = picture_quality(face, (line.width, line.height))
        if self.best is None or quality > self.best[0]:
            self.best = quality, line, face

    def hold(self, seconds: float) -> None:
        Presence.hold(self, seconds)
        self.said.add(self.seen, self.face, seconds, self.begins_s)

    @property
    def best_moment(self) -> Moment:
        """Where their face can be seen best."""
        _, line, face = self.best
        return moment_of(line, face, self.begins_s)

    def row(self, areas: Areas, picture_of: Callable[[Line], str | None]) -> Row:
        """Their row of `people`."""
        row = {
            "source": self.first.source,
            "file": self.first.file,
            "id": self.id,
            "first": _number(self.first.time),
            "last": _number(self.until_s),
            "first_clock": self.first.clock,
            "last_clock": self.seen.clock,
            "seconds": _number(self.seconds),
            "gaps": _number(max(0.0, self.dwell_s - self.seconds)),
        }
        for zone in areas.zones:
            row[f"zone_{zone}"] = _number(self.zones[zone].seconds if zone in self.zones else 0.0)
        for line in areas.lines:
            row |= {f"line_{line}_{way}": self.crossings[line, way] for way in ("in", "out")}
        row["facing"] = self.said.facing
        for stage, said in self.said.stages.items():
            row |= _over_time(_column(stage, row), said)
        _, best, _ = self.best
        return row | {
            "best_frame": best.frame,
            "best_time": _number(best.time),
            "best_picture": picture_of(best),
        }


@dataclass
class _PersonBySecond(Presence):
    """A person with what is said about them in each second."""

    said: dict[int, Said] = field(default_factory=lambda: defaultdict(Said))
    clocks: dict[int, str | None] = field(default_factory=dict)
    inside_s: Counter[tuple[int, str]] = field(default_factory=Counter)  # by second and zone

    def hold(self, seconds: float) -> None:
        Presence.hold(self, seconds)
        begins, ends = self.seen.time, self.seen.time + seconds
        inside = [name for name, stay in self.zones.items() if stay.since_s is not None]
        for second in range(math.floor(begins), math.ceil(ends)):
            part_s = min(ends, second + 1) - max(begins, second)
            self.said[second].add(self.seen, self.face, part_s)
            self.clocks.setdefault(second, self.seen.clock)
            self.inside_s.update({(second, zone): part_s for zone in inside})

    def rows(self, areas: Areas, before: float = math.inf) -> Iterator[Row]:
        """Their rows of `seconds`, of those before this one that were not given yet."""
        for second in [second for second in self.said if second < before]:
            said = self.said.pop(second)
            row = {
                "source": self.first.source,
                "file": self.first.file,
                "id": self.id,
                "second": second,
                "clock": self.clocks.pop(second),
                "seconds": _number(said.seconds),
            }
            row |= {f"zone_{zone}": _number(self.inside_s.pop((second, zone), 0.0)) for zone in areas.zones}
            row["facing"] = said.facing
            for stage, answers in said.stages.items():
                if answers.seconds:
                    row |= _cells(_column(stage, row), answers.mean)
            yield row


def _over_time(column: str, said: StageAnswers) -> Row:
    """What a stage said of a person over all the time: of several classes the share of the time that each had."""
    if not said.seconds:
        return {}
    mean = said.mean
    if len(mean.shares) <= 2:
        return _cells(column, mean)
    shares = dict(said.shares)
    longest = next(iter(shares))
    return {column: longest} | {f"{column}_{label}": round(shares.get(label, 0.0), 4) for label in mean.shares}


def _cells(column: str, answer: Answer) -> Row:
    cells = answer.rounded().columns()
    return {column + after: cell if isinstance(cell, str) else _number(cell) for after, cell in cells.items()}


def _column(stage: str, row: Row) -> str:
    """What the columns of a stage are called: one of your own may have the name of another column."""
    return f"{stage}_answer" if stage in row else stage


def _number(value: float) -> float | None:
    return round(float(value), 4) if value == value else None


def moment_of(line: Line, face: Face, begins_s: float = 0.0) -> Moment:
    """A face in a frame of a video whose first frame is at `begins_s`."""
    since_s = max(0.0, line.time - begins_s)
    return Moment(line.frame, line.file, line.time, since_s, (line.width, line.height), face.box, face.id)
