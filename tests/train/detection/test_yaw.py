from __future__ import annotations

import numpy as np
import pytest

from tests.train.detection.test_score import answers, labels
from tests.vision.detectors.test_landmarks import rendered
from train.detection.yaw import UNKNOWN, by_yaw, kinds

BOX = [250, 150, 100, 100]  # of the heads that `rendered` gives
FRONTAL, HALF, PROFILE = "up to 30°", "30° to 60°", "from 60°"


@pytest.mark.parametrize(
    ("yaw", "kind"), [(0, FRONTAL), (-15, FRONTAL), (45, HALF), (-45, HALF), (75, PROFILE), (-75, PROFILE)]
)
def test_a_head_is_of_the_kind_of_its_angle_to_either_side(yaw, kind):
    found = np.array([[*BOX, *rendered(yaw).ravel(), 0.9]], np.float32)
    assert kinds(labels([BOX]), found).tolist() == [kind]


def test_a_face_in_which_no_landmarks_are_seen_is_of_no_kind():
    assert kinds(labels([BOX]), np.zeros((0, 15), np.float32)).tolist() == [UNKNOWN]
    assert kinds(labels([]), np.zeros((0, 15), np.float32)).tolist() == []


def test_recall_counts_the_faces_of_each_kind_alone():
    front, side, other = [10, 10, 40, 50], [100, 10, 40, 50], [200, 10, 40, 50]
    found = by_yaw(
        [answers([*front, 0.9], [*other, 0.8])],
        [labels([front, side, other])],
        [np.array([FRONTAL, PROFILE, FRONTAL], object)],
    )
    assert found == {FRONTAL: (2, 1.0), HALF: (0, 0.0), PROFILE: (1, 0.0), UNKNOWN: (0, 0.0)}


def test_boxes_that_are_not_sure_enough_do_not_count():
    faces = [[100 * n, 10, 40, 50] for n in range(10)]
    nothing = [[100 * n, 300, 40, 50, 0.5] for n in range(5)]
    last = [[*faces[9], 0.4]]  # behind five false ones, where far fewer than nine boxes in ten are faces
    given = answers(*[[*face, 0.9] for face in faces[:9]], *nothing, *last)
    found = by_yaw([given], [labels(faces)], [np.array([FRONTAL] * 9 + [PROFILE], object)])
    assert (found[FRONTAL], found[PROFILE]) == ((9, 1.0), (1, 0.0))


def test_a_detector_that_is_never_so_sure_has_no_recall():
    found = by_yaw([answers([0, 300, 40, 50, 0.9])], [labels([BOX])], [np.array([FRONTAL], object)])
    assert found[FRONTAL] == (1, 0.0)
