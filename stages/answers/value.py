"""The answer of a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import Answer


@dataclass(frozen=True, slots=True)
class Value(Answer):
    """One number."""

    task: ClassVar[str] = "regression"
    key: ClassVar[str] = "value"
    names: ClassVar[tuple[str, ...]] = ("value",)

    value: float

    def text(self, stage: str) -> str:
        return f"{stage}: {self.value:.4g}"

    def sentence(self, stage: str) -> tuple[str, str, str]:
        return f"{stage} ", f"{self.value:.4g}", ""
