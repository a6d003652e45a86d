"""Where the label box with a face's labels goes: inside the picture, and beside the faces rather than on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# What a pixel of a label box costs where it covers another face, in units of a pixel of its own face.
_OTHER_FACE = 3.0
# The share of a face that may be covered: by a label box for which there is a smaller one, and by the smallest.
_TOUCHES, _HIDES = 0.05, 0.2
_LATER_CHOICE = 0.02  # of the label box's area for each place further down the list: decides between equals


Size = tuple[int, int]


def place_label_boxes(
    boxes: np.ndarray, sizes: list[list[Size]], gap: int, width: int, height: int, taken: Sequence[Sequence[float]] = ()
) -> list[tuple[int, tuple[int, int]] | None]:
    """For each face which of its label boxes is drawn, and where its left upper corner is; None where none finds room.

    boxes: float (N, 4) x1, y1, x2, y2 in pixels; sizes: width and height of the label boxes that each face could have,
    the preferred first, none larger than the picture; gap: pixels between box and label box; width, height: of the
    picture; taken: x1, y1, x2, y2 of what else is written there. No label box covers another one or what is `taken`:
    neither could be read. All but the last are taken only where they cover no face; the last may cover its own face,
    and so little of another that it does not hide it.
    """
    placed = np.array(taken, float).reshape(-1, 4)
    chosen = []
    for number, (box, choices) in enumerate(zip(boxes, sizes, strict=True)):
        others = np.delete(boxes, number, axis=0)
        found = None
        for choice, size in enumerate(choices):
            is_last = choice == len(choices) - 1
            if (best := _place(box, others, placed, size, gap, width, height, is_last)) is not None:
                found = choice, (int(best[0]), int(best[1]))
                placed = np.vstack([placed, best])
                break
        chosen.append(found)
    return chosen


def _place(box, others, placed, size: Size, gap: int, width: int, height: int, is_last: bool) -> np.ndarray | None:
    """The best rectangle for a label box of this size, None where it would hide something."""
    candidates = _candidates(box, size, gap, width, height)
    on_own, on_label_boxes = (_covered(candidates, these).sum(axis=1) for these in (box[None], placed))
    on_others = _covered(candidates, others)
    cost = on_own + _OTHER_FACE * on_others.sum(axis=1)
    cost += _LATER_CHOICE * size[0] * size[1] * np.arange(len(candidates))
    hidden = (on_others / _areas(others)).max(axis=1, initial=0)  # the largest share of another face
    allowed = (on_label_boxes == 0) & (
        hidden <= _HIDES if is_last else (hidden <= _TOUCHES) & (on_own <= _TOUCHES * _areas(box[None]))
    )
    if not allowed.any():
        return None
    return candidates[int(np.argmin(np.where(allowed, cost, np.inf)))]


def _areas(boxes: np.ndarray) -> np.ndarray:
    """Of boxes (N, 4), at least one pixel each: float (N,)."""
    return np.maximum(1.0, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def _candidates(box: np.ndarray, size: tuple[int, int], gap: int, width: int, height: int) -> np.ndarray:
    """Rectangles x1, y1, x2, y2 for a label box, the preferred first, moved into the picture."""
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
    """How many pixels of each of `rectangles` (M, 4) each of the candidates (K, 4) covers: float (K, M)."""
    low = np.maximum(candidates[:, None, :2], rectangles[None, :, :2])
    high = np.minimum(candidates[:, None, 2:], rectangles[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2)
