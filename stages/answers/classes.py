"""The answer of a classifier, such as gender or emotion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ..decimals import are_numbers, as_json, of_json, rounded
from .base import NARROW, Answer, named, percent

_LEAST_PROBABILITY = 1e-4  # below it a file with four decimals knows no more


@dataclass(frozen=True, slots=True)
class Classes(Answer):
    """The most probable label, and a probability for each."""

    task: ClassVar[str] = "classes"
    key: ClassVar[str] = "label"
    has_labels: ClassVar[bool] = True
    chart_decimals: ClassVar[int] = 3

    label: str
    confidence: float  # probability of `label`
    scores: dict[str, float]  # a probability for every label, in the order of the card

    @classmethod
    def of(cls, numbers: Mapping[str, float]) -> Self:
        label = max(numbers, key=numbers.get)  # Of equal ones the first.
        return cls(label, numbers[label], dict(numbers))

    @property
    def numbers(self) -> dict[str, float]:
        return self.scores

    @property
    def shares(self) -> dict[str, float]:
        return self.scores

    @property
    def top(self) -> tuple[str, float]:
        return self.label, self.confidence

    def rounded(self) -> Self:
        scores = {label: rounded(score) for label, score in self.scores.items()}
        return Classes(self.label, rounded(self.confidence), scores)

    def to_json(self) -> dict:
        scores = {label: as_json(score) for label, score in self.scores.items()}
        return {"label": self.label, "confidence": as_json(self.confidence), "scores": scores}

    @classmethod
    def from_json(cls, written: dict) -> Self:
        scores = {label: of_json(score) for label, score in written["scores"].items()}
        read = cls(written["label"], of_json(written["confidence"]), scores)
        if not (isinstance(read.label, str) and are_numbers((read.confidence, *scores.values()))):
            raise ValueError("a value is of another type")
        return read

    def columns(self) -> dict[str, str | float]:
        return {"": self.label, "_confidence": self.confidence, **{f"_{of}": p for of, p in self.scores.items()}}

    def text(self, stage: str) -> str:
        return named(stage, f"{self.label} {percent(self.confidence)}")

    def brief(self, stage: str) -> str:
        return named(stage, self.label)

    def sentence(self, stage: str) -> tuple[str, str, str]:
        return named(stage, ""), self.label, f" {percent(self.confidence, NARROW)}"

    def to_average(self, momentary: bool) -> list[float]:
        """Probabilities of what comes and goes, else their logarithms: an average of log-odds."""
        if momentary:
            return list(self.scores.values())
        # A probability that is no number is kept as such: the answer is left out then.
        return [math.log(max(_LEAST_PROBABILITY, p)) if p == p else p for p in self.scores.values()]

    def from_average(self, numbers: Sequence[float], momentary: bool) -> Self:
        weights = numbers if momentary else [math.exp(number) for number in numbers]
        total = sum(weights)
        shares = (weight / total if total else 0.0 for weight in weights)
        return self.of(dict(zip(self.scores, shares, strict=True)))
