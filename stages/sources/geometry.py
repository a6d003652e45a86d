"""How a decoded frame is to be shown: which way up, and how wide its pixels are."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type

from ..protocol.limits import PICTURE_PIXELS

_SQUARE = Fraction(1)
_WIDEST = 16  # times as wide as high, or as high as wide: a header that says more is damaged


@dataclass(frozen=True, slots=True)
class Orientation:
    """What makes a stored picture upright; all eight of a display matrix, which are those of EXIF."""

    transposed: bool = False  # first
    flipped: int | None = None  # then, as cv2.flip has it: 1 left and right, 0 top and bottom, -1 both

    def upright(self, pixels: np.ndarray) -> np.ndarray:
        """The picture as it is to be seen, C-contiguous."""
        if self.transposed:
            pixels = cv2.transpose(pixels)
        return np.ascontiguousarray(pixels) if self.flipped is None else cv2.flip(pixels, self.flipped)


_AS_STORED = Orientation()
_TURNED = {90: Orientation(True, 0), 180: Orientation(False, -1), 270: Orientation(True, 1)}  # counterclockwise


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """By the display matrix of a frame; an angle between the four is taken for the nearest of them."""
    try:
        stated = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # FFmpeg has kinds of side data, such as EXIF, at which PyAV 18 gives up on all of it.
        return _TURNED.get(frame.rotation % 360, _AS_STORED)
    if stated is None:
        return _AS_STORED
    # x shown = a x + c y, y shown = b x + d y: three rows of three, 16.16 fixed point.
    a, b, _, c, d = (int(number) for number in np.frombuffer(stated, np.int32)[:5])
    transposed = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    return Orientation(transposed, {(True, True): -1, (True, False): 1, (False, True): 0}.get((across, down)))


def shown_size(frame: av.VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Width and height upright, with square pixels. The shorter side of a pixel grows, as in players: none is lost."""
    width, height = stretched(frame.width, frame.height, pixel_aspect)
    return (height, width) if orientation_of(frame).transposed else (width, height)


def stretched(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The size with square pixels. `pixel_aspect`: width of a pixel by its height; absent or absurd, it is square."""
    aspect = pixel_aspect or _SQUARE
    if aspect == _SQUARE:
        return width, height
    size = (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))
    is_absurd = not 1 / _WIDEST <= aspect <= _WIDEST or size[0] * size[1] > PICTURE_PIXELS
    return (width, height) if is_absurd else size
