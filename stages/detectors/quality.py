"""How good a picture of a face is, by one formula: what answers about it count beside others, and when they are told.

    quality = score x facing x min(1, side / 48) x min(1, detail / 0.3)

`score` is the detector's; `facing` the cosine of the angle between where the face looks and the camera; `side` that of
its box, in pixels; `detail` is measured in the upright face, in 64 x 64 grey pixels: the effective value of the
Laplacian (4 neighbours) over the standard deviation, so that light and contrast do not matter. A sharp face of 96
pixels has a detail of 0.40, one of 32 pixels 0.24, of 18 pixels 0.15; blurred by 2 % of the side (Gaussian) 0.15, by
4 % 0.09. Noise is taken for detail.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from stages.core.frames import CropGeometry, Pose
from stages.detectors.framing import cut

ENOUGH_SIDE = 48.0  # pixels; beyond it a larger face is no better
ENOUGH_DETAIL = 0.3
_GEOMETRY = CropGeometry(64, 64, 1, 1.0)


def quality(pixels: np.ndarray, box: np.ndarray, pose: Pose, score: float) -> float:
    """In [0, 1], of a face in uint8 (H, W, 3) BGR, by its box x, y, width, height."""
    facing = max(0.0, math.cos(math.radians(pose.yaw)) * math.cos(math.radians(pose.pitch)))
    sharp = detail(cut(pixels, box, _GEOMETRY, pose.roll)[:, :, 0])
    return score * facing * min(1.0, float(box[2]) / ENOUGH_SIDE) * min(1.0, sharp / ENOUGH_DETAIL)


def detail(grey: np.ndarray) -> float:
    """Of a face, uint8 (H, W); 0 where all of it has one colour. Sums of whole numbers: the same on every machine."""
    edges, values = cv2.Laplacian(grey, cv2.CV_16S).astype(np.int64), grey.astype(np.int64)
    variance = grey.size * int((values * values).sum()) - int(values.sum()) ** 2  # times the square of the size
    if variance == 0:
        return 0.0
    return math.sqrt(int((edges * edges).sum()) * grey.size / variance)
