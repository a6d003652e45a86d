"""The age of a face in years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ..decimals import are_numbers, of_json
from .base import Answer

LOW, HIGH = 0.1, 0.9  # the quantiles of an age's distribution that are its range
OLDEST_DECADE = 70
_NARROWEST = 5.0  # years: no range of an age makes it count more than one that is so narrow


@dataclass(frozen=True, slots=True)
class Age(Answer):
    """The age of one face, with the range that holds it in eight of ten cases by the model's own account."""

    task: ClassVar[str] = "age"
    key: ClassVar[str] = "years"
    names: ClassVar[tuple[str, ...]] = ("years", "low", "high")
    has_labels: ClassVar[bool] = True
    chart_decimals: ClassVar[int] = 1

    years: float
    low: float
    high: float
    group: str  # "30-39"

    @classmethod
    def of(cls, numbers: Mapping[str, float]) -> Self:
        return cls(*(numbers[name] for name in cls.names), age_group(numbers["years"]))

    @classmethod
    def row(cls, labels: Sequence[float], outputs: np.ndarray) -> np.ndarray:
        """Expected years and the quantiles LOW and HIGH, float64 (3,), from the probability of each bin.

        Within a bin, which reaches halfway to its neighbours, ages are taken as equally likely. The range is widened
        to hold the expectation, which lies outside it when a few per cent of the probability are far away.
        """
        centres = np.array(labels)
        halfway = (centres[1:] + centres[:-1]) / 2
        first, last = 2 * centres[0] - halfway[0], 2 * centres[-1] - halfway[-1]
        edges = np.concatenate([[max(first, 0.0)], halfway, [last]])
        cumulative = np.concatenate([[0.0], np.cumsum(outputs)])
        low, high = np.interp([LOW, HIGH], cumulative, edges)
        years = (outputs * centres).sum()
        return np.array([years, min(low, years), max(high, years)])

    def to_json(self) -> dict:
        return Answer.to_json(self) | {"group": self.group}  # No super(): with slots a dataclass is made anew.

    @classmethod
    def from_json(cls, written: dict) -> Self:
        numbers = [of_json(written[name]) for name in cls.names]
        if not (isinstance(written["group"], str) and are_numbers(numbers)):
            raise ValueError("a value is of another type")
        return cls(*numbers, written["group"])

    def columns(self) -> dict[str, str | float]:
        return Answer.columns(self) | {"_group": self.group}

    def text(self, stage: str) -> str:
        return f"{stage} {self._range}"

    def phrase(self, stage: str) -> str:
        about = f"about {self._range}"
        return about if stage == "age" else f"{stage}: {about}"

    def brief(self, stage: str) -> str:
        return _whole(self.years) if stage == "age" else f"{stage}: {_whole(self.years)}"

    def sentence(self, stage: str) -> tuple[str, str, str]:
        words = "years" if stage == "age" else f"years, by {stage}"
        return "", _whole(self.years), f" {words}, {_whole(self.low)} to {_whole(self.high)}"

    @property
    def _range(self) -> str:
        return f"{_whole(self.years)} ({_whole(self.low)}-{_whole(self.high)})"

    @property
    def weight(self) -> float:
        """The precision that the range claims."""
        return max(_NARROWEST, self.high - self.low) ** -2


def age_group(years: float) -> str:
    """The decade of life that an age lies in: "30-39" up to "70+"."""
    decade = int(max(years, 0.0)) // 10 * 10
    return f"{OLDEST_DECADE}+" if decade >= OLDEST_DECADE else f"{decade}-{decade + 9}"


def _whole(years: float) -> str:
    return f"{max(years, 0.0):.0f}"  # The range of a newborn reaches below 0.
