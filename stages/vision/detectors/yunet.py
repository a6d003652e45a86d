"""YuNet through OpenCV's `FaceDetectorYN`: a small convolutional net that also finds small and turned faces."""

from __future__ import annotations

import cv2
import numpy as np

from ...config.schema import MODEL_FILES, Detect
from ..crop import BoxNormalization
from .detector import Found, not_a_model, said_of, sha256_of, users_file

NAME = "yunet"
WHERE = MODEL_FILES[NAME]
# OpenCV's own 0.9 leaves out turned and blurred faces: in 28 frames of a video it finds 20, this one 59 (those of them
# that were looked at were faces); in 14 photographs 22 and 24.
CERTAIN = 0.7
ROOM = 64  # pixels: the least that the net is given, each way


class YuNetBackend:
    """`cv2.FaceDetectorYN` on a colour picture, with weights that the user brings."""

    # Of its own boxes, for faces whose landmarks are of no use. Medians over 1,000 faces of UTKFace; 10 % to 90 %: side
    # 0.783 to 0.952, right -0.071 to 0.092, down 0.079 to 0.178.
    box_normalization = BoxNormalization(side=0.847, right=0.007, down=0.134)
    colour = True
    min_face = 12.5  # faces of about 10 pixels

    def __init__(self, settings: Detect) -> None:
        file = users_file(settings.model, NAME, WHERE)
        try:
            self._detector = cv2.FaceDetectorYN.create(
                str(file), "", (64, 64), score_threshold=_certain(settings), nms_threshold=0.3, top_k=5000
            )
            # Any ONNX file loads; only a picture shows whether it is this net.
            self.find(np.zeros((64, 64, 3), np.uint8), 0.0)
        except cv2.error as error:
            raise not_a_model(file, NAME, WHERE) from error

    @classmethod
    def threshold(cls, settings: Detect) -> float:
        """The score from which on a box is a face."""
        return _certain(settings)

    @classmethod
    def means(cls, settings: Detect) -> list:
        """The user's weights."""
        file = users_file(settings.model, NAME, WHERE)
        return [said_of(cls.box_normalization), _certain(settings), sha256_of(file)]

    def find(self, pixels: np.ndarray, smallest: float) -> Found:
        """YuNet's boxes, which follow the outline of the head, its own score and landmarks."""
        # OpenCV fills the net's input up to multiples of 32. Where that leaves 32 pixels in one direction, its answer
        # changes from call to call (4.14): faces at random, in an all-black picture too.
        missing = [max(0, ROOM - side) for side in pixels.shape[:2]]
        if any(missing):
            pixels = cv2.copyMakeBorder(pixels, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT)
        self._detector.setInputSize((pixels.shape[1], pixels.shape[0]))
        _, faces = self._detector.detect(pixels)
        if faces is None:
            return Found(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))
        return Found(faces[:, :4], faces[:, 14], faces[:, 4:14].reshape(-1, 5, 2))


def _certain(settings: Detect) -> float:
    return CERTAIN if settings.threshold is None else float(settings.threshold)
