"""Seconds by bin of time, whose bins become wider and never more."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from stages.report.timeline import MOST_BINS, Scale, Strip


def test_time_is_divided_among_the_bins_that_it_lies_in():
    scale = Scale()
    strip = Strip(scale)
    width_s = scale.width_s
    strip.add(0.5 * width_s, 2.25 * width_s, "happy")
    assert {number: held["happy"] / width_s for number, held in strip.bins()} == {0: 0.5, 1: 1.0, 2: 0.25}


def test_neighbouring_bins_with_mostly_the_same_are_one_run():
    scale = Scale()
    scale.reach(1000)
    strip, width_s = Strip(scale), scale.width_s
    strip.add(0, 3 * width_s, "happy")
    strip.add(3 * width_s, 3.9 * width_s, "sad")
    strip.add(3.9 * width_s, 4 * width_s, "happy")
    strip.add(6 * width_s, 7 * width_s, "sad")
    assert list(strip.runs()) == [
        (0, 3 * width_s, "happy"),
        (3 * width_s, 4 * width_s, "sad"),
        (6 * width_s, 7 * width_s, "sad"),
    ]


def test_an_empty_strip_has_no_runs():
    assert list(Strip(Scale()).runs()) == []


spans = st.tuples(st.floats(0, 200_000), st.floats(0, 50), st.sampled_from(["a", "b"]))


@given(st.lists(spans, min_size=1, max_size=40))
def test_however_long_it_takes_no_second_is_lost_and_the_bins_stay_few(spans):
    scale = Scale()
    strips = {"one": Strip(scale), "other": Strip(scale)}
    for number, (start_s, long_s, what) in enumerate(spans):
        strips["one" if number % 2 else "other"].add(start_s, start_s + long_s, what)
    for what in ("a", "b"):
        held = sum(seconds.get(what, 0.0) for strip in strips.values() for _, seconds in strip.bins())
        assert math.isclose(held, sum(long_s for _, long_s, of in spans if of == what), rel_tol=1e-6, abs_tol=1e-6)
    assert max(number for strip in strips.values() for number, _ in strip.bins()) <= MOST_BINS


def test_columns_are_so_many_at_most_of_equal_width_and_hold_how_much_there_was():
    strip = Strip(Scale())
    strip.add(0.0, 4.0, "happy")
    strip.add(2.0, 4.0, "sad")
    columns = list(strip.columns(8, 4.0))
    assert len(columns) == 8 and columns[0][:2] == (0.0, 0.5) and columns[-1][:2] == (3.5, 4.0)
    assert columns[0][2] == {"happy": 1.0} and columns[-1][2] == {"happy": 1.0, "sad": 1.0}
    assert list(Strip(Scale()).columns(8, 4.0)) == []


def test_the_last_column_ends_with_the_video_and_what_was_there_until_then_counts_as_one():
    strip = Strip(Scale())
    strip.add(0.0, 3.8, "happy")
    start_s, end_s, held = list(strip.columns(4, 3.8))[-1]
    assert (round(start_s, 2), end_s, round(held["happy"], 6)) == (2.86, 3.8, 1.0)


def test_a_strip_takes_in_another_one_however_wide_the_bins_were_before():
    scale = Scale()
    whole, part = Strip(scale), Strip(scale)
    whole.add(0.0, 2.0, "happy")
    part.add(1.0, 2.0, "happy")
    part.add(2.0, 3.0, "sad")
    scale.reach(1000.0)
    whole.include(part)
    held = [seconds for _, seconds in whole.bins()]
    assert sum(one.get("happy", 0.0) for one in held) == 3.0 and sum(one.get("sad", 0.0) for one in held) == 1.0
