"""Where one shot of a video ends and the next begins: a cut, from one frame to the next.

Compared is the arrangement of light and dark, at 32 x 18 pixels: the normalised cross-correlation of the two pictures.
It hardly changes when the camera pans, somebody moves, a flash fires or the light is switched off, and is gone after a
cut. Dissolves and fades are not found: there is no frame at which they happen.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter

WIDTH, HEIGHT = 32, 18  # pixels that are compared
# Measured on the clips of docs/tracking.md: at cuts the correlation was at most 0.46, and elsewhere at least 0.69.
ALIKE = 0.57
# Grey levels of 255. Mean difference of two pictures: below it nothing has happened, as in a dark or still picture that
# is nothing but noise. Standard deviation of one: below it there is nothing in it that could be alike.
DIFFERENT, FLAT = 8.0, 1.0


class Shots:
    """Told every decoded frame of a video in order, says which of them begin a shot."""

    def __init__(self) -> None:
        self._reformat = VideoReformatter()
        self._last: np.ndarray | None = None

    def begins(self, frame: av.VideoFrame) -> bool:
        """Whether there is a cut between the frame before and this one; never at the first frame."""
        small = self._reformat.reformat(frame, WIDTH, HEIGHT, "gray", interpolation="AREA", threads=1)
        last, self._last = self._last, small.to_ndarray().astype(np.float64)
        return last is not None and is_cut(last, self._last)


def is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two pictures that follow one another, float64 (H, W) in grey levels, are of different shots."""
    return float(np.abs(after - before).mean()) >= DIFFERENT and correlation(before, after) < ALIKE


def correlation(before: np.ndarray, after: np.ndarray) -> float:
    """Normalised cross-correlation of two pictures (H, W), in [-1, 1]; 0 where one of them is of one brightness."""
    deviations = before.std() * after.std()
    if min(before.std(), after.std()) < FLAT:
        return 0.0
    return float(((before - before.mean()) * (after - after.mean())).mean() / deviations)
