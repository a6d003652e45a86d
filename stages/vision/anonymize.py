"""Makes faces unrecognisable, for use with strangers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

# What is left of a face: so many blocks across a square with hair and chin. People recognise faces they know from 16 or
# so across; with 6 neither they nor a net can tell one from another.
_BLOCKS = 6
_WIDER = 1.5  # that square's side, in units of the box's
_BLOCKS_OF_A_PICTURE = 8  # across the shorter side of a picture of which is not known where its faces are
_SMALLEST = 8  # pixels of a square, so that a box of nothing hides something


def anonymize(pixels: np.ndarray, boxes: Sequence[Sequence[float]] | None, how: str) -> np.ndarray:
    """`anonymize_faces`, or `anonymize_image` where nobody knows in which boxes faces are (None)."""
    return anonymize_image(pixels) if boxes is None else anonymize_faces(pixels, boxes, how)


def anonymize_faces(pixels: np.ndarray, boxes: Sequence[Sequence[float]], how: str) -> np.ndarray:
    """A copy of uint8 (H, W, 3) BGR in which what lies in the boxes (x, y, width, height) cannot be recognised.

    how: `pixelate` leaves blocks of one colour, `blur` a smooth surface made of the same few colours. What is left does
    not hold more than these blocks, so nothing can bring the face back.
    """
    hidden = np.array(pixels, order="C")
    for rows, columns, side in _squares(hidden.shape[:2], boxes):
        region = hidden[rows, columns]
        # Clipped first and divided then: a face half in the picture must not be left with finer blocks.
        blocks = [max(1, round(_BLOCKS * length / side)) for length in reversed(region.shape[:2])]
        region[:] = _coarse(region, *blocks, how)
    return hidden


def hidden_area(shape: tuple[int, int], boxes: Sequence[Sequence[float]]) -> np.ndarray:
    """What `anonymize_faces` changes in a picture of height, width `shape`: bool (H, W)."""
    area = np.zeros(shape, bool)
    for rows, columns, _ in _squares(shape, boxes):
        area[rows, columns] = True
    return area


def _squares(shape: tuple[int, int], boxes: Sequence[Sequence[float]]) -> Iterator[tuple[slice, slice, float]]:
    """Rows and columns around each box that reaches into the picture, and the side of the whole square."""
    height, width = shape
    for x, y, wide, high in boxes:
        side = max(_WIDER * max(wide, high), _SMALLEST)
        left, top = x + wide / 2 - side / 2, y + high / 2 - side / 2
        x1, y1 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
        x2, y2 = min(width, int(np.ceil(left + side))), min(height, int(np.ceil(top + side)))
        if x1 < x2 and y1 < y2:
            yield slice(y1, y2), slice(x1, x2), side


def anonymize_image(pixels: np.ndarray) -> np.ndarray:
    """A copy that is pixelated whole: for a picture that was not analysed, so that nobody knows where its faces are."""
    height, width = pixels.shape[:2]
    block = max(1.0, min(height, width) / _BLOCKS_OF_A_PICTURE)
    return _coarse(pixels, max(1, round(width / block)), max(1, round(height / block)), "pixelate")


def _coarse(region: np.ndarray, across: int, down: int, how: str) -> np.ndarray:
    height, width = region.shape[:2]
    few = cv2.resize(region, (min(across, width), min(down, height)), interpolation=cv2.INTER_AREA)
    smooth = cv2.INTER_LINEAR if how == "blur" else cv2.INTER_NEAREST
    return cv2.resize(few, (width, height), interpolation=smooth)
