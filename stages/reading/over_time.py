"""What stages said about one face over time, and where it can be seen best. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..answers import Answer
from ..frames import Face


@dataclass(frozen=True, slots=True)
class Moment:
    """A face in a frame, to be cut out of it."""

    frame: int
    file: str | None
    time: float  # as the line has it
    time_s: float  # since the first frame of its file that was read
    size: tuple[int, int]  # of the frame: width, height
    box: tuple[float, float, float, float]
    id: int | None = None  # of the face, where it is followed


@dataclass(slots=True)
class StageAnswers:
    """What a stage said about one face, over the time that it was seen."""

    kind: type[Answer]
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)  # of scores or numbers, each times the seconds it stood for
    labels: dict[str, float] = field(default_factory=dict)  # classes: for how many seconds each was the strongest
    best: dict[str, tuple[float, Moment]] = field(default_factory=dict)  # classes: where each was surest and well seen
    worth: dict[str, float] = field(default_factory=dict)  # of these moments: confidence times the quality of the face

    def add(self, answer: Answer, raw: Answer | None, seconds: float, moment: Moment, quality: float | None) -> None:
        """`answer` is what is shown, `raw` what was said about this very frame; `quality`: of its face, if known."""
        numbers = answer.numbers
        if not math.isfinite(sum(numbers.values())):
            return  # A net that gave no number said nothing.
        self.seconds += seconds
        sums = self.sums
        for name, value in numbers.items():
            sums[name] = sums.get(name, 0.0) + seconds * value
        if answer.top is not None:
            label = answer.top[0]
            self.labels[label] = self.labels.get(label, 0.0) + seconds
            confidence, worth = worth_of(answer, raw, quality) or (0.0, -1.0)
            if worth > self.worth.get(label, -1.0):
                self.best[label], self.worth[label] = (confidence, moment), worth

    @property
    def mean(self) -> Answer:
        """What it comes to, over all the time; only where `seconds` is above 0."""
        return self.kind.of({name: value / self.seconds for name, value in self.sums.items()})

    @property
    def shares(self) -> list[tuple[str, float]]:
        """For which part of the time each label was the strongest, the longest first."""
        shares = [(label, seconds / self.seconds) for label, seconds in self.labels.items()]
        return sorted(shares, key=lambda item: -item[1])


def worth_of(answer: Answer, raw: Answer | None, quality: float | None) -> tuple[float, float] | None:
    """How sure a stage was of the label that is shown, and that times the quality of the face's picture.

    `answer`, `raw`, `quality`: as in `StageAnswers.add`. None where this very frame says something else.
    """
    said, confidence = raw.top if raw is not None and raw.top else (None, 0.0)
    if answer.top is None or said != answer.top[0]:
        return None
    return confidence, confidence * (1.0 if quality is None else quality)


def picture_quality(face: Face, size: tuple[int, int]) -> float:
    """How good a picture of a face this is: large, whole, sharp, and such that detector and nets are sure of it.

    `size`: width and height of the frame. Any number above or equal to 0, to be compared with others.
    """
    x, y, width, height = face.box
    inside = x >= 0 and y >= 0 and x + width <= size[0] and y + height <= size[1]
    sure = [answer.top[1] for answer in face.answers.values() if answer.top]
    sharp = 1.0 if face.quality is None else 0.1 + face.quality
    quality = min(width, height) * (0.2 + face.score) * (sum(sure) + 1) * (1.0 if inside else 0.5) * sharp
    return quality if quality == quality else 0.0
