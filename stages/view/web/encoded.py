"""A picture on its way to browsers: encoded once for all viewers alike, and only for a viewer. Browsers draw labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ...frames import FinishedFrame
from ...names import output_name
from ...vision.anonymize import anonymize
from ..overlay.draw import annotate_frame

LONGEST_SIDE = 1920  # pixels of what is watched; saved is the whole picture
TILE_SIDE = 640  # of one of several pictures beside each other
_LONGEST_OF_JPEG = 65_000
_QUALITY, _SAVED_QUALITY = 85, 95


@dataclass(slots=True, eq=False)
class EncodedFrame:
    """One picture of a source."""

    number: int  # higher for a newer one
    frame: FinishedFrame
    # boxes x, y, width, height for a viewer who wants faces hidden; None: everything
    to_anonymize: Sequence | None = ()
    jpegs: dict[tuple[bool, int], bytes] = field(default_factory=dict)

    def jpeg(self, blurred: bool, longest_side: int = LONGEST_SIDE) -> bytes:
        """The plain picture, with the faces hidden where that is wanted, no larger than this on its longer side."""
        wanted = blurred, longest_side
        if wanted not in self.jpegs:
            self.jpegs[wanted] = encoded(no_larger(self._pixels(blurred), longest_side), _QUALITY)
        return self.jpegs[wanted]

    def saved(self, blurred: bool, show: frozenset[str] | None, style: str) -> bytes:
        """The picture in its full size, with the labels of the stages in `show`, None for all."""
        picture = replace(self.frame.picture, pixels=self._pixels(blurred))
        drawn = annotate_frame(replace(self.frame, picture=picture), style, show)
        return encoded(no_larger(drawn, _LONGEST_OF_JPEG), _SAVED_QUALITY)

    @property
    def file_name(self) -> str:
        """What a saved one is called."""
        return f"{output_name(self.frame.source, self.frame.picture.file, still=True).stem}-{self.frame.frame}.jpg"

    def _pixels(self, blurred: bool) -> np.ndarray:
        pixels = self.frame.picture.pixels
        return anonymize(pixels, self.to_anonymize, "pixelate") if blurred else pixels


def encoded(picture: np.ndarray, quality: int) -> bytes:
    """A picture, uint8 (H, W, 3) BGR, as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def no_larger(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture, scaled down where its longer side is longer than `side` pixels."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
