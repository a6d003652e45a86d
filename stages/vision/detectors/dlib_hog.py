"""dlib's frontal face detector, histograms of oriented gradients: few false alarms, faces of 80 pixels and more."""

from __future__ import annotations

import math

import numpy as np

from ...config.schema import Detect
from ..crop import BoxNormalization
from .detector import said_of

AT_THE_MARGIN, SLOPE = 2.9, 6.1  # of the curve that makes scores of margins
LEAST = -1.0  # margin: below it there are faces everywhere


class DlibHogBackend:
    """`dlib.get_frontal_face_detector` on a grey picture."""

    # Medians over 482 faces of UTKFace; 10 % to 90 %: side 0.991 to 1.227, right -0.035 to 0.043, down -0.033 to 0.054.
    box_normalization = BoxNormalization(side=1.107, right=0.005, down=0.010)
    colour = False
    # Its window. It sees no smaller faces whatever `smallest_face` says, unless the picture grows: only a larger
    # `longest_side` finds smaller faces, at a cost that grows with its square (640: 16 ms a frame, 1280: 61 ms).
    min_face = 80.0

    def __init__(self, settings: Detect) -> None:
        import dlib  # Only here: the other detectors do without it.

        self._detector = dlib.get_frontal_face_detector()
        self._margin = _margin(settings.threshold)

    @classmethod
    def means(cls, settings: Detect) -> list:
        """The detector is part of the library; `model` is for other detectors."""
        return [said_of(cls.box_normalization), _margin(settings.threshold)]

    def find(self, pixels: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        """Squares, on a grid that is coarse in place (8 pixels) and size (6/5)."""
        # Never enlarged here, which quadruples the work: that is for `longest_side` to allow.
        found, margins, _ = self._detector.run(pixels, 0, self._margin)
        return np.array([[r.left(), r.top(), r.width(), r.height()] for r in found]), _score(np.array(margins))


def _margin(threshold: float | None) -> float:
    """The margin that has this score; dlib's own, 0, where none is told."""
    if threshold is None:
        return 0.0
    share = min(max(threshold, 1e-9), 1 - 1e-9)
    return max((math.log(share / (1 - share)) - AT_THE_MARGIN) / SLOPE, LEAST)


def _score(margins: np.ndarray) -> np.ndarray:
    """The share of hits with this margin that are faces, 0.95 at the threshold and 0.997 half above it.

    A logistic curve fitted to 259 hits, 258 of them faces (the pictures of the curve for Haar): the order of scores is
    sure, their size near the threshold rests on one false alarm.
    """
    return 1 / (1 + np.exp(-AT_THE_MARGIN - SLOPE * margins))
