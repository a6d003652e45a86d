"""Two runs over the same source, face by face: which faces both have found, and what they say about them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..answers import Answer
from ..frames import Face
from ..people.rows import moment_of
from ..reading.lines import Line
from ..reading.over_time import Moment

OVERLAP = 0.5  # intersection over union from which two boxes are of one face, as in the measures of detectors
SHOWN = 8  # of the largest differences of a stage
KEPT = 4096  # kinds of differences that are kept apart

Boxes = list[tuple[float, float, float, float]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two answers about one face."""

    size: float  # to be compared with others of the same stage
    moment: Moment
    number: int | None  # of the face in the first run
    first: Answer
    second: Answer


@dataclass(slots=True)
class Stage:
    """What two runs say about the same faces at one stage."""

    faces: int = 0  # about which both say something
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)  # labels of the first and of the second
    apart: float = 0.0  # numbers: the sum of the absolute differences
    _largest: dict[tuple, Difference] = field(default_factory=dict)

    @property
    def same(self) -> int:
        """Faces with the same label."""
        return sum(count for (first, second), count in self.pairs.items() if first == second)

    @property
    def largest(self) -> list[Difference]:
        """The largest differences, of each person and pair of labels one."""
        return sorted(self._largest.values(), key=lambda one: -one.size)[:SHOWN]

    def add(self, line: Line, face: Face, first: Answer, second: Answer, begins_s: float) -> None:
        """Take what both say about a face of the first run; another kind of answer is nothing to compare."""
        if type(first) is not type(second):
            return
        labels = (first.top[0], second.top[0]) if first.top and second.top else ("", "")
        size = _size(first, second)
        if size != size:
            return
        self.faces += 1
        self.pairs[labels] += 1
        self.apart += 0.0 if first.top else size
        key = (line.file, face.id, *labels)
        known = self._largest.get(key)
        if size > 0.0 and (size > known.size if known else len(self._largest) < KEPT):
            self._largest[key] = Difference(size, moment_of(line, face, begins_s), face.id, first, second)


def _size(first: Answer, second: Answer) -> float:
    """Of labels: how sure both are of different ones; of numbers: how far the first ones are apart."""
    if first.top and second.top:
        return min(first.top[1], second.top[1]) if first.top[0] != second.top[0] else 0.0
    return abs(next(iter(first.numbers.values())) - next(iter(second.numbers.values())))


@dataclass(slots=True)
class Comparison:
    """The frames and faces of two runs. Pairs are of the first run and of the second."""

    frames: int = 0  # in both
    frames_of_one: list[int] = field(default_factory=lambda: [0, 0])
    faces: int = 0  # found by both
    faces_of_one: list[int] = field(default_factory=lambda: [0, 0])  # in frames of both
    stages: dict[str, Stage] = field(default_factory=dict)


def compare(first: Iterable[Line], second: Iterable[Line], files: dict[str | None, int]) -> Comparison:
    """Frames are the same by file and time; `files`: the files in the order in which both were read."""
    comparison = Comparison()
    begins: dict[str | None, float] = {}
    for one, other in _side_by_side(first, second, files):
        if one is not None:
            begins.setdefault(one.file, one.time)
        if one is None or other is None:
            comparison.frames_of_one[one is None] += 1
            continue
        comparison.frames += 1
        pairs = matched([face.box for face in one.faces], [face.box for face in other.faces])
        comparison.faces += len(pairs)
        comparison.faces_of_one[0] += len(one.faces) - len(pairs)
        comparison.faces_of_one[1] += len(other.faces) - len(pairs)
        for of_one, of_other in pairs:
            face, answers = one.faces[of_one], other.faces[of_other].shown
            for stage, answer in face.shown.items():
                if stage in answers:
                    about = comparison.stages.setdefault(stage, Stage())
                    about.add(one, face, answer, answers[stage], begins[one.file])
    return comparison


def _side_by_side(
    first: Iterable[Line], second: Iterable[Line], files: dict[str | None, int]
) -> Iterator[tuple[Line | None, Line | None]]:
    """The lines of both in their order: those of the same moment together, the others alone."""
    firsts, seconds = iter(first), iter(second)
    one, other = next(firsts, None), next(seconds, None)
    while one is not None or other is not None:
        place = (files.get(one.file, len(files)), one.time) if one is not None else (len(files) + 1, 0.0)
        place_of_other = (files.get(other.file, len(files)), other.time) if other is not None else (len(files) + 1, 0.0)
        both = place == place_of_other and one.file == other.file
        takes_one = both or not place > place_of_other
        takes_other = both or not takes_one
        yield one if takes_one else None, other if takes_other else None
        one = next(firsts, None) if takes_one else one
        other = next(seconds, None) if takes_other else other


def matched(first: Boxes, second: Boxes) -> list[tuple[int, int]]:
    """The indices of the boxes that are of one face, those that overlap most first; each box is used once."""
    if not first or not second:
        return []
    overlaps = _overlaps(np.array(first, np.float64), np.array(second, np.float64))
    pairs: dict[int, int] = {}
    for flat in np.argsort(-overlaps, axis=None, kind="stable"):
        one, other = divmod(int(flat), len(second))
        if overlaps[one, other] < OVERLAP:
            break
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    return sorted(pairs.items())


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union, float64 (N, M), of boxes (N, 4) and (M, 4): x, y, width, height."""
    with np.errstate(all="ignore"):  # Boxes that somebody has made up; they overlap nothing.
        begins = np.maximum(first[:, None, :2], second[None, :, :2])
        ends = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
        inside = np.prod(np.clip(ends - begins, 0, None), axis=2)
        areas = np.prod(first[:, 2:], axis=1)[:, None] + np.prod(second[:, 2:], axis=1)[None]
        return np.nan_to_num(inside / np.maximum(areas - inside, 1e-9), nan=0.0, posinf=0.0)
