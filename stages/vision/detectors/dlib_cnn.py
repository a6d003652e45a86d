"""dlib's convolutional detector (max-margin object detection): over a second a picture."""

from __future__ import annotations

import cv2
import numpy as np

from ...config.schema import MODEL_FILES, Detect
from ..crop import BoxNormalization
from .detector import not_a_model, said_of, sha256_of, users_file

NAME = "dlib-cnn"
WHERE = MODEL_FILES[NAME]


class DlibCnnBackend:
    """`dlib.cnn_face_detection_model_v1` on a colour picture, with weights that the user brings."""

    # Medians over 280 faces of UTKFace; 10 % to 90 %: side 1.006 to 1.232, right -0.013 to 0.096, down 0.033 to 0.123.
    box_normalization = BoxNormalization(side=1.141, right=0.048, down=0.070)
    colour = True
    min_face = 80.0  # of 24 faces it found none at 60 pixels, all at 90

    def __init__(self, settings: Detect) -> None:
        import dlib  # Only here: the other detectors do without it.

        file = users_file(settings.model, NAME, WHERE)
        self._threshold = settings.threshold or 0.0
        try:
            self._detector = dlib.cnn_face_detection_model_v1(str(file))
        except (RuntimeError, MemoryError) as error:
            raise not_a_model(file, NAME, WHERE) from error

    @classmethod
    def means(cls, settings: Detect) -> list:
        """The user's weights."""
        file = users_file(settings.model, NAME, WHERE)
        return [said_of(cls.box_normalization), float(settings.threshold or 0), sha256_of(file)]

    def find(self, pixels: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        """Squares, with dlib's own confidence: a margin, 0 at the threshold, for clear faces about 1."""
        found = self._detector(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), 0)
        found = [f for f in found if f.confidence >= self._threshold]
        boxes = [[f.rect.left(), f.rect.top(), f.rect.width(), f.rect.height()] for f in found]
        return np.array(boxes), np.array([f.confidence for f in found])
