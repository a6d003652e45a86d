"""The test picture: a face drawn by code, so that a card has its expected answer without keeping anybody's picture.

Whole numbers only: the picture is the same to the last bit on every platform.
"""

from __future__ import annotations

import numpy as np

from ...frames import CropGeometry

# Ellipses in thousandths of the normalised box: centre x, y, radius x, y, colour BGR. The eyes stand where
# the framing puts them.
_ELLIPSES = (
    (500, 420, 560, 640, (38, 52, 70)),  # hair
    (500, 1180, 230, 420, (105, 140, 188)),  # neck
    (500, 470, 430, 580, (128, 168, 214)),  # face
    (300, 285, 92, 40, (235, 238, 240)),  # eyes
    (690, 285, 92, 40, (235, 238, 240)),
    (300, 285, 40, 40, (62, 48, 36)),
    (690, 285, 40, 40, (62, 48, 36)),
    (300, 195, 115, 24, (44, 58, 76)),  # brows
    (690, 195, 115, 24, (44, 58, 76)),
    (500, 520, 70, 46, (104, 140, 190)),  # nose
    (500, 765, 165, 62, (92, 86, 178)),  # mouth
    (500, 750, 130, 22, (226, 230, 234)),
)


def picture(geometry: CropGeometry) -> np.ndarray:
    """The face as a model with this geometry would be given it: uint8 (height, width, channels), BGR or grey."""
    x, y = _in_the_box(geometry.width, geometry.scale), _in_the_box(geometry.height, geometry.scale)[:, None]
    bgr = np.empty((geometry.height, geometry.width, 3), dtype=np.int64)
    bgr[:] = np.array([150, 128, 96])
    for centre_x, centre_y, radius_x, radius_y, colour in _ELLIPSES:
        inside = ((x - centre_x) * radius_y) ** 2 + ((y - centre_y) * radius_x) ** 2 <= (radius_x * radius_y) ** 2
        bgr[inside] = colour
    # Light from the upper left. Without it the picture would be the same mirrored.
    light = np.clip(1000 - (x - 500) * 3 // 10 - (y - 500) * 2 // 10, 500, 1300)
    bgr = np.clip(bgr * light[..., None] // 1000, 0, 255)
    if geometry.channels == 1:
        bgr = bgr @ np.array([[114], [587], [299]]) // 1000
    return bgr.astype(np.uint8)


def _in_the_box(pixels: int, scale: float) -> np.ndarray:
    """Where the pixels of one side lie, in thousandths of the normalised box's: int64 (pixels,)."""
    of_the_crop = (2 * np.arange(pixels, dtype=np.int64) + 1) * 500 // pixels
    return (of_the_crop - 500) * round(scale * 1000) // 1000 + 500
