"""Pixels of any depth and with any alpha become uint8 (H, W, 3) BGR; and OpenCV without its own lines on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np


def over_white(bgra: np.ndarray) -> np.ndarray:
    """Lay uint8 (H, W, 4) over white paper: what lies under full transparency is arbitrary, often black or garish."""
    alpha = bgra[:, :, 3:]
    if alpha.min() == 255:
        return cv2.cvtColor(bgra, cv2.COLOR_BGRA2BGR)
    alpha = alpha.astype(np.uint16)
    return ((bgra[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def to_8_bits(pixels: np.ndarray, brightest: int | None = None) -> np.ndarray:
    """Scale to uint8. `brightest`: the value that is white where the file says so; else the dtype's, for floats 1.

    Floats of which most are above 1 hold the values of whole numbers: of them 255 is white, or 65535.
    """
    if pixels.dtype == np.uint8 and brightest in (None, 255):
        return pixels
    if brightest is None:
        brightest = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else _white_of_floats(pixels)
    pixels = np.nan_to_num(pixels.astype(np.float32, copy=False))
    return np.rint(np.clip(pixels * (255 / brightest), 0, 255)).astype(np.uint8)


def _white_of_floats(pixels: np.ndarray) -> int:
    if np.mean(pixels > 1) <= 0.5:
        return 1
    return 255 if np.nanmax(pixels) <= 255 else 65535


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Within, OpenCV logs nothing: a sentence of ours says what is wrong. What it raises passes."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
