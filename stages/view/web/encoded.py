"""A picture on its way to browsers: drawn and encoded once for each set of switches, and only for a viewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ...frames import FinishedFrame
from ...names import output_name
from ...vision.anonymize import anonymize
from ..overlay.draw import annotate

LONGEST_SIDE = 1920  # pixels of what is watched; saved is the whole picture
_LONGEST_OF_JPEG = 65_000
_ENCODINGS = 16  # of one picture that are kept
_QUALITY, _SAVED_QUALITY = 85, 95


@dataclass(frozen=True, slots=True)
class Switches:
    """What is drawn, and how: equal switches, equal pictures."""

    hidden: frozenset[str] = frozenset()  # stages whose labels are switched off
    blurred: bool = False


@dataclass(slots=True, eq=False)
class EncodedFrame:
    """One picture of a source."""

    number: int  # higher for a newer one
    frame: FinishedFrame
    drawn: np.ndarray | None  # uint8 (H, W, 3) BGR, with all labels, where it was drawn already
    # boxes x, y, width, height for a viewer who wants faces hidden; None: everything
    to_anonymize: Sequence | None = ()
    jpegs: dict[Switches, bytes] = field(default_factory=dict)

    def jpeg(self, switches: Switches, stages: frozenset[str], style: str) -> bytes:
        """The picture for these switches, small enough to be watched."""
        if switches not in self.jpegs:
            if len(self.jpegs) >= _ENCODINGS:  # A viewer tries all switches on a picture that is held.
                self.jpegs.clear()
            self.jpegs[switches] = _encoded(_no_larger(self._picture(switches, stages, style), LONGEST_SIDE), _QUALITY)
        return self.jpegs[switches]

    def saved(self, switches: Switches, stages: frozenset[str], style: str) -> bytes:
        """The same in its full size."""
        return _encoded(_no_larger(self._picture(switches, stages, style), _LONGEST_OF_JPEG), _SAVED_QUALITY)

    @property
    def file_name(self) -> str:
        """What a saved one is called."""
        return f"{output_name(self.frame.source, self.frame.picture.file, still=True).stem}-{self.frame.frame}.jpg"

    def _picture(self, switches: Switches, stages: frozenset[str], style: str) -> np.ndarray:
        if self.drawn is not None and switches == Switches():
            return self.drawn
        frame, pixels = self.frame, self.frame.picture.pixels
        if switches.blurred:
            pixels = anonymize(pixels, self.to_anonymize, "pixelate")
        show = stages - switches.hidden if switches.hidden else None
        said = {"missing": frame.missing, "error": frame.error, "areas": frame.areas}
        return annotate(pixels, frame.faces, show, style=style, **said)


def _encoded(picture: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _no_larger(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
