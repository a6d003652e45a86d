"""What the five landmarks of a face say: the upright square around it, and where it looks.

One face at a time and in plain numbers: in arrays the last bits would depend on how many others there are.
"""

from __future__ import annotations

import cmath
import math

import numpy as np

# Where the points of `Detections.landmarks` lie in the normalised square, in units of its side: medians over 1,000
# pictures of UTKFace's training part by YuNet, right and left evened out (`python -m stages.vision.detectors.measure`).
POINTS = np.array([[0.291, 0.285], [0.683, 0.285], [0.487, 0.524], [0.317, 0.679], [0.657, 0.679]])
# How far each lies behind the eyes, in the same units: those of MediaPipe's canonical face model (Apache 2.0), the
# middle of the lids and corners of an eye, vertices 1, 61 and 291, scaled by the distance of the eyes and of the mouth.
DEPTHS = np.array([0.0, 0.0, -0.222, -0.032, -0.032])
# Least correlation of eyes and mouth with those of a face that looks into the camera, at its best size, place and roll:
# heads that are seen quite from the side have 0.6 and more, with the errors that detectors make.
LEAST_LIKENESS = 0.6

FARTHEST = 1e9  # pixels: no picture has landmarks beyond

_FLAT = (0, 1, 3, 4)  # eyes and mouth lie nearly in one plane; the nose, before it, moves aside when a head turns
_COMPLEX = [complex(x, y) for x, y in POINTS.tolist()]  # a complex factor scales and turns
_FLAT_MIDDLE = sum(_COMPLEX[i] for i in _FLAT) / len(_FLAT)
_OFFSETS = [_COMPLEX[i] - _FLAT_MIDDLE for i in _FLAT]
_SPREAD = sum(abs(offset) ** 2 for offset in _OFFSETS)
_TO_CENTRE = 0.5 + 0.5j - sum(_COMPLEX) / 5
_HEAD = np.column_stack([POINTS - POINTS.mean(axis=0), DEPTHS - DEPTHS.mean()])
_FROM_HEAD = np.linalg.pinv(_HEAD).tolist()  # 3 x 5: what each point says of width, height and depth


def upright(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised squares x, y, width, height, float64 (N, 4), and rolls (N,) in degrees, of landmarks (N, 5, 2).

    Size and roll are those of the similarity transform that brings eyes and mouth nearest to their `POINTS` (Umeyama
    1991), from the picture to the square: that way round a head that turns away keeps its size within 16 %, up to a
    profile, while the distance between the eyes vanishes. The middle is that of all five, which strays less: over 1,000
    faces of UTKFace by 1.6 % and 1.5 % of the side (standard deviation), the size by 5.9 %. The rows of points that are
    not those of a face are NaN.
    """
    squares = [_square(points) for points in landmarks.tolist()]
    left, top, sides, rolls = np.array([square or (math.nan,) * 4 for square in squares]).reshape(-1, 4).T
    return np.column_stack([left, top, sides, sides]), rolls


def looks(landmarks: np.ndarray, boxes: np.ndarray, rolls: np.ndarray) -> np.ndarray:
    """Yaw and pitch of `Pose` in degrees, float64 (N, 2), of landmarks (N, 5, 2) and what `upright` makes of them.

    The head is taken to be far away (weak perspective): the affine map that brings `POINTS` with `DEPTHS` nearest to
    the landmarks, and of it the nearest rotation. Heads of these points that are rendered at known angles, with pitches
    of up to 20 degrees, from 60 cm and with each landmark off by 0.012 of the side (standard deviation), are told 3 to
    4 degrees off up to a yaw of 45 (mean absolute error, either angle). Of heads of the canonical model's own shape the
    pitch is 6 off: 0 is how people in UTKFace hold their heads before a camera, 7 degrees from how that model does.
    """
    faces = zip(landmarks.tolist(), boxes[:, 2].tolist(), rolls.tolist(), strict=True)
    return np.array([_look(*face) for face in faces]).reshape(-1, 2)


def _square(landmarks: list[list[float]]) -> tuple[float, float, float, float] | None:
    """Left, top, side and roll of one face; None where it is none."""
    if not all(abs(number) <= FARTHEST for point in landmarks for number in point):
        return None
    points = [complex(x, y) for x, y in landmarks]
    middle = sum(points[i] for i in _FLAT) / len(_FLAT)
    offsets = [points[i] - middle for i in _FLAT]
    spread = sum(abs(offset) ** 2 for offset in offsets)
    common = sum(one * other.conjugate() for one, other in zip(offsets, _OFFSETS, strict=True))
    if not spread or abs(common) < LEAST_LIKENESS * math.sqrt(spread * _SPREAD):
        return None
    side, turn = spread / abs(common), common / abs(common)
    centre = sum(points) / 5 + _TO_CENTRE * side * turn
    return centre.real - side / 2, centre.imag - side / 2, side, math.degrees(cmath.phase(turn))


def _look(landmarks: list[list[float]], side: float, roll: float) -> tuple[float, float]:
    """Yaw and pitch of one face."""
    if not side > 0:
        return math.nan, math.nan
    turn = cmath.rect(1 / side, -math.radians(roll))
    points = [complex(x, y) * turn for x, y in landmarks]
    middle = sum(points) / 5
    axes = [sum(share * (point - middle) for share, point in zip(row, points, strict=True)) for row in _FROM_HEAD]
    # The map's rows, across and down, become the nearest pair of perpendicular unit vectors: (M M')^-1/2 M.
    a, c = sum(axis.real**2 for axis in axes), sum(axis.imag**2 for axis in axes)
    b = sum(axis.real * axis.imag for axis in axes)
    root = math.sqrt(max(a * c - b * b, 1e-12))  # of the determinant; where that is 0 no pair is nearest
    scale = root * math.sqrt(a + c + 2 * root)
    across = [((c + root) * axis.real - b * axis.imag) / scale for axis in axes]
    down = [((a + root) * axis.imag - b * axis.real) / scale for axis in axes]
    toward = across[0] * down[1] - across[1] * down[0]  # what of the unit vector out of the face is toward the viewer
    return math.degrees(math.atan2(-across[2], toward)), math.degrees(math.asin(min(1.0, max(-1.0, down[2]))))
