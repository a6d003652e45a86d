"""The answer of a regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from ..decimals import are_numbers, as_json, of_json, rounded
from .base import Answer


@dataclass(frozen=True, slots=True)
class Value(Answer):
    """One number."""

    task: ClassVar[str] = "regression"
    key: ClassVar[str] = "value"
    names: ClassVar[tuple[str, ...]] = ("value",)

    value: float

    @classmethod
    def of(cls, numbers: Mapping[str, float]) -> Self:
        return cls(numbers["value"])

    @property
    def numbers(self) -> dict[str, float]:
        return {"value": self.value}

    def rounded(self) -> Self:
        return Value(rounded(self.value))

    def to_json(self) -> dict:
        return {"value": as_json(self.value)}

    @classmethod
    def from_json(cls, written: dict) -> Self:
        read = cls(of_json(written["value"]))
        if not are_numbers((read.value,)):
            raise ValueError("no number")
        return read

    def columns(self) -> dict[str, float]:
        return {"": self.value}

    def text(self, stage: str) -> str:
        return f"{stage}: {self.value:.4g}"

    def brief(self, stage: str) -> str:
        return self.text(stage)

    def sentence(self, stage: str) -> tuple[str, str, str]:
        return f"{stage} ", f"{self.value:.4g}", ""
