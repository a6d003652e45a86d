"""What the five landmarks of a face say: the upright square around it, and where it looks.

Plain sums of a fixed order, so that every machine gets the same bits but for the last ones of an angle.
"""

from __future__ import annotations

import numpy as np

# Where the points of `Detections.landmarks` lie in the normalised square, in units of its side: medians over 1,000
# pictures of UTKFace's training part by YuNet, right and left evened out (`python -m stages.detectors.measure`).
POINTS = np.array([[0.291, 0.285], [0.683, 0.285], [0.487, 0.524], [0.317, 0.679], [0.657, 0.679]])
# How far each lies behind the eyes, in the same units: those of MediaPipe's canonical face model (Apache 2.0), the
# middle of the lids and corners of an eye, vertices 1, 61 and 291, scaled by the distance of the eyes and of the mouth.
DEPTHS = np.array([0.0, 0.0, -0.222, -0.032, -0.032])
# Least correlation of the points with those of a face that looks into the camera, at its best size, place and roll.
# Heads from the side have 0.6 and more with the errors that detectors make, five random points in every fourth case.
LEAST_LIKENESS = 0.6

_MIDDLE = POINTS.mean(axis=0)
_OFFSETS = (POINTS - _MIDDLE) @ np.array([1, 1j])  # complex: x + iy, which a complex factor scales and turns
_SPREAD = float((np.abs(_OFFSETS) ** 2).mean())
_TO_CENTRE = complex(*(0.5 - _MIDDLE))
_HEAD = np.column_stack([POINTS - _MIDDLE, DEPTHS - DEPTHS.mean()])
_FROM_HEAD = np.linalg.pinv(_HEAD).T  # (5, 3)


def upright(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised squares x, y, width, height, float64 (N, 4), and rolls (N,) in degrees, of landmarks (N, 5, 2).

    The similarity transform that brings the points nearest to `POINTS` (Umeyama 1991), from the picture to the square:
    that way round a head that turns away hardly changes its size, while the distance between the eyes vanishes. The
    rows of points that are not those of a face are NaN.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        points = landmarks[..., 0] + 1j * landmarks[..., 1]
        middle = points.sum(axis=1) / 5
        offsets = points - middle[:, None]
        spread = (np.abs(offsets) ** 2).sum(axis=1) / 5
        common = (offsets * _OFFSETS.conj()).sum(axis=1) / 5
        likeness = np.abs(common) / np.sqrt(spread * _SPREAD)
        side, turn = spread / np.abs(common), common / np.abs(common)
        centre = middle + _TO_CENTRE * side * turn
        boxes = np.column_stack([centre.real - side / 2, centre.imag - side / 2, side, side])
        rolls = np.degrees(np.angle(turn))
        is_face = np.isfinite(boxes).all(axis=1) & (likeness >= LEAST_LIKENESS)
    boxes[~is_face], rolls[~is_face] = np.nan, np.nan
    return boxes, rolls


def looks(landmarks: np.ndarray, boxes: np.ndarray, rolls: np.ndarray) -> np.ndarray:
    """Yaw and pitch of `Pose` in degrees, float64 (N, 2), of landmarks (N, 5, 2) and what `upright` makes of them.

    The head is taken to be far away (weak perspective): the affine map that brings `POINTS` with `DEPTHS` nearest to
    the landmarks, and of it the nearest rotation. How exact that is: heads of these points, seen from 60 cm with
    pitches of up to 20 degrees, and each landmark off by 0.012 of the side (standard deviation), are told 3 to 4 degrees
    off up to a yaw of 45 (mean absolute error, either angle); heads of the canonical model's own shape 6, because 0 is
    how people in UTKFace hold their heads when they look into the camera, by 7 degrees higher than it does.
    """
    turns = np.exp(-1j * np.radians(rolls))[:, None] / boxes[:, 2:3]
    points = (landmarks[..., 0] + 1j * landmarks[..., 1]) * turns
    points -= points.sum(axis=1, keepdims=True) / 5
    seen = np.stack([points.real, points.imag], axis=1)  # (N, 2, 5)
    across, down = np.moveaxis((seen[:, :, :, None] * _FROM_HEAD).sum(axis=2), 1, 0)  # (N, 3) each: the rows of the map
    across, down = _nearest_unit_vectors(across, down)
    toward = np.cross(across, down)[:, 2]  # of the viewer: what is left of the unit vector out of the face
    return np.degrees(np.column_stack([np.arctan2(-across[:, 2], toward), np.arcsin(down[:, 2].clip(-1, 1))]))


def _nearest_unit_vectors(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pair of perpendicular unit vectors nearest to two vectors (N, 3): (M M')^-1/2 M, in closed form."""
    a, b, c = ((x * y).sum(axis=1, keepdims=True) for x, y in ((one, one), (one, other), (other, other)))
    root = np.sqrt(np.maximum(a * c - b * b, 1e-12))  # of the determinant; where it is 0 no vector is nearest
    scale = root * np.sqrt(a + c + 2 * root)
    return ((c + root) * one - b * other) / scale, ((a + root) * other - b * one) / scale
