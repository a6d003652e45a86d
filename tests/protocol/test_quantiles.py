"""Quantiles in little memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stages.protocol.quantiles import STEP, Quantiles


@given(st.lists(st.floats(1e-4, 1e4), min_size=1), st.floats(0, 1))
def test_a_quantile_is_off_by_a_bucket_at_most(seconds, share):
    quantiles = Quantiles()
    for duration in seconds:
        quantiles.add(duration)
    rank = next(n for n in range(1, len(seconds) + 1) if n >= share * len(seconds))
    assert sorted(seconds)[rank - 1] / STEP <= quantiles.at(share) <= sorted(seconds)[rank - 1] * STEP


def test_nothing_has_no_quantile():
    assert Quantiles().at(0.5) is None
