"""Small text that reads well: OpenCV's strokes drawn four times too large and averaged, kept for the next frame."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL = 21  # units of the font from the base line to the top of a capital
_STROKE = 0.135  # of the capital's height
_DESCENDER = 0.41  # of the capital's height, what p and g have below the base line, stroke included
_FINER = 4  # OpenCV's own smoothing leaves strokes of one width and uneven gaps at 7 to 15 pixels
_CACHED_UP_TO = 48  # pixels; larger text is rare, and its masks would fill the memory


def line_height(capital: int) -> int:
    """Height in pixels of a line whose capitals are `capital` pixels high, with what hangs below the base line."""
    return base_line(capital) + round(capital * _DESCENDER)


def base_line(capital: int) -> int:
    """Row of the base line: the capitals, and half a stroke above them."""
    return capital + 1 + round(capital * _STROKE / 2)


def text_mask(text: str, capital: int) -> np.ndarray:
    """How much of each pixel the text covers: uint8 (line_height, W), 0 to 255. Do not write to it.

    The font has ASCII only: accents are left off, and other characters become question marks.
    """
    return _kept(text, capital) if capital <= _CACHED_UP_TO else _rendered(text, capital)


def _rendered(text: str, capital: int) -> np.ndarray:
    text = _ascii(text)
    finer = _FINER if capital <= _CACHED_UP_TO else 1
    scale, stroke = finer * capital / _CAPITAL, max(1, round(finer * capital * _STROKE))
    (wide, _), _ = cv2.getTextSize(text, _FONT, scale, stroke)
    width, height = -(-wide // finer) + 1, line_height(capital)
    canvas = np.zeros((height * finer, width * finer), np.uint8)
    cv2.putText(canvas, text, (stroke // 2, base_line(capital) * finer), _FONT, scale, 255, stroke, cv2.LINE_AA)
    return canvas if finer == 1 else cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


_kept = lru_cache(maxsize=512)(_rendered)  # Percentages and ages come again, in the next frame if not in this one.


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c if " " <= c <= "~" else "?" for c in plain if not unicodedata.combining(c))
