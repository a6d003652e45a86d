"""The times of a stream, by a clock that is moved by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stages.sinks.segments import TIME_BASE
from stages.streams.clock import StreamClock


def times(*frames: tuple[float, float]) -> list[float]:
    """The stream's times of frames at these times in their source and on the clock, all in seconds."""
    clock = StreamClock(100.0)
    return [round(float(clock.of_frame(time_s, 100.0 + now_s) * TIME_BASE), 3) for time_s, now_s in frames]


def test_frames_keep_the_distances_that_they_have_in_their_source():
    assert times((7.0, 0.0), (7.04, 0.06), (7.08, 0.07)) == [0.0, 0.04, 0.08]


def test_after_a_jump_of_the_source_the_stream_goes_on_at_once():
    assert times((7.0, 0.0), (7.04, 0.04), (0.0, 0.08), (0.04, 0.12)) == [0.0, 0.04, 0.08, 0.12]
    assert times((7.0, 0.0), (60.0, 0.04), (60.04, 0.08)) == [0.0, 0.04, 0.08]


def test_a_film_that_is_analysed_more_slowly_than_it_plays_is_streamed_as_it_is_finished():
    slowly = times(*((number / 25, number / 5) for number in range(50)))
    assert slowly[-1] > 49 / 5 - 0.51  # and not at 49 / 25, which would be the past for every player


def test_one_that_is_analysed_faster_does_not_run_away_from_its_viewers():
    assert times(*((number / 25, number / 250) for number in range(500)))[-1] < 499 / 250 + 0.21


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 60), st.booleans()), max_size=50))
def test_times_always_ascend(steps):
    clock, now_s, told = StreamClock(0.0), 0.0, []
    for time_s, later_s, is_repeat in steps:
        now_s += later_s
        told.append(clock.of_repeat(now_s) if is_repeat else clock.of_frame(time_s, now_s))
    assert told == sorted(set(told)) and all(time >= 0 for time in told)
