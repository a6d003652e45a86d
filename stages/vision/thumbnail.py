"""Faces as people look at them: a square around the box, in the size that is shown."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

AROUND = 1.25  # of the longer side of the box; what is hidden is 1.5 of it, so that all of such a square is


def square_around(pixels: np.ndarray, box: Sequence[float], scale: float = AROUND) -> np.ndarray:
    """A square of `scale` times the longer side of a box x, y, width, height, as far as it lies in the picture.

    `pixels`: uint8 (H, W, 3) BGR, of which this is a view; empty where the square lies outside.
    """
    x, y, width, height = box
    half = scale * max(width, height) / 2
    left, top = round(x + width / 2 - half), round(y + height / 2 - half)
    right, bottom = left + round(2 * half), top + round(2 * half)
    return pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """Uint8 (H, W, 3) BGR whose longer side is `side`; not for an empty one."""
    scale = side / max(pixels.shape[:2])
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
