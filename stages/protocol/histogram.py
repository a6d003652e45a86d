"""How often something took how long: counts in buckets, which can be added over processes and their lives."""

from bisect import bisect_left
from typing import Self

from msgspec import Struct, field

# Seconds; the last bucket has no upper bound. From a net that takes a millisecond to a stage that is away for a while.
BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram(Struct, forbid_unknown_fields=True):
    """Counts durations; a bucket holds what is not above its bound and above the one before."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))  # of each bucket, not cumulative
    sum_s: float = 0.0  # seconds

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def __add__(self, other: Self) -> Self:
        return Histogram([a + b for a, b in zip(self.counts, other.counts, strict=True)], self.sum_s + other.sum_s)
