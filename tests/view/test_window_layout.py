"""Where picture, panels and sign lie in a window."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.view.window_layout import Rectangle, first_place, lay_out_window, sign_places

SIDE = st.integers(1, 5000)
SIZE = st.tuples(SIDE, SIDE)


@pytest.mark.parametrize(
    ("picture", "screen", "size"),
    [
        ((1280, 720), (1920, 1080), (1536, 864)),
        ((640, 360), (1280, 720), (1024, 576)),
        ((100, 100), (1920, 1080), (864, 864)),  # Small pictures are enlarged, so that letters can be read.
        ((1080, 1920), (1920, 1080), (486, 864)),
        ((1920, 1080), (3840, 2160), (2560, 1440)),
        ((9000, 6000), (1280, 720), (864, 576)),
        ((5000, 100), (1920, 1080), (1536, 360)),
        ((1280, 720), None, (1280, 720)),
        ((1280, 720), (320, 200), (256, 160)),
    ],
)
def test_a_new_window_suits_picture_and_screen(picture, screen, size):
    place = first_place(picture, screen and Rectangle(0, 0, *screen))
    assert (place.width, place.height) == size


def test_a_new_window_lies_on_its_monitor_and_several_lie_side_by_side():
    monitor = Rectangle(1920, 100, 1600, 900)
    assert first_place((640, 360), monitor) == Rectangle(2080, 145, 1280, 720)
    four = [first_place((640, 360), monitor, number, 4) for number in range(4)]
    assert [(place.left, place.top) for place in four] == [(2000, 122), (2800, 122), (2000, 572), (2800, 572)]
    assert {(place.width, place.height) for place in four} == {(640, 360)}
    assert first_place((640, 360), monitor, 4, 5).width == 426


def test_panels_lie_beside_a_wide_picture_and_below_a_tall_one():
    wide = lay_out_window((1600, 900), (1600, 900), [(300, 200), (200, 100)])
    assert wide.panels == (Rectangle(1300, 0, 300, 200), Rectangle(1300, 200, 200, 100))
    assert (wide.picture.left, wide.picture.width) == (0, 1300)
    tall = lay_out_window((900, 1600), (900, 1600), [(300, 200), (200, 100)])
    assert tall.panels == (Rectangle(0, 1400, 300, 200), Rectangle(300, 1400, 200, 100))
    margin = lay_out_window((500, 1000), (2000, 1000), [(300, 200)])
    assert margin.scale == 1.0  # The margins have room for it.


@given(picture=SIZE, window=SIZE, panels=st.lists(SIZE, max_size=4))
def test_nothing_lies_over_anything_else_or_outside_the_window(picture, window, panels):
    layout = lay_out_window(picture, window, panels)
    for one, other in combinations((layout.picture, *layout.panels), 2):
        assert (
            one.left + one.width <= other.left
            or other.left + other.width <= one.left
            or one.top + one.height <= other.top
            or other.top + other.height <= one.top
        )
    for place in (layout.picture, *layout.panels):
        assert place.left >= 0 and place.left + place.width <= window[0]
        assert place.top >= 0 and place.top + place.height <= window[1]
        assert place.width > 0 and place.height > 0
    assert [(place.width, place.height) for place in layout.panels] == panels[: len(layout.panels)]


@given(picture=SIZE, window=SIZE, panels=st.lists(SIZE, max_size=2), data=st.data())
def test_signs_lie_beside_the_panels(picture, window, panels, data):
    layout = lay_out_window(picture, window, panels)
    size = data.draw(st.tuples(st.integers(1, layout.free.width), st.integers(1, layout.free.height)))
    for place in sign_places(size, layout):
        assert layout.free.left <= place.left and place.left + place.width <= layout.free.left + layout.free.width
        assert layout.free.top <= place.top and place.top + place.height <= layout.free.top + layout.free.height


def test_a_point_of_the_window_is_one_of_the_frame_or_beside_the_picture():
    layout = lay_out_window((100, 50), (400, 400))
    assert layout.in_picture(0, 100) == (0.125, 0.125)
    assert layout.in_picture(399, 299) == (99.875, 49.875)
    assert layout.in_picture(10, 99) is None and layout.in_picture(10, 300) is None
