"""Pictures of one data set that another one holds out: collections from the web have some in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.core.frames import CropGeometry
from stages.detectors.framing import cut
from train.augment import colour, moved
from train.data import PARTS
from train.duplicates import SIDE, difference_hash

# Two sets cut the same picture a little differently, so each face is compared as it is framed and as it might be: (of
# the side, of how much it is lower). The same picture then differs in 21 to 32 of 256 bits, found by eye; unlike faces
# seldom differ in fewer than 36, and to leave out a hundred faces too many costs little.
VIEWS = ((1.0, 0.0), (1.0, -0.05), (1.0, 0.05), (0.92, 0.0), (1.08, 0.0))
ALIKE = 35  # bits
GEOMETRY = CropGeometry(64, 64, 1, 1.0)


def held_out_in(other: dict[str, np.ndarray], pictures: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """Which of the N pictures (S, S, C) with their boxes (N, 4) look like one that the cache `other` holds out.

    bool (N,): True where the cache has such a picture in its validation or test part.
    """
    held_out = other["part"] != PARTS.index("train")
    theirs = signs_of(other["pictures"][held_out], other["boxes"][held_out], (1.0, 0.0)).T
    found = np.zeros(len(pictures), bool)
    for view in VIEWS:
        for first in range(0, len(pictures), 1024):
            part = slice(first, first + 1024)
            # The product of two hashes of +1 and -1 is 256 less twice the bits in which they differ.
            likeness = signs_of(pictures[part], boxes[part], view) @ theirs
            found[part] |= (likeness >= SIDE**2 - 2 * ALIKE).any(axis=1)
    return found


def signs_of(pictures: Sequence[np.ndarray], boxes: np.ndarray, view: tuple[float, float]) -> np.ndarray:
    """The hashes of the faces as float32 (N, 256) of +1 and -1."""
    scale, lower = view
    rows = np.empty((len(pictures), SIDE**2), np.float32)
    for row, picture, box in zip(rows, pictures, boxes, strict=True):
        face = cut(colour(picture), moved(box, np.array([0.0, lower]), scale), GEOMETRY)
        row[:] = difference_hash(face[:, :, 0]) * 2.0 - 1.0
    return rows
