"""Other views of a picture, in which a detector finds faces that it misses in the picture itself.

They show more that is no face, too. So nothing is told about what is found in them; it is hidden (`render.blur`).
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import cv2
import numpy as np

# The mirrored picture shows faces from the side that are found from the other side only. A smaller one with more
# contrast shows those that fill the picture, are out of focus or in the dark. More views than these two find little
# more and hide much more (docs/usage.md, "Anonymisation").
_SMALLER = 0.4  # of the sides
_CONTRAST, _TILES = 3.0, (4, 4)  # of the histogram equalization


class Finder(Protocol):
    """What is needed of a `DetectorBackend`."""

    min_face: ClassVar[float]

    def find(self, pixels: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and scores (N,), and perhaps more."""


class Views:
    """Looks at the mirrored picture, and at a smaller one with more contrast."""

    def __init__(self, same_size: Finder, smaller: Finder, least: float):
        """Two backends, because some take long to change the size; `least`: the score from which a box counts."""
        self._same_size, self._smaller, self._least = same_size, smaller, least
        self._equalization = cv2.createCLAHE(_CONTRAST, _TILES)

    def find(self, pixels: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and scores (N,) in uint8 (H, W, 3) BGR, as `DetectorBackend.find` gives them."""
        height, width = pixels.shape[:2]
        boxes, scores = self._look(self._same_size, np.ascontiguousarray(pixels[:, ::-1]), smallest)
        boxes[:, 0] = width - boxes[:, 0] - boxes[:, 2]
        size = (round(width * _SMALLER), round(height * _SMALLER))
        if min(size) < self._smaller.min_face / 2:  # As in `Detector.detect`.
            return boxes, scores
        small = self._with_contrast(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
        more, their_scores = self._look(self._smaller, small, smallest * _SMALLER)
        more *= np.tile([width / size[0], height / size[1]], 2)
        return np.concatenate([boxes, more]), np.concatenate([scores, their_scores])

    def _look(self, backend: Finder, pixels: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        boxes, scores = (np.asarray(of, np.float64) for of in backend.find(pixels, smallest)[:2])
        counts = scores.reshape(-1) >= self._least
        return boxes.reshape(-1, 4)[counts], scores.reshape(-1)[counts]

    def _with_contrast(self, pixels: np.ndarray) -> np.ndarray:
        lab = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB)
        lab[..., 0] = self._equalization.apply(lab[..., 0])
        return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
