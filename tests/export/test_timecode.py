"""Time codes count as SMPTE ST 12 says, and the rate of a video is found in the times of its frames."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.export.timecode import USUAL, NoTimecode, Rate, rate_named, rate_of

NTSC = Rate(30, True).dropping()
RATES = [*USUAL, *(rate.dropping() for rate in USUAL)]


@pytest.mark.parametrize(
    ("rate", "frame", "code"),
    [
        (Rate(25), 90_000, "01:00:00:00"),
        (Rate(25), 24, "00:00:00:24"),
        (Rate(24, True), 24, "00:00:01:00"),
        (NTSC, 1799, "00:00:59;29"),
        (NTSC, 1800, "00:01:00;02"),
        (NTSC, 17_981, "00:09:59;29"),
        (NTSC, 17_982, "00:10:00;00"),
        (NTSC, 107_892, "01:00:00;00"),
        (Rate(60, True).dropping(), 3600, "00:01:00;04"),
        (Rate(25), 24 * 90_000, "00:00:00:00"),
    ],
)
def test_a_frame_has_the_time_code_of_the_standard(rate, frame, code):
    assert rate.timecode(frame) == code


def counted_by_hand(rate: Rate):
    """Every time code of drop frame in turn: the first numbers of each minute are left out, but for every tenth."""
    left_out = {30: 2, 60: 4}[rate.base]
    for minute, second, frame in itertools.product(range(60), range(60), range(rate.base)):
        if second or frame >= left_out or minute % 10 == 0:
            yield f"00:{minute:02}:{second:02};{frame:02}"


@pytest.mark.parametrize("base", [30, 60])
def test_drop_frame_leaves_out_the_first_numbers_of_nine_minutes_in_ten(base):
    rate = Rate(base, True).dropping()
    for frame, code in enumerate(counted_by_hand(rate)):
        assert rate.timecode(frame) == code
    assert rate.timecode(frame + 1) == "01:00:00;00"


@given(st.sampled_from(RATES), st.integers(0, 2_000_000))
def test_a_time_code_is_that_of_one_frame(rate, frame):
    assert rate.frame_of(rate.timecode(frame)) == frame


@given(st.integers(0, 86_390))
def test_drop_frame_keeps_up_with_the_clock(seconds):
    hours, minutes, rest, frames = map(int, NTSC.timecode(NTSC.frame_at(seconds)).replace(";", ":").split(":"))
    assert abs(hours * 3600 + minutes * 60 + rest + frames / 30 - seconds) < 0.15  # It loses some three frames a day.


@pytest.mark.parametrize("text", ["01:00:00", "25:00:00:00", "00:60:00:00", "00:00:00:30", "a", "00:01:00;00", "", "١"])
def test_what_is_no_time_code_is_refused(text):
    with pytest.raises(NoTimecode, match="write"):
        NTSC.frame_of(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("29.97", Rate(30, True)),
        ("30000/1001", Rate(30, True)),
        ("30", Rate(30)),
        ("23.976", Rate(24, True)),
        ("23.98", Rate(24, True)),
        ("12", Rate(12)),
        ("59.94", Rate(60, True)),
    ],
)
def test_a_rate_has_the_names_that_editors_give_it(text, rate):
    assert rate_named(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-25", "1e400", "1/0", "nan", "29.9", "1000", "25fps"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(NoTimecode, match="write"):
        rate_named(text)


@given(st.sampled_from(USUAL), st.integers(3, 400), st.integers(0, 10_000), st.sampled_from([3, 4]))
def test_the_rate_of_a_video_is_found_in_its_times(rate, count, first, decimals):
    times = [round(float((first + n) / rate.exact), decimals) for n in range(count)]
    found, is_steady = rate_of(times)
    assert is_steady
    if count > 100:
        assert found == rate
    for time in times:  # Of a short one a neighbour may be named; its frames are the same.
        assert abs(float(found.frame_at(time) / found.exact) - time) < 0.001


def test_frames_at_any_times_have_no_rate_of_their_own():
    assert rate_of([0, 0.03, 0.09, 0.11, 0.17, 0.2]) == (Rate(25), False)
    assert rate_of([0]) == (Rate(25), True)
