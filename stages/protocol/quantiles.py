"""Quantiles of many durations in little memory."""

from __future__ import annotations

import math
from collections import Counter

STEP = 1.02  # each bucket is 2 % wider than the one below: what a quantile may be off by


class Quantiles:
    """Counts durations in logarithmic buckets, so that a run of forty hours costs no more than one of a minute."""

    def __init__(self):
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._buckets[math.floor(math.log(max(seconds, 1e-6), STEP))] += 1

    def __len__(self) -> int:
        return self._buckets.total()

    def at(self, share: float) -> float | None:
        """The duration in seconds that `share` (0 to 1) of all do not exceed; None if there are none."""
        wanted, seen = share * len(self), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return STEP ** (bucket + 0.5)
        return None
