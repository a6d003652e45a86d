"""A dark translucent label box with lines of white text, with strips of colour at its left edge, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .labels import Bar, Colour, Line
from .text import CACHED_UP_TO, base_line, text_mask

_LEGIBLE = 8  # pixels of a capital; smaller ones only where nothing else finds room
_TINY = 5

_AROUND = 2  # pixels that no letter comes nearer to the edge than, whatever its size
_TRACK = (96, 96, 96)  # what of a bar is not filled
_BAR_CAPITAL = 0.85  # of a bar's letters, in units of other letters
_BAR_LENGTH, _BAR_HEIGHT = 4.5, 0.62  # of a bar, in units of its letters

_KEEPS = 0.22  # of the picture below
_GREY = 26.0  # and so much on top: white ground becomes grey 82, which white text stands out from by 7.6 : 1


@dataclass(frozen=True, slots=True, eq=False)
class LabelBox:
    """A label box that is laid out but not yet drawn."""

    size: tuple[int, int]  # width, height
    ground: np.ndarray  # how much of each pixel the text leaves uncovered: uint8 (height, width, 3), 0 to 255
    bars: tuple[tuple[tuple[int, int, int, int], Colour], ...]  # x1, y1, x2, y2 exclusive; BGR
    radius: int  # of its corners


def lay_out(
    lines: Sequence[Line | Bar], capital: int, width: int, height: int, strip: Colour | None = None
) -> LabelBox | None:
    """A label box no larger than width x height with capitals of `capital` pixels, or smaller where there is no room.

    `strip`: the colour, BGR, of its left edge; None: each line has its own. None without lines, and where even tiny
    letters find no room.
    """
    for size in (max(capital, _LEGIBLE), _LEGIBLE, _TINY) if lines else ():
        label_box = (_kept if size <= CACHED_UP_TO else _laid_out)(tuple(lines), size, strip)
        if label_box.size[0] <= width and label_box.size[1] <= height:
            return label_box
    return None


def draw_label_box(drawn: np.ndarray, corner: tuple[int, int], label_box: LabelBox) -> None:
    """Draw onto uint8 (H, W, 3) BGR; only the label box's region is touched."""
    (left, top), (width, height) = corner, label_box.size
    region = drawn[top : top + height, left : left + width]
    # All in terms of what is missing to white: the label box leaves some of it, the text takes its share away.
    missing = cv2.convertScaleAbs(region, alpha=-_KEEPS, beta=255 - _GREY)
    filled = cv2.bitwise_not(cv2.multiply(missing, label_box.ground, scale=1 / 255))
    for (x1, y1, x2, y2), bgr in label_box.bars:
        filled[y1:y2, x1:x2] = bgr
    cv2.copyTo(filled, _rounded(width, height, label_box.radius), region)


@lru_cache(maxsize=256)  # What is said of a face changes a few times a second, its picture with every frame.
def _kept(lines: tuple[Line | Bar, ...], capital: int, strip: Colour | None) -> LabelBox:
    return _laid_out(lines, capital, strip)


def _laid_out(lines: tuple[Line | Bar, ...], capital: int, strip: Colour | None) -> LabelBox:
    pad, leading, edge = _AROUND + round(capital * 0.4), round(capital * 0.35), max(2, round(capital * 0.28))
    left, small = edge + pad, max(_TINY, round(capital * _BAR_CAPITAL))
    rows = [_row(line, small if isinstance(line, Bar) else capital) for line in lines]
    length = round(small * _BAR_LENGTH)
    begin = left + max((row.text.shape[1] for row in rows if row.number is not None), default=0) + pad  # of all bars
    # As wide as any percentage, so that the label box does not tremble.
    says = any(isinstance(line, Bar) and line.said for line in lines)
    numbers = [text_mask("100 %", small), *(row.number for row in rows if row.number is not None)] if says else []
    behind = max((mask.shape[1] + pad for mask in numbers), default=0)
    width = pad + max(left + r.text.shape[1] if r.number is None else begin + length + behind for r in rows)
    texts, bars, top = [], [], pad - 1  # A line has a row above its capitals.
    for line, row in zip(lines, rows, strict=True):
        texts.append((left, top, row.text))
        bottom = top + base_line(row.capital) + 1
        if strip is None:
            bars.append(((0, top, edge, bottom + 1), line.bgr))
        if row.number is not None:
            texts.append((width - pad - row.number.shape[1], top, row.number))
            thick = max(2, round(row.capital * _BAR_HEIGHT))
            upper = bottom - 1 - (row.capital + thick) // 2
            filled = begin + round(length * min(max(line.share, 0.0), 1.0))
            bars += [
                ((begin, upper, begin + length, upper + thick), _TRACK),
                ((begin, upper, filled, upper + thick), line.bgr),
            ]
        top += row.text.shape[0] + leading
    height = top - leading + pad
    radius = max(1, min(width, height) // 10)
    if strip is not None:
        bars.append(((0, 0, edge, height), strip))
    else:
        radius = min(radius, pad - 1)  # The strips of the first and the last line end there, and stay whole.
    return LabelBox((width, height), _ground(width, height, texts), tuple(bars), radius)


def with_pause(label_box: LabelBox, capital: int) -> LabelBox:
    """The same with the two bars of a pause before its first line, and all lines moved to the right by them."""
    (width, height), pad, thick = label_box.size, _AROUND + round(capital * 0.4), max(2, capital // 3)
    edge, wide = max(2, round(capital * 0.28)), 3 * thick + pad
    top, left = pad + round(capital * 0.05), edge + pad
    moved = [
        ((x1, y1, x2, y2) if x1 == 0 else (x1 + wide, y1, x2 + wide, y2), bgr)
        for (x1, y1, x2, y2), bgr in label_box.bars
    ]
    pause = [((x, top, x + thick, top + capital), (255, 255, 255)) for x in (left, left + 2 * thick)]
    ground = np.concatenate([np.full((height, wide, 3), 255, np.uint8), label_box.ground], axis=1)
    return LabelBox((width + wide, height), ground, (*moved, *pause), label_box.radius)


def _ground(width: int, height: int, texts: list[tuple[int, int, np.ndarray]]) -> np.ndarray:
    covered = np.zeros((height, width), np.uint8)
    for left, top, mask in texts:
        covered[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return cv2.cvtColor(cv2.bitwise_not(covered), cv2.COLOR_GRAY2BGR)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    capital: int
    text: np.ndarray
    number: np.ndarray | None  # of a bar


def _row(line: Line | Bar, capital: int) -> _Row:
    number = text_mask(line.said, capital) if isinstance(line, Bar) else None
    return _Row(capital, text_mask(line.text, capital), number)


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
