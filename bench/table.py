"""Figures, and the table that shows them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: the median of its samples, and between which values they lay."""

    what: str
    samples: tuple[float, ...]
    unit: str
    aim: str = ""  # of the design, if it has one
    note: str = ""

    @property
    def value(self) -> float:
        return statistics.median(self.samples)

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """As text: what, value and unit, range of the samples, aim, note."""
        return (self.what, f"{_short(self.value)} {self.unit}", self._range, self.aim, self.note)

    @property
    def _range(self) -> str:
        low, high = _short(min(self.samples)), _short(max(self.samples))
        return f"{low} to {high}" if low != high else ""


def figure(what: str, samples: Sequence[float] | float, unit: str, aim: str = "", note: str = "") -> Figure:
    """A figure from one sample or several."""
    several = (samples,) if isinstance(samples, (int, float)) else tuple(samples)
    return Figure(what, tuple(map(float, several)), unit, aim, note)


def table(title: str, figures: Sequence[Figure]) -> str:
    """A table in Markdown, to be read as text as well."""
    head = (title, "median", "from .. to", "aim", "")
    rows = [head, *(figure.row for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "| " + " | ".join("-" * max(3, width) for width in widths) + " |", *lines[1:]])


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
