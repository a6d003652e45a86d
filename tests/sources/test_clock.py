"""Times out of time stamps, without a file."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages.sources.clock import timed


def times(*stamps: float | None, rate: float = 25) -> list[float]:
    given_back = list(timed(((stamp, number) for number, stamp in enumerate(stamps)), rate))
    assert [number for _, number in given_back] == list(range(len(stamps)))
    return [round(time_s, 4) for time_s, _ in given_back]


TEN = [round(0.04 * number, 2) for number in range(10)]


def test_stamps_that_ascend_are_the_times_from_the_first_one_on():
    assert times(7, 7.04, 7.05, 7.5, 9) == [0, 0.04, 0.05, 0.5, 2]
    assert times(-0.08, -0.04, 0, 0.04) == [0, 0.04, 0.08, 0.12]
    assert times(0, 0.0005, 0.001, rate=2000) == [0, 0.0005, 0.001]
    assert times(0, 43200, 86400) == [0, 43200, 86400]
    assert times(0, 0.04, 30, 30.04, 30.08) == [0, 0.04, 30, 30.04, 30.08]


def test_where_stamps_jump_back_time_goes_on_at_the_rate():
    twenty = [round(0.04 * number, 2) for number in range(20)]
    assert times(*TEN, *TEN) == twenty
    assert times(*[95443 + stamp for stamp in TEN], *TEN) == twenty
    assert times(1e6, *TEN[:3]) == [0, 0.04, 0.08, 0.12]
    assert times(0, 0.04, 0, 0.04, 0, 0.04) == twenty[:6]
    assert times(0, 0.1, 0.2, 0, 0.1, rate=10) == [0, 0.1, 0.2, 0.3, 0.4]


def test_frames_without_stamps_behind_others_come_as_those_did_and_not_at_a_nominal_rate():
    assert times(*TEN[:8], None, None, rate=1000) == TEN
    assert times(*TEN[:8], None, None, rate=50) == TEN


def test_an_absurd_stamp_of_the_last_frame_is_no_gap():
    assert times(*TEN[:9], 1e6) == TEN
    assert times(*TEN[:9], 3600) == [*TEN[:9], 3600]
    assert times(0, 43200, 86400, 200000) == [0, 43200, 86400, 200000]
    assert times(0, 1e6) == [0, 1e6]


def test_frames_without_stamps_come_at_the_rate():
    assert times(None, None, None) == [0, 0.04, 0.08]
    assert times(None, None, rate=5) == [0, 0.2]
    assert times(0, 0.04, None, 0.12, None, None, 0.24) == [0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24]
    assert times(*[0] * 8) == [round(0.04 * number, 2) for number in range(8)]


@pytest.mark.parametrize("absurd", [1e9, -1e9, -5, 0.9, 100])
def test_one_absurd_stamp_counts_as_absent(absurd):
    assert times(0, 0.04, absurd, 0.12, 0.16) == [0, 0.04, 0.08, 0.12, 0.16]
    assert times(0, 0.04, absurd) == [0, 0.04, round(absurd, 4) if 0 < absurd < 86_400 else 0.08]


def test_stamps_that_repeat_or_are_in_disorder_lie_between_their_neighbours():
    assert times(0, 0.04, 0.04, 0.08, 0.12) == [0, 0.04, 0.06, 0.08, 0.12]
    assert times(0, 0.12, 0.08, 0.16) == [0, 0.12, 0.14, 0.16]


def test_a_nominal_rate_that_comes_from_an_absurd_length_is_not_believed():
    assert times(*TEN[:4], *TEN[:4], rate=1 / 43200) == [0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28]


@given(
    st.lists(
        st.one_of(
            st.none(), st.integers(-(2**33), 2**33).map(lambda n: n / 90_000), st.integers(0, 30).map(lambda n: n / 25)
        ),
        max_size=40,
    ),
    st.sampled_from([0.5, 25, 2000]),
)
@example([0.08, 0.36, None, 0.0, 0.64], 0.5)  # the last one is later than what is known by rounding alone
def test_whatever_the_stamps_every_frame_has_a_time_and_times_ascend(stamps, rate):
    came = list(timed(((stamp, number) for number, stamp in enumerate(stamps)), rate))
    assert [number for _, number in came] == list(range(len(stamps)))
    assert all(before < after for (before, _), (after, _) in zip(came, came[1:], strict=False))
    assert not came or came[0][0] == 0


@given(st.lists(st.one_of(st.none(), st.integers(0, 30).map(lambda n: n / 25)), max_size=30), st.data())
def test_a_part_that_ends_has_the_times_of_the_whole_but_for_the_last_frames(stamps, data):
    """What a frame's time is does not depend on what comes long after it."""
    whole = list(timed(((stamp, number) for number, stamp in enumerate(stamps)), 25))
    cut = data.draw(st.integers(0, len(stamps)))
    part = list(timed(((stamp, number) for number, stamp in enumerate(stamps[:cut])), 25))
    assert part[: max(0, cut - 5)] == whole[: max(0, cut - 5)]
