"""Lines of text as masks, in the typeface that comes with Pillow: Aileron, antialiased and hinted by FreeType."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_CAPITAL = 0.7  # height of Aileron's capitals, in units of its size
_DESCENDER = 0.35  # of the capital's height: what p, g and brackets have below the base line
_WITHOUT_WIDTH = ("Mn", "Me", "Cf")  # accents, and what joins or turns the characters around it
CACHED_UP_TO = 48  # pixels; larger text is rare, and its masks would fill the memory


def line_height(capital: int) -> int:
    """Height in pixels of a line whose capitals are `capital` pixels high, with what hangs below the base line."""
    return base_line(capital) + round(capital * _DESCENDER)


def base_line(capital: int) -> int:
    """Row of the base line: the capitals, and above them a row for what is a little higher."""
    return capital + 1 + round(capital * 0.05)


def text_mask(text: str, capital: int) -> np.ndarray:
    """How much of each pixel the text covers: uint8 (line_height, W), 0 to 255. Do not write to it.

    The font has ASCII only: accents and marks of direction are left off, other characters become question marks.
    """
    return _kept(text, capital) if capital <= CACHED_UP_TO else _drawn(text, capital)


@lru_cache(maxsize=2048)  # Whole lines: an age or a percentage comes again, in the next frame if not in this one.
def _kept(text: str, capital: int) -> np.ndarray:
    return _drawn(text, capital)


def _drawn(text: str, capital: int) -> np.ndarray:
    from PIL import Image, ImageDraw

    text, font = _ascii(text), _font(capital)
    left, _, right, _ = (round(edge) for edge in font.getbbox(text, anchor="ls"))
    before = max(0, -left)  # A letter such as j begins to the left of where it stands.
    image = Image.new("L", (max(1, before + right), line_height(capital)))
    ImageDraw.Draw(image).text((before, base_line(capital)), text, fill=255, font=font, anchor="ls")
    return np.asarray(image)


@lru_cache(maxsize=64)
def _font(capital: int) -> FreeTypeFont:
    from PIL import ImageFont  # Not at the start: most processes draw nothing.

    font = ImageFont.load_default(capital / _CAPITAL)
    # The other engine is not in every build of Pillow, and places letters differently.
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)


def _ascii(text: str) -> str:
    plain = (c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in _WITHOUT_WIDTH)
    return "".join(c if " " <= c <= "~" else " " if c.isspace() else "?" for c in plain)
