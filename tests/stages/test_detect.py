"""What detect makes of one frame, with a detector that says what it is told to."""

from __future__ import annotations

import numpy as np
import pytest

from stages.detect import _answer
from stages.frames import CropGeometry, Detections
from stages.protocol import limits
from stages.protocol.messages import TO_RENDER, Faces, Frame, kinds, pack, unpack
from stages.supervision.worker import Answer, Identity
from stages.vision.crop import crop_face
from stages.vision.detectors.landmarks import POINTS

IDENTITY = Identity("detect", "h", 0, 1, "ab")
GEOMETRY = CropGeometry(48, 48, 3, 1.4)


class Told:
    """A detector that finds what it is told to."""

    def __init__(self, boxes, landmarks=None, rolls=None, scores=None):
        self.found = Detections(
            np.array(boxes, float).reshape(-1, 4),
            np.array(scores or [0.9] * len(boxes)),
            np.zeros(len(boxes)) if rolls is None else np.array(rolls, float),
            None if landmarks is None else np.array(landmarks, float).reshape(-1, 5, 2),
        )

    def detect(self, pixels):
        return self.found


def answered(detector: Told, pixels: np.ndarray) -> Answer:
    known = {"run": "r", "epoch": 1, "source": "s", "frame": 0, "seq": 1, "attempt": 1, "skip": []}
    return _answer(IDENTITY, detector, Frame(**known, geometries=[[48, 48, 3, 1.4, ["age"]]], arrays=(pixels,)))


def arrived(message: Faces) -> Faces:
    """As render gets it."""
    return unpack(pack(message), kinds(*TO_RENDER))


def test_a_face_with_landmarks_is_cut_upright_and_its_points_pose_and_quality_are_said(astronaut):
    box, points = (170.0, 68.0, 112.0, 112.0), 112 * POINTS + (170, 68)
    answer = answered(Told([box], [points], rolls=[20.0]), astronaut)
    np.testing.assert_array_equal(answer.to_capture.arrays[0][0], crop_face(astronaut, box, GEOMETRY, roll=20.0))
    said = arrived(answer.to_render)
    assert said.landmarks == [points.ravel().tolist()]
    [(yaw, pitch, roll)], [quality] = said.poses, said.qualities
    assert roll == 20.0 and abs(yaw) < 90 and abs(pitch) < 90
    assert 0.5 < quality <= 0.9


def test_crops_that_are_turned_otherwise_are_not_joined(astronaut):
    box, points = (170.0, 68.0, 112.0, 112.0), 112 * POINTS + (170, 68)
    level, turned = (answered(Told([box], [points], rolls=[roll]), astronaut) for roll in (0.0, 1e-9))
    assert level.to_capture.boxes_hash != turned.to_capture.boxes_hash
    for answer in (level, turned):
        assert answer.to_render.boxes_hash == answer.to_capture.boxes_hash == answer.to_render.expected_hash


def test_a_face_whose_points_are_unknown_says_nothing_of_them(astronaut):
    boxes = [(10.0, 10.0, 50.0, 50.0), (170.0, 68.0, 112.0, 112.0)]
    points = [np.full((5, 2), np.nan), 112 * POINTS + (170, 68)]
    said = arrived(answered(Told(boxes, points), astronaut).to_render)
    assert [len(row) for row in said.landmarks] == [0, 10] and [len(row) for row in said.poses] == [0, 3]
    assert said.qualities[0] is None and said.qualities[1] > 0


def test_a_detector_without_landmarks_says_nothing_of_any_face(astronaut):
    said = arrived(answered(Told([(170.0, 68.0, 112.0, 112.0)]), astronaut).to_render)
    assert (said.landmarks, said.poses, said.qualities) == ([], [], [])


def test_no_face_is_an_answer_with_and_without_landmarks(astronaut):
    for landmarks in (None, []):
        said = arrived(answered(Told([], landmarks), astronaut).to_render)
        assert (said.boxes, said.landmarks, said.qualities) == ([], [], [])


def test_of_500_faces_those_that_are_kept_keep_their_own_points():
    boxes = [(float(n % 25 * 8), float(n // 25 * 8), 8.0, 8.0) for n in range(500)]
    points = [8 * POINTS + box[:2] for box in boxes]
    scores = [0.5 + n / 1000 for n in range(500)]
    said = arrived(answered(Told(boxes, points, scores=scores), np.zeros((200, 200, 3), np.uint8)).to_render)
    assert said.capped == 500 - limits.FACES and len(said.landmarks) == limits.FACES
    for rectangle, row in zip(said.boxes, said.landmarks, strict=True):
        np.testing.assert_allclose(np.reshape(row, (5, 2)), 8 * POINTS + rectangle[:2])


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (3, 5)])
def test_landmarks_outside_a_tiny_picture_are_said_as_they_are(size):
    box, points = (-20.0, -20.0, 40.0, 40.0), 40 * POINTS - 20
    said = arrived(answered(Told([box], [points]), np.zeros((*size, 3), np.uint8)).to_render)
    assert said.landmarks == [points.ravel().tolist()] and said.qualities == [0.0]
