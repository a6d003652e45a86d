"""A dark translucent label box with lines of white text, each with a bar in its label's colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .labels import Bar, Line
from .text import base_line, text_mask

_LEGIBLE = 8  # pixels of a capital; smaller ones only where nothing else finds room
_TINY = 5

_TRACK = (96, 96, 96)  # what of a bar is not filled
_BAR_CAPITAL, _BAR_LENGTH, _BAR_HEIGHT = (
    0.85,
    4.5,
    0.62,
)  # of a bar's letters, of other letters; of a bar, of its letters

_KEEPS = 0.22  # of the picture below
_GREY = 26.0  # and so much on top: white ground becomes grey 82, which white text stands out from by 7.6 : 1


@dataclass(frozen=True, slots=True, eq=False)
class LabelBox:
    """A label box that is laid out but not yet drawn."""

    size: tuple[int, int]  # width, height
    texts: tuple[tuple[int, int, np.ndarray], ...]  # left, top, and how much of each pixel the text covers
    bars: tuple[tuple[tuple[int, int, int, int], tuple[int, int, int]], ...]  # x1, y1, x2, y2 exclusive; BGR

    def cover(self) -> np.ndarray:
        """How much of each pixel of the label box its text covers: uint8 (height, width)."""
        cover = np.zeros(self.size[::-1], np.uint8)
        for left, top, mask in self.texts:
            cover[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        return cover


def lay_out(lines: Sequence[Line | Bar], capital: int, width: int, height: int) -> LabelBox | None:
    """A label box no larger than width x height with capitals of `capital` pixels, or smaller where there is no room.

    None without lines, and where even tiny letters find no room.
    """
    for size in (max(capital, _LEGIBLE), _LEGIBLE, _TINY) if lines else ():
        label_box = _laid_out(lines, size)
        if label_box.size[0] <= width and label_box.size[1] <= height:
            return label_box
    return None


def draw_label_box(drawn: np.ndarray, corner: tuple[int, int], label_box: LabelBox) -> None:
    """Draw onto uint8 (H, W, 3) BGR; only the label box's region is touched."""
    (left, top), (width, height) = corner, label_box.size
    region = drawn[top : top + height, left : left + width]
    # All in terms of what is missing to white: the label box leaves some of it, the text takes its share away.
    missing = cv2.convertScaleAbs(region, alpha=-_KEEPS, beta=255 - _GREY)
    uncovered = cv2.cvtColor(cv2.bitwise_not(label_box.cover()), cv2.COLOR_GRAY2BGR)
    filled = cv2.bitwise_not(cv2.multiply(missing, uncovered, scale=1 / 255))
    for (x1, y1, x2, y2), bgr in label_box.bars:
        filled[y1:y2, x1:x2] = bgr
    cv2.copyTo(filled, _rounded(width, height, max(1, min(width, height) // 10)), region)


def _laid_out(lines: Sequence[Line | Bar], capital: int) -> LabelBox:
    pad, leading, bar = max(2, round(capital * 0.5)), round(capital * 0.3), max(2, round(capital * 0.28))
    small = max(_TINY, round(capital * _BAR_CAPITAL))
    left, length = 2 * pad + bar, round(small * _BAR_LENGTH)
    capitals = [small if isinstance(line, Bar) else capital for line in lines]
    masks = [text_mask(line.text, size) for line, size in zip(lines, capitals, strict=True)]
    names = [m.shape[1] for line, m in zip(lines, masks, strict=True) if isinstance(line, Bar)]
    begin = left + max(names, default=0) + pad  # of all bars
    # As wide as any percentage, so that the label box does not tremble.
    said = ["100 %", *(line.said for line in lines if isinstance(line, Bar))]
    numbers = max(text_mask(text, small).shape[1] for text in said) + pad
    widest = max(
        begin + length + numbers if isinstance(line, Bar) else left + mask.shape[1]
        for line, mask in zip(lines, masks, strict=True)
    )
    steps = [
        m.shape[0] + (leading // 2 if isinstance(line, Bar) else leading) for line, m in zip(lines, masks, strict=True)
    ]
    width, height = widest + pad, sum(steps[:-1]) + masks[-1].shape[0] + 2 * pad
    texts, bars, top = [], [], pad
    for line, mask, size, step in zip(lines, masks, capitals, steps, strict=True):
        texts.append((left, top, mask))
        bottom = top + base_line(size) + 1
        bars.append(((pad, top, pad + bar, bottom), line.bgr))
        if isinstance(line, Bar):
            number = text_mask(line.said, size)
            texts.append((width - pad - number.shape[1], top, number))
            thick = max(2, round(size * _BAR_HEIGHT))
            upper = bottom - 1 - (size + thick) // 2
            filled = begin + round(length * min(max(line.share, 0.0), 1.0))
            bars += [
                ((begin, upper, begin + length, upper + thick), _TRACK),
                ((begin, upper, filled, upper + thick), line.bgr),
            ]
        top += step
    return LabelBox((width, height), tuple(texts), tuple(bars))


@lru_cache(maxsize=64)
def _rounded(width: int, height: int, radius: int) -> np.ndarray:
    """A rectangle with round corners, as a mask: uint8 (height, width), 0 or 255."""
    mask = np.zeros((height, width), np.uint8)
    mask[radius : height - radius] = 255
    mask[:, radius : width - radius] = 255
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(mask, (x, y), radius, 255, cv2.FILLED)
    return mask
