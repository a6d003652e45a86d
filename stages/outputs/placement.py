"""Where the plate with a face's labels goes: inside the picture, and beside the faces rather than on them."""

from __future__ import annotations

import numpy as np

# What a pixel of a plate costs where it covers something, in units of a pixel of its own face.
_OTHER_FACE, _OTHER_PLATE = 3.0, 6.0
_LATER_CHOICE = 0.02  # of the plate's area for each place further down the list: decides between equals


def place_plates(
    boxes: np.ndarray, sizes: list[tuple[int, int]], gap: int, width: int, height: int
) -> list[tuple[int, int]]:
    """The left upper corner of each face's plate.

    boxes: float (N, 4) x1, y1, x2, y2 in pixels; sizes: width and height of the N plates, none larger than the picture;
    gap: pixels between box and plate; width, height: of the picture.
    """
    placed = np.empty((0, 4))
    corners = []
    for number, (box, size) in enumerate(zip(boxes, sizes, strict=True)):
        candidates = _candidates(box, size, gap, width, height)
        others = np.delete(boxes, number, axis=0)
        cost = _covered(candidates, box[None]) + _OTHER_FACE * _covered(candidates, others)
        cost += _OTHER_PLATE * _covered(candidates, placed)
        cost += _LATER_CHOICE * size[0] * size[1] * np.arange(len(candidates))
        best = candidates[int(np.argmin(cost))]
        placed = np.vstack([placed, best])
        corners.append((int(best[0]), int(best[1])))
    return corners


def _candidates(box: np.ndarray, size: tuple[int, int], gap: int, width: int, height: int) -> np.ndarray:
    """Rectangles x1, y1, x2, y2 for a plate, the preferred first, moved into the picture."""
    (x1, y1, x2, y2), (wide, high) = box, size
    corners = np.array(
        [
            (x1, y2 + gap),  # below
            (x1, y1 - gap - high),  # above
            (x2 + gap, y1),  # to the right
            (x1 - gap - wide, y1),  # to the left
            (x2 + gap, y2 - high),
            (x1 - gap - wide, y2 - high),
            (x2 - wide, y2 + gap),
            (x2 - wide, y1 - gap - high),
            (x1 + gap, y2 - high - gap),  # within the box, over the chin
        ]
    )
    corners = np.clip(np.rint(corners), 0, (max(0, width - wide), max(0, height - high)))
    return np.hstack([corners, corners + (wide, high)])


def _covered(candidates: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
    """How many pixels of `rectangles` (M, 4) each of the candidates (K, 4) covers: float (K,)."""
    low = np.maximum(candidates[:, None, :2], rectangles[None, :, :2])
    high = np.minimum(candidates[:, None, 2:], rectangles[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)
