"""One person from the first frame to the last in which they were followed: how long, in which zones, over which lines.

Pure: positions and times are those that stand in results.jsonl.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from ..answers import Answer, answer_from
from ..areas import Areas, Point, beyond, contains, distance_to_border, meet
from ..frames import Face
from ..results.jsonl import Line

HOLD_S = 1.0  # an answer stands until the next frame, but for no longer
FIRST_S = 0.04  # how long the only frame of a video counts
BRIEF_S = 0.3  # a face seen for less is mostly a false detection: it is only counted

# In sides of the face: so far beyond a border its centre has to be for the other side to count. Boxes tremble by some
# hundredths of their side, and somebody who stands on a line would cross it with every frame.
MARGIN = 0.1


@dataclass(slots=True)
class ZoneStay:
    """One person and one zone."""

    since_s: float | None = None  # when they came in; None: they are outside
    seconds: float = 0.0  # in view inside
    visits: int = 0


@dataclass(slots=True)
class Presence:
    """What is known of a person so far. The point that counts is the centre of the face's box."""

    id: int
    first: Line  # the frame in which they were seen first
    seen: Line = field(init=False)  # and last
    face: Face = field(init=False)  # as it was seen last
    seconds: float = 0.0  # in view: each frame counts until the next one
    until_s: float = field(init=False)  # when the last of these seconds ended
    is_known: bool = False  # long enough in view to be told of
    answers: dict[str, Answer] = field(default_factory=dict)  # the newest that are displayed, by stage
    zones: dict[str, ZoneStay] = field(default_factory=dict)
    crossings: Counter[tuple[str, str]] = field(default_factory=Counter)  # by line and direction
    _settled: dict[str, tuple[Point, bool]] = field(default_factory=dict)  # line -> where, and whether to its right

    def __post_init__(self) -> None:
        self.seen, self.until_s = self.first, self.first.time

    def see(self, line: Line, face: Face) -> None:
        """They are in this frame."""
        self.seen, self.face, self.until_s = line, face, line.time
        shown = face.shown
        # A frame that not all stages are asked about does not tell their order.
        self.answers = shown if shown.keys() >= self.answers.keys() else self.answers | shown

    def hold(self, seconds: float) -> None:
        """The frame in which they were seen last counts for so long."""
        self.seconds += seconds
        self.until_s = self.seen.time + seconds
        for stay in self.zones.values():
            if stay.since_s is not None:
                stay.seconds += seconds

    @property
    def dwell_s(self) -> float:
        """From the first moment in view to the last, gaps included."""
        return self.until_s - self.first.time

    def changed_zones(self, areas: Areas) -> list[tuple[str, float | None]]:
        """The zones that they have entered, with None, or exited, with the seconds since they came in.

        `areas` in pixels of the frame in which they were seen last.
        """
        changes = []
        point, margin = _centre(self.face), MARGIN * _side(self.face)
        for name, zone in areas.zones.items():
            is_new = name not in self.zones
            stay = self.zones.setdefault(name, ZoneStay())
            is_inside = contains(zone, point)
            if is_inside == (stay.since_s is not None):
                continue
            if not is_new and distance_to_border(zone, point) < margin:
                continue
            if is_inside:
                stay.since_s, stay.visits = self.seen.time, stay.visits + 1
                changes.append((name, None))
            else:
                changes.append((name, self.seen.time - stay.since_s))
                stay.since_s = None
        return changes

    def leave_zones(self) -> list[tuple[str, float]]:
        """They are gone: the zones that they were in, with the seconds until they were seen last."""
        left = [(name, self.until_s - stay.since_s) for name, stay in self.zones.items() if stay.since_s is not None]
        for stay in self.zones.values():
            stay.since_s = None
        return left

    def crossed_lines(self, areas: Areas) -> list[tuple[str, str]]:
        """The lines that they have crossed since this was asked last, with the direction, "in" or "out"."""
        crossed = []
        point, margin = _centre(self.face), MARGIN * _side(self.face)
        for name, ends in areas.lines.items():
            right = beyond(ends, point)
            before, was_right = self._settled.setdefault(name, (point, right > 0))
            if (right > 0) == was_right:
                self._settled[name] = point, was_right
            elif abs(right) >= margin:
                self._settled[name] = point, not was_right
                if meet((before, point), ends):
                    direction = "out" if was_right else "in"
                    self.crossings[name, direction] += 1
                    crossed.append((name, direction))
        return crossed

    def to_json(self) -> dict:
        """All that is known of them, for `of_json`."""
        zones = {name: [stay.since_s, stay.seconds, stay.visits] for name, stay in self.zones.items()}
        return {
            "id": self.id,
            "first": replace(self.first, faces=[]).to_json(),
            "seen": replace(self.seen, faces=[self.face]).to_json(),
            "seconds": self.seconds,
            "until": self.until_s,
            "known": self.is_known,
            "answers": {stage: answer.to_json() for stage, answer in self.answers.items()},
            "zones": zones,
            "crossings": [[*crossed, count] for crossed, count in self.crossings.items()],
            "settled": {name: [*point, is_right] for name, (point, is_right) in self._settled.items()},
        }

    @classmethod
    def of_json(cls, said: dict) -> Presence:
        """The inverse of `to_json`; raises `KeyError`, `TypeError` and `ValueError` for what is nothing such."""
        person = cls(int(said["id"]), Line.of_json(said["first"]))
        person.seen = Line.of_json(said["seen"])
        [person.face] = person.seen.faces
        person.seconds, person.until_s, person.is_known = said["seconds"], said["until"], said["known"]
        person.answers = {stage: answer_from(answer) for stage, answer in said["answers"].items()}
        person.zones = {name: ZoneStay(*stay) for name, stay in said["zones"].items()}
        person.crossings = Counter({(line, direction): count for line, direction, count in said["crossings"]})
        person._settled = {name: ((x, y), is_right) for name, (x, y, is_right) in said["settled"].items()}
        return person


def _centre(face: Face) -> Point:
    x, y, width, height = face.box
    return x + width / 2, y + height / 2


def _side(face: Face) -> float:
    return (face.box[2] + face.box[3]) / 2
