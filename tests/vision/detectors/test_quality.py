"""How good a picture of a face is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.frames import Pose
from stages.vision.detectors.quality import quality

BOX = (180.0, 70.0, 112.0, 112.0)  # of the astronaut, about
AHEAD = Pose(0.0, 0.0, 0.0)


def test_a_large_sharp_face_that_looks_into_the_camera_is_as_good_as_the_detector_is_sure(astronaut):
    assert quality(astronaut, BOX, AHEAD, 0.9) == 0.9


@pytest.mark.parametrize("pose", [Pose(60, 0, 0), Pose(-60, 0, 0), Pose(0, 60, 0), Pose(0, -60, 10)])
def test_a_face_that_looks_60_degrees_away_is_half_as_good(astronaut, pose):
    assert quality(astronaut, BOX, pose, 0.9) == pytest.approx(0.45, abs=0.01)


@pytest.mark.parametrize("yaw", [90.0, 120.0, 180.0])
def test_one_that_looks_away_is_worth_nothing(astronaut, yaw):
    assert quality(astronaut, BOX, Pose(yaw, 0, 0), 0.9) == pytest.approx(0, abs=1e-12)


def test_roll_costs_nothing(astronaut):
    turned = np.ascontiguousarray(np.rot90(astronaut))
    x, y, side, _ = BOX
    box = (y, astronaut.shape[1] - x - side, side, side)
    assert quality(turned, box, Pose(0, 0, -90.0), 0.9) == pytest.approx(quality(astronaut, BOX, AHEAD, 0.9))


def test_the_smaller_the_worse(astronaut):
    def at(factor: float) -> float:
        small = cv2.resize(astronaut, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return quality(small, np.multiply(BOX, factor), AHEAD, 1.0)

    told = [at(side / BOX[2]) for side in (64, 32, 24, 16, 12)]
    assert told == sorted(told, reverse=True)
    assert told[0] > 0.9 and 0.4 < told[1] < 0.7 and told[-1] < 0.15


def test_the_more_blurred_the_worse_and_light_does_not_matter(astronaut):
    blurred = [
        quality(cv2.GaussianBlur(astronaut, (0, 0), share * 112), BOX, AHEAD, 1.0) for share in (0.02, 0.04, 0.08)
    ]
    assert 0.3 < blurred[0] < 0.7 and blurred == sorted(blurred, reverse=True)
    soft = cv2.GaussianBlur(astronaut, (0, 0), 3)
    dark = (soft * 0.5).astype(np.uint8)
    assert quality(dark, BOX, AHEAD, 1.0) == pytest.approx(quality(soft, BOX, AHEAD, 1.0), rel=0.15)


def test_a_face_of_one_colour_is_worth_nothing():
    assert quality(np.full((50, 50, 3), 90, np.uint8), (5, 5, 40, 40), AHEAD, 1.0) == 0


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.floats(-100, 100), st.floats(-100, 100), st.floats(1e-3, 1e3)),
    st.builds(Pose, st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180)),
    st.floats(0, 1),
)
def test_it_is_a_share_whatever_the_face(size, place, pose, score):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    x, y, side = place
    assert 0 <= quality(pixels, (x, y, side, side), pose, score) <= 1
