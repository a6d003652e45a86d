from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stages.frames import CropGeometry
from train.augment import (
    Strength,
    augmented,
    blurred,
    compressed,
    darkened,
    erased,
    lit,
    mixed,
    moved,
    noisy,
    plain,
    shrunk,
)
from train.data import Faces

NONE = Strength(*[0] * 13)
COLOUR = CropGeometry(32, 32, 3, 1.0)


@pytest.fixture
def faces(astronaut) -> Faces:
    """Three crops around one face of a real photograph, 96 pixels wide, the box a little inside."""
    pictures = np.stack([astronaut[60 + i : 156 + i, 176:272] for i in (0, 8, 16)])
    return Faces(pictures, np.full((3, 4), (8, 8, 80, 80), np.float32), {})


def test_without_strength_a_crop_is_the_stages_own_or_its_mirror_image(faces):
    expected = plain(faces, COLOUR)
    crops = augmented(faces, np.array([0, 1, 2] * 4), COLOUR, np.random.default_rng(0), NONE)
    same = [np.array_equal(crop, expected[i % 3]) for i, crop in enumerate(crops)]
    mirrored = [np.array_equal(crop, expected[i % 3, :, ::-1]) for i, crop in enumerate(crops)]
    assert all(s != m for s, m in zip(same, mirrored, strict=True))
    assert any(same) and any(mirrored)


def test_faces_that_are_rolled_are_cut_upright_in_training_as_in_the_stages(faces):
    rolled = dataclasses.replace(faces, rolls=np.float32([0, 90, -30]))
    crops, level = plain(rolled, COLOUR), plain(faces, COLOUR)
    assert np.array_equal(crops[0], level[0]) and not np.array_equal(crops[2], level[2])
    assert np.abs(np.rot90(level[1]).astype(int) - crops[1]).mean() < 2
    trained = augmented(rolled, np.array([2] * 8), COLOUR, np.random.default_rng(0), NONE)
    assert {crop.tobytes() for crop in trained} <= {crops[2].tobytes(), crops[2, :, ::-1].tobytes()}
    assert np.array_equal(plain(rolled.where(np.array([2, 0])), COLOUR), crops[[2, 0]])


def test_the_same_seed_gives_the_same_pictures_and_another_one_others(faces):
    chosen = np.array([0, 1, 2])
    first = augmented(faces, chosen, COLOUR, np.random.default_rng(3), Strength())
    assert np.array_equal(first, augmented(faces, chosen, COLOUR, np.random.default_rng(3), Strength()))
    assert not np.array_equal(first, augmented(faces, chosen, COLOUR, np.random.default_rng(4), Strength()))


@pytest.mark.parametrize("channels", [1, 3])
def test_crops_have_the_size_and_channels_of_the_net(faces, channels):
    geometry = CropGeometry(24, 24, channels, 1.3)
    crops = augmented(faces, np.array([2, 0]), geometry, np.random.default_rng(0), Strength().times(10))
    assert crops.shape == (2, 24, 24, channels)
    assert crops.dtype == np.uint8


def test_grey_pictures_become_grey_crops_with_the_same_values(faces):
    grey = Faces(faces.pictures[:, :, :, 1:2], np.full((3, 4), (0, 0, 96, 96), np.float32), {})
    crops = plain(grey, CropGeometry(96, 96, 1, 1.0))
    assert np.array_equal(crops, grey.pictures)


def test_a_box_grows_around_its_centre_and_moves_by_parts_of_its_side():
    assert moved(np.array([10, 20, 100, 100]), np.array([0.1, -0.2]), 1.5) == pytest.approx((-5, -25, 150, 150))


@pytest.mark.parametrize("effect", [shrunk, blurred, noisy, darkened, compressed, erased])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_bad_camera_keeps_size_and_type_and_changes_something(faces, effect, channels):
    crop = np.ascontiguousarray(faces.pictures[0, :64, :64, :channels])
    results = [effect(crop, np.random.default_rng(seed)) for seed in range(8)]
    assert {(r.size, r.dtype) for r in results} == {(crop.size, np.dtype(np.uint8))}
    assert not any(np.array_equal(r.reshape(crop.shape), crop) for r in results)


def test_pictures_are_mixed_by_the_weights_that_their_targets_will_be():
    black_and_white = np.stack([np.zeros((40, 40, 1), np.uint8), np.full((40, 40, 1), 255, np.uint8)] * 50)
    crops, partners, weights = mixed(black_and_white, 1.0, np.random.default_rng(0))
    own, other = black_and_white[:, 0, 0, 0] / 255, black_and_white[partners, 0, 0, 0] / 255
    assert crops.mean((1, 2, 3)) / 255 == pytest.approx(weights * own + (1 - weights) * other, abs=0.02)
    assert 0.3 < weights.mean() < 0.7


def test_without_mixing_every_picture_is_its_own():
    crops = np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)
    same, _, weights = mixed(crops, 0.0, np.random.default_rng(0))
    assert np.array_equal(same, crops) and weights.tolist() == [1, 1]


def test_a_picture_made_grey_has_three_equal_channels(faces):
    strength = dataclasses.replace(NONE, cast=0.5, grey=1.0)
    values = lit(faces.pictures, np.random.default_rng(0), strength)
    assert np.abs(values.astype(int) - values[..., :1]).max() == 0


def test_brightness_moves_the_mean_and_contrast_keeps_it(faces):
    middle = (faces.pictures // 4 + 96).astype(np.uint8)  # nowhere near black or white, so that nothing is clipped
    contrast = lit(middle, np.random.default_rng(0), dataclasses.replace(NONE, contrast=0.2))
    assert contrast.mean((1, 2, 3)) == pytest.approx(middle.mean((1, 2, 3)), abs=1)
    assert np.abs(contrast.std((1, 2, 3)) / middle.std((1, 2, 3)) - 1).max() > 0.02
    bright = lit(middle, np.random.default_rng(0), dataclasses.replace(NONE, brightness=18))
    assert np.abs(bright.mean((1, 2, 3)) - middle.mean((1, 2, 3))).max() > 1.5
