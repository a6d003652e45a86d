"""Zones and lines: what is wrong with them, and what lies where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.areas import beyond, contains, distance_to_border, flaw_of_line, flaw_of_zone, meet

SQUARE = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0))
ARROWHEAD = ((0.0, 0.0), (4.0, 2.0), (0.0, 4.0), (2.0, 2.0))  # with a notch on its left
points = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(list)


@pytest.mark.parametrize(
    ("corners", "flaw"),
    [
        ([[0, 0], [1, 1], [1, 0], [0, 1]], "crosses itself"),
        ([[0, 0], [1, 0], [0.5, 0]], "crosses itself"),
        ([[0, 0], [1, 0], [1, 1], [0.5, 0], [0, 1]], "crosses itself"),
        ([[0, 0], [0.5, 0], [1, 1], [0, 0]], "has the point [0, 0] twice in a row"),
        ([[0, 0], [1e-170, 0], [1, 1], [0, 1]], "has the point [0, 0] twice in a row"),
        ([[0, 0], [1, 1]], "has 2 points"),
        ([], "has no points"),
        ([[0.5, 0.5]] * 65, "has 65 points"),
        ([[0, 0], [1.01, 0], [1, 1]], "the point [1.01, 0], which lies outside the picture"),
        ([[0, 0], [1, -0.5], [1, 1]], "outside"),
        ([[0, 0], [1, float("nan")], [1, 1]], "outside"),
        ([[0, 0], [1, 0, 1], [1, 1]], "[1, 0, 1], which is no point"),
        ([[0, 0], [True, 0], [1, 1]], "no point"),
        ("0 0 1 1", "no list of points"),
    ],
)
def test_a_zone_is_refused_for_what_is_wrong_with_it(corners, flaw):
    assert flaw in flaw_of_zone(corners)


def test_zones_of_any_shape_that_do_not_cross_themselves_are_taken():
    shares = [[[x / 4, y / 4] for x, y in zone] for zone in (SQUARE, ARROWHEAD)]
    assert [flaw_of_zone(zone) for zone in shares] == [None, None]


def test_a_line_has_two_points():
    assert flaw_of_line([[0, 0], [0, 1]]) is None
    assert "begins where it ends" in flaw_of_line([[0.5, 0.5], [0.5, 0.5]])
    assert "begins where it ends" in flaw_of_line([[0, 0], [0, 1e-320]])
    assert "has 3 points" in flaw_of_line([[0, 0], [0, 1], [1, 1]])


def test_a_notch_of_a_zone_is_outside():
    assert contains(ARROWHEAD, (3, 2)) and contains(SQUARE, (1, 2))
    assert not contains(ARROWHEAD, (1, 2)) and not contains(SQUARE, (5, 2))


def test_distances_are_to_the_nearest_side():
    assert distance_to_border(SQUARE, (1, 2)) == 1
    assert distance_to_border(SQUARE, (7, 8)) == 5
    assert beyond(((0, 4), (0, 0)), (3, 1)) == 3  # Upwards in the picture: the right is the right.
    assert beyond(((0, 0), (0, 4)), (3, 1)) == -3


def test_segments_meet_where_they_cross_or_touch_and_not_where_only_their_lines_do():
    assert meet(((0, 0), (2, 2)), ((0, 2), (2, 0)))
    assert meet(((0, 0), (2, 0)), ((1, 0), (1, 5)))
    assert not meet(((0, 0), (1, 1)), ((0, 4), (4, 0)))
    assert not meet(((0, 0), (1, 0)), ((2, 0), (3, 0)))


@given(st.lists(points, min_size=3, max_size=6), st.integers(0, 5), st.booleans())
def test_whether_a_zone_crosses_itself_does_not_depend_on_where_it_begins_or_which_way_it_goes(corners, by, turned):
    other = corners[by % len(corners) :] + corners[: by % len(corners)]
    other = other[::-1] if turned else other
    assert (flaw_of_zone(corners) is None) == (flaw_of_zone(other) is None)
