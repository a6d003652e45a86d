"""Counting durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.protocol.durations import BOUNDS_S, STEP, Histogram, Quantiles


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


@given(st.lists(st.floats(1e-4, 1e4), min_size=1), st.floats(0, 1))
def test_a_quantile_is_off_by_a_bucket_at_most(seconds, share):
    quantiles = Quantiles()
    for duration in seconds:
        quantiles.add(duration)
    rank = next(n for n in range(1, len(seconds) + 1) if n >= share * len(seconds))
    assert sorted(seconds)[rank - 1] / STEP <= quantiles.at(share) <= sorted(seconds)[rank - 1] * STEP


def test_nothing_has_no_quantile():
    assert Quantiles().at(0.5) is None
