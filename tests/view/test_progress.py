"""The line that says how far a run is, how fast it goes and how long it will take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stages.protocol.stats import CaptureReport
from stages.view.progress import Pace, plain_line, progress_line

FILE = CaptureReport(source="clip.mp4", captured=420, done=412, frames=612, faces=37)
CAMERA = CaptureReport(source="camera0", captured=88, done=88)
PLAIN = {"blocks": False, "colour": False}


def test_a_file_has_a_bar_and_says_how_far_how_many_faces_how_fast_and_how_long():
    line = progress_line([FILE], 24.8, 79, **PLAIN)
    assert line.startswith(" 67 % |####") and line.endswith("| 412/612 frames  37 faces  24.8 frames/s  8 s left")
    assert len(line) == 79


@pytest.mark.parametrize("columns", range(39, 200, 7))
@pytest.mark.parametrize("sources", [[FILE], [CAMERA], [FILE, CAMERA], [FILE, replace(FILE, source="second.mp4")]])
def test_it_fits_every_width_from_40_columns_on(sources, columns):
    line = progress_line(sources, 24.8, columns, **PLAIN)
    assert 0 < len(line) <= columns
    assert "8 s left" in line or "16 s left" in line or sources[-1] is CAMERA


def test_a_camera_has_no_bar_and_no_end():
    assert progress_line([CAMERA], 30.0, 79, **PLAIN) == "88 frames  0 faces  30.0 frames/s"


def test_several_sources_have_one_bar_and_one_time_for_all_of_them():
    line = plain_line([FILE, replace(FILE, source="second.mp4", done=0, frames=800)], 100.0)
    assert line == "clip.mp4 412/612  second.mp4 0/800  74 faces  100.0 frames/s  10 s left"
    assert plain_line([FILE, CAMERA], 54.8) == "clip.mp4 412/612  camera0 88  37 faces  54.8 frames/s"


def test_only_the_bar_has_a_colour_and_only_where_it_is_wanted():
    coloured = progress_line([FILE], 24.8, 79, blocks=True, colour=True)
    plain = progress_line([FILE], 24.8, 79, blocks=True, colour=False)
    assert "\x1b" not in plain and "█" in plain
    assert coloured.replace("\x1b[36m", "").replace("\x1b[0m", "") == plain
    assert progress_line([FILE], 24.8, 79, **PLAIN).isascii()


def test_hours_are_not_told_in_seconds_and_what_follows_the_last_frame_is_not_0_seconds():
    assert plain_line([replace(FILE, frames=180_412)], 25.0).endswith("  2 h 0 min left")
    assert plain_line([replace(FILE, done=612)], 25.0).endswith("  finishing")


def test_names_do_nothing_to_a_terminal():
    assert "\x1b" not in plain_line([replace(CAMERA, source="\x1b[2J"), CAMERA], None)


# --- How long it will take ---


def test_the_time_is_not_told_before_it_is_known():
    pace = Pace()
    pace.note(0.0, 0)
    assert pace.frames_s() is None
    pace.note(4.0, 1)  # The models are loaded.
    pace.note(5.9, 40)
    assert pace.frames_s() is None
    pace.note(6.0, 42)
    assert pace.frames_s() is not None


def test_a_slow_start_does_not_make_the_time_too_long():
    pace = Pace()
    for tenth in range(121):  # Nothing for five seconds, two frames a second for one more, and then 25.
        now_s = tenth / 10
        pace.note(now_s, int(max(0.0, 2 * min(now_s - 5, 1)) + max(0.0, 25 * (now_s - 6))))
    assert pace.frames_s() == pytest.approx(25, rel=0.05)


def test_what_was_done_before_a_run_that_goes_on_does_not_count_as_its_speed():
    pace = Pace()
    for second in range(8):
        pace.note(float(second), 10_000 + 25 * second)
    assert pace.frames_s() == pytest.approx(25)


def test_pictures_of_which_each_takes_seconds_have_a_time_too():
    pace = Pace()
    for second in range(40):
        pace.note(float(second), second // 15)
    assert pace.frames_s() == pytest.approx(1 / 15, rel=0.5)


def test_reports_of_two_sources_in_the_same_moment_are_no_speed():
    pace = Pace()
    for now_s, done in ((0.0, 0), (1.0, 1), (9.0, 2), (9.0, 4)):
        pace.note(now_s, done)
    assert pace.frames_s() is None


def test_a_source_that_begins_anew_is_measured_anew():
    pace = Pace()
    for second, done in enumerate((0, 10, 20, 30, 5)):
        pace.note(float(second), done)
    assert pace.frames_s() is None


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(-5, 500)), max_size=30))
def test_no_history_gives_a_speed_that_is_not_above_0(steps):
    pace, now_s, done = Pace(), 0.0, 0
    for gap_s, more in steps:
        now_s, done = now_s + gap_s, max(0, done + more)
        pace.note(now_s, done)
        assert (speed := pace.frames_s()) is None or speed > 0
