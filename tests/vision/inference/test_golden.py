from __future__ import annotations

import hashlib

import numpy as np
import pytest

from stages.frames import CropGeometry
from stages.vision.inference.golden import picture


@pytest.mark.parametrize(
    ("geometry", "digest"),
    [
        (CropGeometry(64, 64, 1, 1.0), "a00d29c0c950303a"),
        (CropGeometry(64, 48, 3, 1.3), "5f2e7b0aae051129"),
    ],
)
def test_the_test_picture_never_changes(geometry, digest):
    """Every golden answer in a card rests on these bits."""
    assert hashlib.sha256(picture(geometry).tobytes()).hexdigest()[:16] == digest


def test_the_test_picture_has_the_size_that_the_model_wants():
    assert picture(CropGeometry(20, 30, 3, 1.0)).shape == (30, 20, 3)
    assert picture(CropGeometry(20, 30, 1, 1.0)).shape == (30, 20, 1)
    assert picture(CropGeometry(1, 1, 1, 10.0)).dtype == np.uint8


def test_mistaken_channels_mirroring_and_scaling_change_the_test_picture():
    face = picture(CropGeometry(64, 64, 3, 1.0)).astype(int)
    assert np.abs(face - face[..., ::-1]).mean() > 20
    assert np.abs(face - face[:, ::-1]).mean() > 5
    assert np.abs(face - picture(CropGeometry(64, 64, 3, 1.5))).mean() > 20


def test_the_eyes_stand_where_the_box_normalization_puts_them():
    grey = picture(CropGeometry(100, 100, 1, 1.0))[..., 0]
    assert grey[28, 30] < 60 and grey[28, 69] < 60
    wide = picture(CropGeometry(200, 200, 1, 2.0))[..., 0]
    assert wide[78, 80] < 60 and wide[78, 119] < 60


@pytest.mark.parametrize("width", [1, 7, 24, 64, 65, 512])
def test_a_face_is_seen_at_every_size(width):
    face = picture(CropGeometry(width, width, 1, 1.0))
    assert face.shape == (width, width, 1)
    assert width == 1 or np.ptp(face) > 60
