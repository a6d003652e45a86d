"""Numbers as results.jsonl has them: four decimals, and null for what is not a number. JSON has no NaN."""

from __future__ import annotations

import math
from collections.abc import Iterable

DECIMALS = 4
_LARGEST = 1e12


def rounded(value: float) -> float:
    """Four decimals, and no negative zero; what is not a number becomes NaN."""
    value = float(value)
    return round(value, DECIMALS) + 0.0 if math.isfinite(value) else math.nan


def as_json(value: float) -> float | None:
    """The rounded number, or None for NaN."""
    value = rounded(value)
    return value if math.isfinite(value) else None


def of_json(value: float | None) -> float:
    """The number that `as_json` was given, as it was rounded."""
    return math.nan if value is None else value


def are_numbers(values: Iterable[float]) -> bool:
    """Whether these are numbers of a size that pictures, probabilities and times have, or NaN; or raises `TypeError`.

    By their sum: half of the time of a report went into looking at each.
    """
    return not abs(sum(values)) >= _LARGEST
