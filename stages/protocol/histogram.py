"""How often something took how long: counts in buckets, which can be added over processes and their lives."""

from __future__ import annotations

from bisect import bisect_left

# Seconds; the last bucket has no upper bound. From a net that takes a millisecond to a stage that is away for a while.
BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """Counts durations; a bucket holds what is not above its bound and above the one before."""

    def __init__(self):
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def to_json(self) -> dict:
        """`counts` of each bucket, not cumulative, and the `sum` in seconds."""
        return {"counts": self._counts, "sum": round(self._sum_s, 6)}


def added(one: dict, other: dict) -> dict:
    """Two histograms in the form of `to_json`, as one."""
    return {
        "counts": [a + b for a, b in zip(one["counts"], other["counts"], strict=True)],
        "sum": one["sum"] + other["sum"],
    }
