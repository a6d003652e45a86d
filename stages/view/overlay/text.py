"""Small text that reads well: OpenCV's strokes drawn four times too large and averaged, kept for the next frame."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL = 21  # units of the font from the base line to the top of a capital
_STROKE = 0.135  # of the capital's height
_DESCENDER = 0.41  # of the capital's height, what p and g have below the base line, stroke included
_FINER = 4  # OpenCV's own smoothing leaves strokes of one width and uneven gaps at 7 to 15 pixels
_WITHOUT_WIDTH = ("Mn", "Me", "Cf")  # accents, and what joins or turns the characters around it
_CACHED_UP_TO = 48  # pixels; larger text is rare, and its masks would fill the memory


def line_height(capital: int) -> int:
    """Height in pixels of a line whose capitals are `capital` pixels high, with what hangs below the base line."""
    return base_line(capital) + round(capital * _DESCENDER)


def base_line(capital: int) -> int:
    """Row of the base line: the capitals, and half a stroke above them."""
    return capital + 1 + round(capital * _STROKE / 2)


def text_mask(text: str, capital: int) -> np.ndarray:
    """How much of each pixel the text covers: uint8 (line_height, W), 0 to 255. Do not write to it.

    The font has ASCII only: accents and marks of direction are left off, other characters become question marks.
    """
    return _kept(text, capital) if capital <= _CACHED_UP_TO else _stroked(_ascii(text), capital, 1)


@lru_cache(maxsize=2048)  # A percentage or an age comes again, in the next frame if not in this one.
def _kept(text: str, capital: int) -> np.ndarray:
    """Characters side by side: every text is new at first, its characters are not."""
    glyphs, left = [], 0.0  # fine pixels
    for character in _ascii(text):
        glyphs.append((int(left) // _FINER, _glyph(character, capital, int(left) % _FINER)))
        left += _advance(character) * _FINER * capital / _CAPITAL
    width = max((x + glyph.shape[1] for x, glyph in glyphs), default=1)
    mask = np.zeros((line_height(capital), width), np.uint8)
    for x, glyph in glyphs:
        under = mask[:, x : x + glyph.shape[1]]
        np.maximum(under, glyph, out=under)
    return mask


@lru_cache(maxsize=4096)
def _glyph(character: str, capital: int, phase: int) -> np.ndarray:
    """A character that begins `phase` fine pixels to the right of a pixel's left edge."""
    return _stroked(character, capital, _FINER, phase)


def _stroked(text: str, capital: int, finer: int, phase: int = 0) -> np.ndarray:
    scale, stroke = finer * capital / _CAPITAL, max(1, round(finer * capital * _STROKE))
    (wide, _), _ = cv2.getTextSize(text, _FONT, scale, stroke)
    width, height = -(-(phase + wide) // finer) + 1, line_height(capital)
    canvas = np.zeros((height * finer, width * finer), np.uint8)
    left = phase + stroke // 2, base_line(capital) * finer
    cv2.putText(canvas, text, left, _FONT, scale, 255, stroke, cv2.LINE_AA)
    return canvas if finer == 1 else cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


@cache
def _advance(character: str) -> int:
    """From where a character begins to where the next one does, in units of the font."""
    (two, _), _ = cv2.getTextSize(character * 2, _FONT, 1, 1)
    (one, _), _ = cv2.getTextSize(character, _FONT, 1, 1)
    return two - one


def _ascii(text: str) -> str:
    plain = (c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in _WITHOUT_WIDTH)
    return "".join(c if " " <= c <= "~" else " " if c.isspace() else "?" for c in plain)
