"""Counting durations."""

from __future__ import annotations

import pytest

from stages.protocol.histogram import BOUNDS_S, Histogram


def counted(*seconds: float) -> Histogram:
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    return histogram


def test_a_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed():
    assert counted(0.0).counts[0] == 1
    for place, bound in enumerate(BOUNDS_S):
        assert counted(bound).counts[place] == counted(bound * 1.001).counts[place + 1] == 1
    assert counted(1e9).counts[-1] == 1


def test_two_of_them_are_what_one_would_have_counted():
    together = counted(0.003, 0.2) + counted(0.004, 99.0)
    assert together.counts == counted(0.003, 0.2, 0.004, 99.0).counts
    assert together.sum_s == pytest.approx(99.207)
