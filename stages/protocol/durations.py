"""How often something took how long, in little memory: counts in buckets that can be added, and quantiles."""

import math
from bisect import bisect_left
from collections import Counter
from typing import Self

from msgspec import Struct, field

# Seconds; the last bucket has no upper bound. From a net that takes a millisecond to a stage that is away for a while.
BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STEP = 1.02  # each bucket is 2 % wider than the one below: what a quantile may be off by


class Histogram(Struct, forbid_unknown_fields=True):
    """Counts durations, of several processes and lives together; a bucket holds what is not above its bound and above
    the one before."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))  # of each bucket, not cumulative
    sum_s: float = 0.0  # seconds

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def __add__(self, other: Self) -> Self:
        return Histogram([a + b for a, b in zip(self.counts, other.counts, strict=True)], self.sum_s + other.sum_s)


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
