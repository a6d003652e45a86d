"""What real detectors are shown of a data set's pictures."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stages.config.schema import Detect
from stages.frames import CropGeometry
from stages.vision.detectors import make_detector
from train.augment import plain
from train.data import Faces
from train.detected import LONGEST_SIDE, ROLLED, SETTINGS, has_surround, rolled, with_detected_boxes

HEAD = np.s_[0:224, 110:334]  # of the astronaut, with shoulders and what is behind her
BOX = np.array([70.5, 75.0, 95.0, 95.0], np.float32)  # the normalised box there, from the eyes, by hand
BUILT_IN = ("haar", "dlib")


def with_box(picture, box):
    return Faces(np.ascontiguousarray(picture)[None], np.array(box, np.float32)[None], {})


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_detector_sees_the_true_surround_of_a_face_and_nothing_made_up(name, astronaut):
    whole = np.ascontiguousarray(astronaut[HEAD])
    faces, found = with_detected_boxes(with_box(whole, BOX), name)
    factor = LONGEST_SIDE / 224
    finder = make_detector(Detect(detector=name, longest_side=LONGEST_SIDE, **SETTINGS))
    (alone,) = finder.detect(cv2.resize(whole, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)).boxes
    assert found.tolist() == [True]
    assert np.array_equal(faces.boxes[0], (alone / factor).astype(np.float32))
    assert faces.boxes[0] == pytest.approx(BOX, abs=14)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_face_that_fills_its_picture_is_given_a_border_and_found_where_it_is(name, astronaut):
    cut = cv2.resize(astronaut[75:170, 180:275], (96, 96))
    faces, found = with_detected_boxes(with_box(cut, (0, 0, 96, 96)), name)
    assert found.tolist() == [True]
    assert faces.boxes[0] == pytest.approx((0, 0, 96, 96), abs=14)


def test_a_face_near_one_edge_lacks_surround():
    picture = np.zeros((224, 224, 3), np.uint8)
    assert has_surround(picture, (60, 60, 100, 100))
    assert not has_surround(picture, (60, 80, 100, 100))
    assert not has_surround(picture, (20, 60, 100, 100))


GEOMETRY = CropGeometry(64, 64, 3, 1.0)


@pytest.mark.parametrize("degrees", [-45, 0, 30])
def test_a_picture_is_rolled_around_the_face_and_its_box_stays_where_it_is(degrees, astronaut):
    faces = with_box(astronaut[HEAD], BOX)
    tilted = rolled(faces, degrees)
    side = round(ROLLED * BOX[2])
    assert tilted.pictures.shape == (1, side, side, 3)
    assert tilted.boxes[0] == pytest.approx(((side - 95) / 2, (side - 95) / 2, 95, 95))
    upright = dataclasses.replace(tilted, rolls=np.float32([degrees]))
    inner = np.s_[:, 8:-8, 8:-8]
    difference = plain(upright, GEOMETRY)[inner].astype(int) - plain(faces, GEOMETRY)[inner]
    assert np.abs(difference).mean() < 6


def test_a_detector_with_landmarks_says_how_far_its_square_is_turned(astronaut, peers):
    tilted = rolled(with_box(astronaut[HEAD], BOX), 20)
    model = str(peers / "face_detection_yunet_2023mar.onnx")
    faces, found = with_detected_boxes(tilted, "yunet", model)
    factor = LONGEST_SIDE / tilted.pictures.shape[1]
    finder = make_detector(Detect(detector="yunet", longest_side=LONGEST_SIDE, model=model, **SETTINGS))
    alone = finder.detect(cv2.resize(tilted.pictures[0], None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR))
    assert found.tolist() == [True]
    assert np.array_equal(faces.boxes[0], (alone.boxes[0] / factor).astype(np.float32))
    assert faces.roll(0) == np.float32(alone.rolls[0]) and faces.roll(0) > 5


def test_a_detector_without_landmarks_leaves_squares_level(astronaut):
    faces, _ = with_detected_boxes(rolled(with_box(astronaut[HEAD], BOX), 10), "haar")
    assert faces.roll(0) == 0
