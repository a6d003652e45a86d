"""One box normalization, one crop function."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.frames import CropGeometry
from stages.vision.crop import BoxNormalization, crop_face


def geometry(width: int, height: int | None = None, channels: int = 3, scale: float = 1.0) -> CropGeometry:
    return CropGeometry(width, height or width, channels, scale)


def ramp(height: int, width: int) -> np.ndarray:
    """A picture that is 2 grey levels brighter with every column and 1 with every row."""
    grey = 2 * np.arange(width)[None, :] + np.arange(height)[:, None]
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def bright_spot(x: float, y: float, spread: float) -> np.ndarray:
    """A Gaussian spot in a dark picture of 1000 pixels; pixel centres lie at +0.5."""
    along = np.arange(1000) + 0.5
    spot = np.outer(np.exp(-((along - y) ** 2) / (2 * spread**2)), np.exp(-((along - x) ** 2) / (2 * spread**2)))
    return np.rint(250 * spot)[:, :, None].repeat(3, axis=2).astype(np.uint8)


def test_a_detectors_box_becomes_a_square_of_its_longer_side_around_its_shifted_centre():
    boxes = BoxNormalization(side=1.5, right=0.1, down=-0.2).normalised(np.array([[10, 20, 40, 60]]))
    np.testing.assert_allclose(boxes, [[30 + 9 - 45, 50 - 18 - 45, 90, 90]])


def test_no_boxes_stay_no_boxes():
    assert BoxNormalization(side=1.5).normalised(np.zeros((0, 4))).shape == (0, 4)


def test_a_square_of_the_networks_size_is_cut_pixel_for_pixel(astronaut):
    crop = crop_face(astronaut, (180, 70, 96, 96), geometry(96))
    np.testing.assert_array_equal(crop, astronaut[70:166, 180:276])


def test_the_square_takes_the_longer_side_of_the_box_and_the_scale(astronaut):
    crop = crop_face(astronaut, (204, 94, 48, 24), geometry(96, scale=2.0))
    np.testing.assert_array_equal(crop, astronaut[58:154, 180:276])


def test_shrinking_averages_areas(astronaut):
    crop = crop_face(astronaut, (128, 64, 192, 192), geometry(48))
    np.testing.assert_allclose(crop, astronaut[64:256, 128:320].reshape(48, 4, 48, 4, 3).mean(axis=(1, 3)), atol=1)


def test_the_finest_stripes_blend_when_shrunk_by_any_factor():
    fine = np.zeros((400, 400, 3), np.uint8)
    fine[:, ::2] = 200
    assert np.abs(crop_face(fine, (37.3, 41.9, 250, 250), geometry(48)).astype(int) - 100).max() <= 25


def test_shrinking_one_way_alone_averages_that_way():
    fine = np.zeros((128, 128, 3), np.uint8)
    fine[0::4] = fine[1::4] = 200
    crop = crop_face(fine, (32, 33, 64, 64), geometry(64, height=8))
    assert crop.shape == (8, 64, 3)
    assert np.abs(crop.astype(int) - 100).max() <= 1


def test_enlarging_interpolates_between_pixels():
    crop = crop_face(ramp(40, 40), (10, 10, 8, 8), geometry(32))
    np.testing.assert_allclose(np.diff(crop[16, :, 0].astype(float)).mean(), 2 / 4, atol=0.05)
    assert np.diff(crop[16, :, 0].astype(int)).min() >= 0


@pytest.mark.parametrize("side", [24.0, 48.0, 53.0, 96.0, 200.0, 900.0])
@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 0.75])
def test_the_crop_lies_where_the_box_lies_to_a_fraction_of_a_pixel(side, shift):
    picture = bright_spot(x=500.0, y=500.0, spread=0.12 * side)
    crop = crop_face(picture, (500 - side / 2 + shift, 500 - side / 2 - shift, side, side), geometry(48))[
        :, :, 0
    ].astype(float)
    columns, rows = np.arange(48) + 0.5, np.arange(48)[:, None] + 0.5
    to_picture = side / 48
    assert ((crop * columns).sum() / crop.sum() - 24) * to_picture == pytest.approx(
        -shift, abs=0.03 * max(1, to_picture)
    )
    assert ((crop * rows).sum() / crop.sum() - 24) * to_picture == pytest.approx(shift, abs=0.03 * max(1, to_picture))


@pytest.mark.parametrize(
    ("box", "part", "repeated"),
    [
        ((-8, 8, 16, 16), np.s_[:, :8], lambda p: p[8:24, :1]),
        ((24, 8, 16, 16), np.s_[:, 8:], lambda p: p[8:24, -1:]),
        ((8, -8, 16, 16), np.s_[:8, :], lambda p: p[:1, 8:24]),
        ((8, 24, 16, 16), np.s_[8:, :], lambda p: p[-1:, 8:24]),
    ],
    ids=["left", "right", "top", "bottom"],
)
def test_beyond_an_edge_the_border_is_repeated(box, part, repeated):
    picture = ramp(32, 32)
    crop = crop_face(picture, box, geometry(16))
    np.testing.assert_array_equal(crop[part], np.broadcast_to(repeated(picture), crop[part].shape))


def test_a_face_at_the_edge_is_not_moved():
    picture = ramp(32, 32)
    np.testing.assert_array_equal(crop_face(picture, (-8, 8, 16, 16), geometry(16))[:, 8:], picture[8:24, :8])


@pytest.mark.parametrize("side", [16, 4000])
@pytest.mark.parametrize(("x", "y"), [(-9000, -9000), (-9000, 9000), (9000, -9000), (9000, 9000)])
def test_a_box_beyond_the_picture_repeats_the_corner_nearest_to_it(x, y, side):
    picture = np.zeros((32, 32, 3), np.uint8)
    nearest = np.s_[:16] if y < 0 else np.s_[16:], np.s_[:16] if x < 0 else np.s_[16:]
    picture[nearest] = (10, 20, 30)
    crop = crop_face(picture, (x, y, side, side), geometry(16))
    assert (crop == (10, 20, 30)).all()


def test_a_box_without_area_gives_the_colour_at_its_place():
    picture = ramp(32, 32)
    assert (crop_face(picture, (10.5, 4.5, 0, 0), geometry(8)) == picture[4, 10]).all()


@pytest.mark.parametrize(("factor", "x", "y"), [(9, 1101.3, 957.9), (20, 601.3, 357.9), (37.5, 101.3, 57.9)])
def test_a_square_of_many_times_the_size_does_not_move(factor, x, y):
    levels = np.linspace(0, 250, 2000)
    across = np.repeat(levels[None, :], 2000, axis=0)
    down = across.T
    picture = np.stack([across, down, (across + down) / 2], axis=2).round().astype(np.uint8)
    side = 48 * factor
    crop = crop_face(picture, (x, y, side, side), geometry(48)).astype(float)
    centres = (np.arange(48) + 0.5) * factor
    np.testing.assert_allclose(crop[24, :, 0], np.interp(x + centres - 0.5, np.arange(2000), levels), atol=1)
    np.testing.assert_allclose(crop[:, 24, 1], np.interp(y + centres - 0.5, np.arange(2000), levels), atol=1)


def test_every_pixel_of_a_square_of_many_times_the_size_counts():
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 1), dtype=np.uint8).repeat(3, axis=2)
    crop = crop_face(noise, (101.3, 57.9, 1440, 1440), geometry(48))
    # Noise of 74 levels, averaged over the 900 pixels of each of the crop's, leaves 2.5; over 64 samples it would be 6.
    assert crop.std() < 3.5


@pytest.mark.parametrize("side", [1e4, 1e6, 1e9])
def test_a_box_far_larger_than_the_picture_shows_the_picture_small_in_its_repeated_border(side):
    picture = np.full((40, 60, 3), 90, np.uint8)
    crop = crop_face(picture, (30 - side / 2, 20 - side / 2, side, side), geometry(64, scale=1.8))
    assert (crop == 90).all()


def test_a_picture_of_40000_pixels_width_can_be_cut():
    wide = np.full((4, 40_000, 3), 7, np.uint8)
    assert (crop_face(wide, (39_000, 0, 3, 3), geometry(8)) == 7).all()


def test_roll_turns_the_square_clockwise():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32] = 200  # bright above, dark below
    assert crop_face(picture, (16, 16, 32, 32), geometry(32), roll=90)[16, 0, 0] == 200
    crop = crop_face(picture, (16, 16, 32, 32), geometry(32), roll=90)
    # The upper edge of the square, turned clockwise, is on the right: what was above comes to lie on the left.
    assert crop[:, :15].min() == 200 and crop[:, 17:].max() == 0


def test_the_corners_of_a_turned_square_come_from_where_they_lie():
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[:, 160:] = 200
    crop = crop_face(picture, (50, 50, 100, 100), geometry(100), roll=45)
    # Turned clockwise by 45 degrees, the upper right corner points to the right, to (171, 100).
    assert (crop[2, 97] == 200).all() and crop[30, 70].max() == 0


def test_a_full_turn_is_no_turn(astronaut):
    box, size = (180, 70, 96, 96), geometry(64)
    turned = crop_face(astronaut, box, size, roll=360).astype(int)
    assert np.abs(turned - crop_face(astronaut, box, size)).max() <= 1


def test_roll_and_its_opposite_cancel(astronaut):
    twice = crop_face(
        crop_face(astronaut, (100, 20, 240, 240), geometry(240), roll=20), (60, 60, 120, 120), geometry(48), roll=-20
    )
    once = crop_face(astronaut, (160, 80, 120, 120), geometry(48))
    assert np.abs(twice.astype(int) - once).mean() < 2


def test_a_grey_crop_is_the_luma_of_the_colour_crop(astronaut):
    box = (-20.3, 70.1, 150, 150)
    colour, grey = crop_face(astronaut, box, geometry(48)), crop_face(astronaut, box, geometry(48, channels=1))
    assert grey.shape == (48, 48, 1)
    np.testing.assert_array_equal(grey[:, :, 0], cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY))


def test_the_picture_is_left_as_it_was(astronaut):
    before = astronaut.copy()
    read_only = astronaut.view()
    read_only.flags.writeable = False
    crop_face(read_only, (180, 70, 96, 96), geometry(48))
    np.testing.assert_array_equal(read_only, before)
