"""Decodes HEIC by pillow-heif, an optional package with libheif in it: OpenCV reads no HEIC, and FFmpeg no tiles."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np

from ..dependencies import installs
from .base import SourceError
from .pixels import over_white, to_8_bits


def decode_heic(file: bytes, label: str) -> np.ndarray | None:
    """The main picture of a file, uint8 (H, W, 3) BGR, cropped and turned upright as its container says.

    The orientation in its EXIF, which most phones write too, turns nothing. None where it cannot be decoded. Raises
    `SourceError`, which calls the file `label`, where pillow-heif is not installed.
    """
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        raise SourceError(f"{label} is a HEIC picture; to read it, run {installs('heif')}.") from error
    try:
        picture = pillow_heif.open_heif(BytesIO(file), convert_hdr_to_8bit=False, bgr_mode=True, hdr_to_16bit=False)
        coded = np.asarray(picture)
    except (EOFError, IndexError, RuntimeError, SyntaxError, ValueError):  # What it says about damaged files.
        return None
    pixels = to_8_bits(coded, 2 ** picture.info["bit_depth"] - 1)
    if pixels.ndim == 2:
        return cv2.merge([pixels] * 3)
    if not picture.has_alpha:
        return pixels
    if pixels.shape[2] == 2:  # Grey
        pixels = pixels[:, :, [0, 0, 0, 1]]
    return _premultiplied_over_white(pixels) if picture.premultiplied_alpha else over_white(pixels)


def _premultiplied_over_white(bgra: np.ndarray) -> np.ndarray:
    """Where the colours are stored as they look on black."""
    white = 255 - bgra[:, :, 3:].astype(np.uint16)
    return np.minimum(bgra[:, :, :3] + white, 255).astype(np.uint8)
