"""YuNet through OpenCV's `FaceDetectorYN`: a small convolutional net that also finds small and turned faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stages.detectors.detector import Settings, not_a_model, users_file
from stages.detectors.framing import Framing

NAME = "yunet"
WHERE = (
    "face_detection_yunet_2023mar.onnx from https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
)
# OpenCV's own 0.9 leaves out turned and blurred faces: in 28 frames of a video it finds 20, this one 59 (those of them
# that were looked at were faces); in 14 photographs 22 and 24.
CERTAIN = 0.7
ROOM = 64  # pixels: the least that the net is given, each way


class YuNetFinder:
    """`cv2.FaceDetectorYN` on a colour picture, with weights that the user brings."""

    # Medians over 482 faces of UTKFace; 10 % to 90 %: side 1.686 to 1.930, right -0.005 to 0.031, down -0.008 to 0.026.
    framing = Framing(side=1.791, right=0.012, down=0.010)
    colour = True
    least = 6.0  # faces of about 10 pixels

    def __init__(self, settings: Settings) -> None:
        file = self.file(settings.model)
        try:
            self._detector = cv2.FaceDetectorYN.create(
                str(file), "", (64, 64), score_threshold=CERTAIN, nms_threshold=0.3, top_k=5000
            )
            # Any ONNX file loads; only a picture shows whether it is this net.
            self.find(np.zeros((64, 64, 3), np.uint8), 0.0)
        except cv2.error as error:
            raise not_a_model(file, NAME, WHERE) from error

    @staticmethod
    def file(model: str | None) -> Path:
        """The user's weights."""
        return users_file(model, NAME, WHERE)

    def find(self, pixels: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        """Squares around the landmarks, with YuNet's own score."""
        # OpenCV fills the net's input up to multiples of 32. Where that leaves 32 pixels in one direction, its answer
        # changes from call to call (4.14): faces at random, in an all-black picture too.
        missing = [max(0, ROOM - side) for side in pixels.shape[:2]]
        if any(missing):
            pixels = cv2.copyMakeBorder(pixels, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT)
        self._detector.setInputSize((pixels.shape[1], pixels.shape[0]))
        _, faces = self._detector.detect(pixels)
        if faces is None:
            return np.zeros((0, 4)), np.zeros(0)
        return _around_landmarks(faces[:, 4:14].astype(np.float64).reshape(-1, 5, 2)), faces[:, 14]


def _around_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Squares around landmarks (N, 5, 2): right eye, left eye, tip of the nose, right and left corner of the mouth.

    They frame a face more evenly than YuNet's own boxes, which follow the outline of the head: over 998 faces of
    UTKFace the centre strays sideways by 0.015 of the side (standard deviation) instead of 0.071, the size by 0.058
    instead of 0.084. The diagonal of both distances changes less than either when a head turns or nods.
    """
    eyes, mouth = landmarks[:, :2], landmarks[:, 3:]
    between_eyes = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)
    eyes_to_mouth = np.linalg.norm(mouth.mean(axis=1) - eyes.mean(axis=1), axis=1)
    side = np.hypot(between_eyes, eyes_to_mouth)
    corner = landmarks.mean(axis=1) - side[:, None] / 2
    return np.column_stack([corner, side, side])
