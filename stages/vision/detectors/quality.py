"""How good a picture of a face is, by one formula: what answers about it count beside others, and when they are told.

    quality = score x facing x min(1, side / 48) x min(1, detail / 0.3)

`score` is the detector's; `facing` the cosine of the angle between where the face looks and the camera; `side` that of
its box, in pixels; `detail` is measured in the upright face, in 64 x 64 grey pixels: the effective value of the
Laplacian (4 neighbours) over the standard deviation, to whose square that of 16 grey levels is added. So light and
contrast hardly matter, but for a face in the dark, of which the camera shows noise. A sharp face of 96 pixels has a
detail of 0.39, one of 32 pixels 0.23, of 18 pixels 0.14; blurred by 2 % of the side (Gaussian) 0.15, by 4 % 0.08.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from ...frames import CropGeometry, Detections, Pose
from ..crop import crop_face
from .landmarks import looks

ENOUGH_SIDE = 48.0  # pixels; beyond it a larger face is no better
ENOUGH_DETAIL = 0.3
NOISE = 16  # grey levels: a face with less contrast is mostly noise, as in the dark
_GEOMETRY = CropGeometry(64, 64, 1, 1.0)


class Marks(NamedTuple):
    """What is said of a face that has landmarks; lists of nothing and None of one that has not."""

    landmarks: list[float]  # x, y of five points
    pose: list[float]  # yaw, pitch, roll
    quality: float | None


def marks_of(pixels: np.ndarray, faces: Detections) -> list[Marks]:
    """Of every face of one picture, uint8 (H, W, 3) BGR; an empty list where the detector gives no landmarks."""
    if faces.landmarks is None:
        return []
    poses = np.column_stack([looks(faces.landmarks, faces.boxes, faces.rolls), faces.rolls])
    each = zip(
        faces.landmarks.reshape(-1, 10).tolist(), poses.tolist(), faces.boxes, faces.scores.tolist(), strict=True
    )
    return [
        Marks(points, pose, quality(pixels, box, Pose(*pose), score)) if points[0] == points[0] else Marks([], [], None)
        for points, pose, box, score in each
    ]


def quality(pixels: np.ndarray, box: np.ndarray, pose: Pose, score: float) -> float:
    """In [0, 1], of a face in uint8 (H, W, 3) BGR, by its box x, y, width, height."""
    facing = max(0.0, math.cos(math.radians(pose.yaw)) * math.cos(math.radians(pose.pitch)))
    sharp = detail(crop_face(pixels, box, _GEOMETRY, pose.roll)[:, :, 0])
    return score * facing * min(1.0, float(box[2]) / ENOUGH_SIDE) * min(1.0, sharp / ENOUGH_DETAIL)


def detail(grey: np.ndarray) -> float:
    """Of a face, uint8 (H, W). Sums of whole numbers: the same on every machine."""
    edges, values = cv2.Laplacian(grey, cv2.CV_16S).astype(np.int64), grey.astype(np.int64)
    variance = grey.size * int((values * values).sum()) - int(values.sum()) ** 2  # times the square of the size
    return math.sqrt(int((edges * edges).sum()) * grey.size / (variance + (NOISE * grey.size) ** 2))
