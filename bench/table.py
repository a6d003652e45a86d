"""Figures, and the table that shows them."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SPEED = "frames/s"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: the median of its samples, and between which values they lay; without any, a note."""

    what: str
    samples: tuple[float, ...]
    unit: str
    aim: str = ""  # of the design, if it has one; where there is `before`, the aim of the gain
    note: str = ""
    before: tuple[float, ...] = ()  # the same quantity of an older checkout, one sample for each of ours

    @property
    def value(self) -> float:
        return statistics.median(self.samples)

    @property
    def gains(self) -> tuple[float, ...]:
        """How many times faster or cheaper than before, round by round; what took less than can be told is left out."""
        pairs = zip(self.before, self.samples, strict=True)
        faster = self.unit == SPEED
        return tuple(now / then if faster else then / now for then, now in pairs if min(then, now) > 0)

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """As text: what, value and unit, range of the samples, aim, note."""
        return (self.what, self._text(self.samples), _range(self.samples), self.aim, self.note)

    @property
    def compared_row(self) -> tuple[str, str, str, str, str, str]:
        """As text: what, value before and now, the gain with its range, aim, note."""
        gain = f"{_short(statistics.median(self.gains))} x" if self.gains else ""
        if gain and _range(self.gains):
            gain += f" ({_range(self.gains)})"
        before = self._text(self.before) if self.before else ""
        return (self.what, before, self._text(self.samples), gain, self.aim, self.note)

    @property
    def verdict(self) -> str:
        """Whether the aim is reached: ratios and speeds are to be as large, all else as small; "" without an aim."""
        numbers = re.match(r"([\d.]+)(?: \(floor ([\d.]+)\))?", self.aim)
        samples = self.gains if self.before else self.samples
        if numbers is None or not samples:
            return ""
        value, sign = statistics.median(samples), 1 if self.before or self.unit in ("x", SPEED) else -1
        wanted, floor = (sign * float(number) if number else None for number in numbers.groups())
        if sign * value >= wanted:
            return "reached"
        return "missed" if floor is None or sign * value < floor else "missed, above the floor"

    def _text(self, samples: tuple[float, ...]) -> str:
        return f"{_short(statistics.median(samples))} {self.unit}" if samples else ""


def figure(
    what: str,
    samples: Sequence[float] | float,
    unit: str,
    aim: str = "",
    note: str = "",
    before: Sequence[float] = (),
) -> Figure:
    """A figure from one sample or several."""
    several = (samples,) if isinstance(samples, (int, float)) else tuple(samples)
    return Figure(what, tuple(map(float, several)), unit, aim, note, tuple(map(float, before)))


def table(title: str, figures: Sequence[Figure]) -> str:
    """A table in Markdown, to be read as text as well."""
    if any(figure.before for figure in figures):
        head = (title, "before", "now", "gain", "aim of the gain", "")
        return markdown([head, *(figure.compared_row for figure in figures)])
    return markdown([(title, "median", "from .. to", "aim", ""), *(figure.row for figure in figures)])


def aims(title: str, measured: Mapping[str, Sequence[Figure]]) -> str:
    """A table of all figures that have an aim, by title of their measurement; "" where none has."""
    rows = [(title, "of", "measured", "from .. to", "aim", "")]
    for of, figures in measured.items():
        rows += [_aim_row(figure, of) for figure in figures if figure.verdict]
    return markdown(rows) if len(rows) > 1 else ""


def _aim_row(figure: Figure, of: str) -> tuple[str, ...]:
    samples, unit = (figure.gains, "x") if figure.before else (figure.samples, figure.unit)
    what = f"{figure.what}, now / before" if figure.before else figure.what
    return (what, of, f"{_short(statistics.median(samples))} {unit}", _range(samples), figure.aim, figure.verdict)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows of as many cells as a table in Markdown; the first is its head."""
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]])


def _range(samples: tuple[float, ...]) -> str:
    if not samples:
        return ""
    low, high = _short(min(samples)), _short(max(samples))
    return f"{low} to {high}" if low != high else ""


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
