"""Pictures of one data set that another one holds out: collections from the web have some in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.frames import CropGeometry
from stages.vision.crop import crop_face
from train.augment import colour, moved
from train.data import PARTS
from train.duplicates import SIDE, difference_hash, like_any, signs_of

# Two sets cut the same picture a little differently, so each face is compared as it is framed and as it might be: (of
# the side, of how much it is lower). The same picture then differs in 21 to 32 of 256 bits, and unlike faces seldom in
# fewer than 36.
VIEWS = ((1.0, 0.0), (1.0, -0.05), (1.0, 0.05), (0.92, 0.0), (1.08, 0.0))
GEOMETRY = CropGeometry(64, 64, 1, 1.0)


def held_out_in(other: dict[str, np.ndarray], pictures: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """Which of the N pictures (S, S, C) with their boxes (N, 4) look like one that the cache `other` holds out.

    bool (N,): True where the cache has such a picture in its validation or test part.
    """
    held_out = other["part"] != PARTS.index("train")
    theirs = framed(other["pictures"][held_out], other["boxes"][held_out], (1.0, 0.0))
    found = np.zeros(len(pictures), bool)
    for view in VIEWS:
        found |= like_any(framed(pictures, boxes, view), theirs)
    return found


def framed(pictures: Sequence[np.ndarray], boxes: np.ndarray, view: tuple[float, float]) -> np.ndarray:
    """The signs, float32 (N, 256), of the faces as a view frames them."""
    scale, lower = view
    rows = np.empty((len(pictures), SIDE**2), bool)
    for row, picture, box in zip(rows, pictures, boxes, strict=True):
        face = crop_face(colour(picture), moved(box, np.array([0.0, lower]), scale), GEOMETRY)
        row[:] = difference_hash(face[:, :, 0])
    return signs_of(rows)
