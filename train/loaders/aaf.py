"""All-Age-Faces: faces of 13,322 people from 2 to 80 years, mostly Asian; 00000A02.jpg is number 0 at 2 years.

Its own split is not followed: no figure is given for this set, so a tenth is enough to validate.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from train.data import part_by_name
from train.loaders.reading import Read, add_face, picture_in, pictures_below

NAME = re.compile(r"(\d{5})A(\d{2})")
WOMEN = 7381  # the numbers below are women's, the rest men's
LEFT_EYE, RIGHT_EYE, MOUTH = slice(19, 25), slice(25, 31), slice(31, 49)  # of its 49 points
POINTS = 49
# Where the normalised box has them, in units of its side; how far the mouth is below the eyes is this set's median.
EYES_APART, EYES_DOWN, MOUTH_BELOW = 0.39, 0.285, 0.43


def read_aaf(folder: Path) -> Read:
    """The original pictures, each with the box that its points give."""
    read = Read()
    for path in pictures_below(folder / "original images"):
        name = NAME.fullmatch(path.stem)
        if name is None:
            read.skipped["file name not NUMBERAAGE"] += 1
            continue
        points = points_in(folder / "key points" / f"{path.stem}.txt")
        if points is None:
            read.skipped[f"not {POINTS} key points"] += 1
            continue
        picture = picture_in(read, path)
        if picture is not None:
            labels = {"age": int(name[2]), "gender": int(int(name[1]) < WOMEN)}
            box, roll = face_at(points)
            add_face(read, picture, box, part_by_name(path.stem, test=0), labels, roll=roll)
    return read


def points_in(path: Path) -> np.ndarray | None:
    """float64 (49, 2): x, y in pixels; None if the file does not hold that."""
    try:
        points = np.array(path.read_text(encoding="ascii").split(), dtype=np.float64)
    except (OSError, ValueError):
        return None
    return points.reshape(-1, 2) if points.size == 2 * POINTS and np.isfinite(points).all() else None


def face_at(points: np.ndarray) -> tuple[tuple[float, float, float, float], float]:
    """The normalised box, and by how many degrees the face is turned clockwise: in the cache its eyes lie level.

    The side is that which the distance of the eyes gives or, of a face that looks to the side, that of the mouth.
    """
    left, right, mouth = (points[part].mean(axis=0) for part in (LEFT_EYE, RIGHT_EYE, MOUTH))
    eyes, across = (left + right) / 2, right - left
    side = max(np.hypot(*across) / EYES_APART, np.hypot(*(mouth - eyes)) / MOUTH_BELOW, 1.0)
    roll = np.arctan2(across[1], across[0])
    centre = eyes + (0.5 - EYES_DOWN) * side * np.array([-np.sin(roll), np.cos(roll)])
    return (centre[0] - side / 2, centre[1] - side / 2, side, side), float(np.degrees(roll))
