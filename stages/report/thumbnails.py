"""Small JPEGs of faces, cut out of their frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ..reading.over_time import Moment
from ..vision.anonymize import anonymize, anonymize_faces
from ..vision.thumbnail import resized, square_around

SIDE = 128  # pixels, for fine screens
MANY, SIDE_OF_MANY = 500, 96  # of more faces than that the page would take seconds to open
QUALITY = 80
# A face is dark where even its brightest parts are: skin of any colour has light on it in a picture that is exposed.
_BRIGHTEST = 95  # percentile
_DARK, _BRIGHT = 120.0, 175.0  # of 255: what is darker is brightened to this
_MOST_GAMMA = 3.0  # beyond it noise is all that is seen


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The picture of a face."""

    jpeg: bytes
    is_brightened: bool = False


Pictures = Mapping[Moment, Thumbnail]  # those that could be had


@dataclass(frozen=True, slots=True)
class Look:
    """How thumbnails are to look."""

    side: int = SIDE  # the longer one, in pixels
    hide: bool = False  # unrecognisable
    brighten: bool = True  # faces that are lit too little


def thumbnail(moment: Moment, pixels: np.ndarray, look: Look, is_annotated: bool = False) -> Thumbnail | None:
    """Of a frame, uint8 (H, W, 3) BGR; None where the face lies outside of it.

    `is_annotated`: there is a line around the face.
    """
    box = fitted(moment, pixels)
    if not np.isfinite(box).all():
        return None
    if look.hide:
        pixels = anonymize_faces(pixels, [box], "pixelate")
    part = _inside(pixels, box) if is_annotated else square_around(pixels, box)
    return _finished(part, look) if part.size else None


def of_portrait(pixels: np.ndarray, look: Look) -> Thumbnail | None:
    """Of a face that was cut out already, uint8 (H, W, 3) BGR: all of it."""
    return _finished(anonymize(pixels, None, "pixelate") if look.hide else pixels, look)


def _finished(part: np.ndarray, look: Look) -> Thumbnail | None:
    small = resized(part, look.side)
    small, is_brightened = _brightened(small) if look.brighten and not look.hide else (small, False)
    done, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return Thumbnail(jpeg.tobytes(), is_brightened) if done else None


def fitted(moment: Moment, pixels: np.ndarray) -> tuple[float, ...]:
    """The box in a picture that may have been scaled, with bars at two sides, to fit into a video."""
    scale = min(pixels.shape[1] / moment.size[0], pixels.shape[0] / moment.size[1])
    left, top = ((full - scale * side) / 2 for full, side in zip(pixels.shape[1::-1], moment.size, strict=True))
    x, y, width, height = moment.box
    return (left + scale * x, top + scale * y, scale * width, scale * height)


def _inside(pixels: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """What lies inside of the line along a box; it is drawn along the picture's edge where the box goes beyond it."""
    x, y, width, height = box
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(float(pixels.shape[1]), x + width), min(float(pixels.shape[0]), y + height)
    line = _line(min(right - left, bottom - top), pixels)
    down, across = ((low + line, high - line) for low, high in ((top, bottom), (left, right)))
    return pixels[slice(*(max(0, round(end)) for end in down)), slice(*(max(0, round(end)) for end in across))]


def _line(side: float, pixels: np.ndarray) -> float:
    """How far the line along a box of this side, with round corners, reaches into it, in pixels, after compression."""
    return max(0.0, min(0.2 * side, 0.03 * side + 0.003 * min(pixels.shape[:2]) + 2.5))


def _brightened(face: np.ndarray) -> tuple[np.ndarray, bool]:
    """A face that is lit too little, by a gamma curve; and whether it was."""
    brightest = float(np.percentile(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), _BRIGHTEST))
    if brightest >= _DARK:
        return face, False
    gamma = min(_MOST_GAMMA, math.log(max(brightest, 1.0) / 255) / math.log(_BRIGHT / 255))
    curve = 255 * (np.arange(256) / 255) ** (1 / gamma)
    return cv2.LUT(face, curve.round().astype(np.uint8)), True
