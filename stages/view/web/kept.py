"""Pictures that browsers may ask for later: those of a folder, and the faces of events. Small, and few enough."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np

from ...vision.anonymize import anonymize
from .encoded import encoded, no_larger

MOST_BYTES = 64_000_000  # of all that are kept of a run: some 500 pictures
_QUALITY = 82
_THUMBNAIL_SIDE = 320  # pixels: twice the width on a page, for dense screens


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    jpeg: bytes
    thumbnail: bytes
    to_anonymize: Sequence | None  # boxes x, y, width, height in pixels of the JPEG; None: everything


class KeptPictures:
    """Keeps JPEGs by name, and lets the oldest go where they take too much room. Any thread may use it.

    Names have the life of render in them: a page still lists the pictures of the life before, and must not be given
    those of other people for them.
    """

    def __init__(self, life: int = 0, most_bytes: int = MOST_BYTES):
        self._life, self._most_bytes, self._bytes = life, most_bytes, 0
        self._numbers = count(1)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def keep(
        self, pixels: np.ndarray, to_anonymize: Sequence | None, longest_side: int, has_thumbnail: bool = False
    ) -> str:
        """Keep a picture, uint8 (H, W, 3) BGR, and return its name. `to_anonymize`: as of `EncodedFrame`."""
        small = no_larger(pixels, longest_side)
        scale = small.shape[1] / pixels.shape[1]
        boxes = None if to_anonymize is None else [[scale * value for value in box] for box in to_anonymize]
        thumbnail = encoded(no_larger(small, _THUMBNAIL_SIDE), _QUALITY) if has_thumbnail else b""
        kept = _Kept(encoded(small, _QUALITY), thumbnail, boxes)
        with self._lock:
            name = f"{self._life}-{next(self._numbers)}"
            self._kept[name] = kept
            self._bytes += len(kept.jpeg) + len(kept.thumbnail)
            while self._bytes > self._most_bytes and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.jpeg) + len(gone.thumbnail)
            return name

    def jpeg(self, name: str, is_thumbnail: bool, blurred: bool) -> bytes | None:
        """A picture or its thumbnail, with the faces hidden where that is wanted; None where it is not here."""
        with self._lock:
            kept = self._kept.get(name)
        if kept is None:
            return None
        if not blurred:
            return (is_thumbnail and kept.thumbnail) or kept.jpeg
        pixels = cv2.imdecode(np.frombuffer(kept.jpeg, np.uint8), cv2.IMREAD_COLOR)
        hidden = anonymize(pixels, kept.to_anonymize, "pixelate")
        return encoded(no_larger(hidden, _THUMBNAIL_SIDE) if is_thumbnail else hidden, _QUALITY)
