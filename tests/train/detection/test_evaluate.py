from __future__ import annotations

import numpy as np

from stages.config.schema import Detect
from stages.vision.crop import BoxNormalization
from stages.vision.detectors.detector import Detector, Found
from tests.vision.detectors.test_landmarks import rendered
from train.detection.evaluate import by_level_squares

HEAD = np.array([[260.0, 150.0, 80.0, 100.0]])  # as a person would draw a box around a head in profile
PIXELS = np.zeros((400, 600, 3), np.uint8)
SETTINGS = Detect(detector="haar", longest_side=600).resolved()


class Backend:
    """Finds that head, and its landmarks if there are any."""

    colour, min_face, box_normalization = True, 16.0, BoxNormalization(side=1.0)

    def __init__(self, landmarks: np.ndarray | None) -> None:
        self.landmarks = landmarks

    def find(self, pixels, smallest):
        return Found(HEAD, np.array([0.9]), self.landmarks)


def test_landmarks_of_a_turned_head_do_not_decide_whether_it_counts_as_found():
    seen, unseen = Backend(rendered(60).astype(float)), Backend(None)
    assert not np.allclose(*(Detector(each, SETTINGS).detect(PIXELS).boxes for each in (seen, unseen)), atol=5)
    assert np.array_equal(*(by_level_squares(each, SETTINGS)(PIXELS)[0] for each in (seen, unseen)))
