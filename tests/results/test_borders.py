"""Where a piece of the results ends is decided from its frames alone, and which pieces are deleted from their ends."""

from __future__ import annotations

import pytest

from stages.results.borders import Borders, Moment, expired

HOUR = 3600.0


def borders(*moments: Moment, every_s: float = HOUR, file: str | None = None) -> list[int]:
    """The places at which a piece begins."""
    found, places = Borders(every_s), []
    for place, moment in enumerate(moments):
        if found.is_border(moment, file):
            places.append(place)
        found.step(moment, file)
    return places


def at(clock: str, time_s: float) -> Moment:
    return Moment(time_s, f"2026-11-29T{clock}.000+01:00")


def test_a_video_is_divided_by_its_time():
    assert borders(*map(Moment, (0.0, 1800.0, 3599.9, 3600.0, 7199.0, 9000.0))) == [3, 5]


def test_a_camera_is_divided_by_the_clock_however_long_it_was_away():
    assert borders(at("09:50:00", 0.0), at("09:59:59", 599.0), at("10:00:00", 600.0), at("15:20:00", 700.0)) == [2, 3]


@pytest.mark.parametrize("zone", ["+00:00", "+05:30", "-09:00"])
def test_a_day_begins_at_midnight_where_the_camera_is(zone):
    evening, midnight = (
        Moment(t, f"2026-11-{c}{zone}") for t, c in ((0.0, "29T23:59:59.000"), (1.0, "30T00:00:00.000"))
    )
    assert borders(evening, midnight, every_s=86_400.0) == [1]


def test_a_clock_that_is_set_back_makes_no_border_and_no_piece_that_never_ends():
    back = [at("10:00:00", 0.0), at("09:59:59", 1.0), at("10:00:01", 3.0)]
    years = [Moment(t, "2020-01-01T00:00:00.000+01:00") for t in (10.0, 3600.0, 7199.0, 7200.0)]
    assert borders(*back, *years) == [6]


def test_a_clock_that_is_slower_than_the_time_leaves_no_rest_of_an_hour():
    assert borders(at("10:00:00", 0.0), at("10:59:59", 3601.0), at("11:00:00", 3602.0), at("11:00:01", 3603.0)) == [2]


def test_a_loop_is_divided_although_its_time_begins_again():
    assert borders(*(Moment(t) for _ in range(4) for t in (0.0, 1000.0, 2000.0))) == [11]


def test_a_video_of_a_folder_is_not_divided():
    assert borders(Moment(0.0), Moment(9000.0), file="a.mp4") == []


@pytest.mark.parametrize(
    ("keep_s", "keep_bytes", "gone"),
    [
        (None, None, 0),
        (100, None, 0),
        (20, None, 1),  # Of 20 s and no older: kept.
        (5, None, 2),
        (0, None, 2),  # The newest one always stays.
        (None, 60, 0),
        (None, 59, 1),
        (None, 49, 2),
        (None, 1, 2),
    ],
)
def test_the_oldest_pieces_go(keep_s, keep_bytes, gone):
    assert expired([10.0, 20.0, 40.0], [10, 20, 30], 40.0, keep_s, keep_bytes) == gone


def test_no_piece_is_no_piece_to_delete():
    assert expired([], [], 0.0, 1.0, 1) == 0
