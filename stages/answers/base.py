"""What every kind of answer can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from ..decimals import are_numbers, as_json, of_json, rounded

NARROW = "\u202f"  # the space before a unit, at which no line is broken
_SPEAK_FOR_THEMSELVES = {"gender", "emotion"}  # "happy 91 %" needs no "emotion:" before it


class Answer(ABC):
    """The answer of one stage about one face: a frozen dataclass. Numbers that are all of it are its `names`."""

    __slots__ = ()

    task: ClassVar[str]  # of the model cards whose nets give this kind
    key: ClassVar[str]  # of its JSON object, in that of no other kind
    names: ClassVar[tuple[str, ...]] = ()  # of its numbers, which are fields; () where they are the labels of the card
    has_labels: ClassVar[bool] = False  # whether the outputs of the net are probabilities, or logits, of labels
    chart_decimals: ClassVar[int] = 4

    @classmethod
    def of(cls, numbers: Mapping[str, float]) -> Self:
        """The answer with these `numbers`: a row of `Model.answers`, or means over time."""
        return cls(*(numbers[name] for name in cls.names))

    @property
    def numbers(self) -> dict[str, float]:
        """All that is said, as numbers by name, in the order of the card."""
        return {name: getattr(self, name) for name in self.names}

    @classmethod
    def row(cls, labels: Sequence, outputs: np.ndarray) -> np.ndarray:
        """The numbers of an answer, float64 (K,), from the outputs of a net, float64 (L,).

        With `has_labels` the outputs are probabilities of these labels.
        """
        return outputs

    def rounded(self) -> Self:
        """The answer as it is written."""
        return replace(self, **{name: rounded(number) for name, number in self.numbers.items()})

    def to_json(self) -> dict:
        """The object in results.jsonl."""
        return {name: as_json(number) for name, number in self.numbers.items()}

    @classmethod
    def from_json(cls, written: dict) -> Self:
        """From such an object; raises `KeyError`, `TypeError`, `ValueError` or `AttributeError` for any other."""
        numbers = {name: of_json(written[name]) for name in cls.names}
        if not are_numbers(numbers.values()):
            raise ValueError("a value is of another type")
        return cls.of(numbers)

    def columns(self) -> dict[str, str | float]:
        """Its cells in a table, by what is put after the name of the stage to name the column."""
        first, *others = self.numbers.items()
        return {"": first[1]} | {f"_{name}": number for name, number in others}

    @abstractmethod
    def text(self, stage: str) -> str:
        """A line of the overlay, such as "happy 91 %"."""

    def phrase(self, stage: str) -> str:
        """A part of a sentence in the terminal, such as "happy 91 %"."""
        return self.text(stage)

    def brief(self, stage: str) -> str:
        """A part of a subtitle, such as "happy"."""
        return self.text(stage)

    @abstractmethod
    def sentence(self, stage: str) -> tuple[str, str, str]:
        """A line of the report: what is before the emphasised words, these, and what is after them."""

    @property
    def shares(self) -> dict[str, float]:
        """The probability of each class, in the order of the card; nothing where there are no classes."""
        return {}

    @property
    def top(self) -> tuple[str, float] | None:
        """The most probable class and its probability; None where there are no classes."""
        return None

    @property
    def weight(self) -> float:
        """What it counts beside other answers of its stage when they are averaged."""
        return 1.0

    def to_average(self, momentary: bool) -> list[float]:
        """The numbers that are averaged over time; `momentary`: what is said comes and goes, as an emotion does."""
        return list(self.numbers.values())

    def from_average(self, numbers: Sequence[float], momentary: bool) -> Self:
        """An answer like this one whose `to_average` would be `numbers`."""
        return self.of(dict(zip(self.numbers, numbers, strict=True)))


def named(stage: str, text: str) -> str:
    """The text with the name of its stage before it, where it does not speak for itself."""
    return text if stage in _SPEAK_FOR_THEMSELVES else f"{stage}: {text}"


def percent(share: float, space: str = " ") -> str:
    """Such as "91 %"."""
    return f"{100 * share:.0f}{space}%"
