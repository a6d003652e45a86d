"""Which pictures of the people of a camera are kept, small and with nothing drawn into them. Pure.

The report shows each person at their best, and at the surest moment of each expression. What a camera has seen is gone,
and there are lines and labels in the annotated video, so these faces are kept when they are seen. Which ones they are
follows from the lines of results.jsonl alone, by the rules of the report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..frames import Face
from ..reading.over_time import picture_quality, worth_of
from ..results.jsonl import Line
from .presence import BRIEF_S, HOLD_S

MOST_PEOPLE = 100  # in one piece of the results; of more, those who are in view longest

Portrait = tuple[int, int]  # the id of a person, and the frame
_NAME = re.compile(r"([1-9]\d{0,17})-(0|[1-9]\d{0,17})\.jpg", re.ASCII)


@dataclass(slots=True)
class _Sitter:
    """One person so far."""

    seconds: float = 0.0  # in view
    best: dict[str, tuple[float, int]] = field(default_factory=dict)  # by label, "" for any: its worth and its frame

    def is_better(self, label: str, worth: float, frame: int) -> bool:
        """Take a frame; return whether it is the best of this label so far."""
        if not worth > self.best.get(label, (-1.0, 0))[0]:
            return False
        self.best[label] = worth, frame
        return True


class PortraitChoice:
    """Takes the lines of one source, or of one piece of them, and says which faces are to be kept."""

    def __init__(self, most_people: int = MOST_PEOPLE):
        self._most, self._sitters = most_people, {}
        self._before: Line | None = None

    def step(self, line: Line) -> list[int]:
        """Take the next frame; return the places in `line.faces` of those whose portrait is better than before."""
        self._hold(line)
        better = []
        for place, face in enumerate(line.faces):
            if face.id is None:
                continue
            sitter = self._sitters.setdefault(face.id, _Sitter())
            is_better = sitter.is_better("", picture_quality(face, (line.width, line.height)), line.frame)
            for label, worth in _said(face):
                is_better |= sitter.is_better(label, worth, line.frame)
            if is_better:
                better.append(place)
        self._before = line
        self._leave_out({face.id for face in line.faces})
        return better

    def end(self) -> None:
        """No frame follows, and nobody is in view any more."""
        self._leave_out(set())

    def has(self, portrait: Portrait) -> bool:
        """Whether it is still one of the best."""
        number, frame = portrait
        return number in self._sitters and any(at == frame for _, at in self._sitters[number].best.values())

    def is_told_of(self, number: int) -> bool:
        """Whether a person was in view for long enough that anything is said about them."""
        return number in self._sitters and self._sitters[number].seconds >= BRIEF_S

    def _hold(self, line: Line) -> None:
        before, self._before = self._before, None
        if before is None or line.file != before.file or line.time < before.time:
            return
        for face in before.faces:
            if face.id in self._sitters:
                self._sitters[face.id].seconds += min(line.time - before.time, HOLD_S)

    def _leave_out(self, in_view: set[int | None]) -> None:
        """Of too many people, those who were in view for the shortest time and are not now."""
        while len(self._sitters) > self._most:
            gone = [number for number in self._sitters if number not in in_view]
            if not gone:
                return
            del self._sitters[min(gone, key=lambda number: (self._sitters[number].seconds, number))]


def _said(face: Face) -> Iterator[tuple[str, float]]:
    """The label of which this may be the best moment, and what it is worth; of two classes none is shown."""
    for stage, answer in face.shown.items():
        if len(answer.shares) > 2:
            if (worth := worth_of(answer, face.answers.get(stage), face.quality)) is not None:
                yield answer.top[0], worth[1]
            return


def portrait_name(portrait: Portrait) -> str:
    """The file of a portrait: the person and the frame."""
    number, frame = portrait
    return f"{number}-{frame}.jpg"


def portrait_in(name: str) -> Portrait | None:
    """The inverse of `portrait_name`; None for another file."""
    found = _NAME.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None
