"""The last annotated picture of each source, left now and then for `stages.connect` and `stages.serving`."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from ..errors import reason, way_out
from ..layout import CONNECT, picture_name
from ..results.atomic import BINARY, NO_LINK, make_private_folder, write_all
from ..results.errors import OutputError

LONGEST_SIDE = 1280  # pixels: what a phone shows; a broker may refuse more than some hundred kilobytes
JPEG_QUALITY = 85


class LastPictures:
    """Keeps one JPEG for each source. It is no result, so the manifest does not know it, and it need not be durable."""

    def __init__(self, folder: Path, every_s: float, apart: bool):
        """`folder`: that of the run; `every_s`: between two pictures; `apart`: whether it has several sources.

        What an earlier run has left is removed.
        """
        self._folder, self._every_s, self._apart = folder / CONNECT, every_s, apart
        self._due_s: dict[str, float] = {}  # monotonic
        # Behind a link lie pictures of somebody else. `take` refuses it.
        for old in () if self._folder.is_symlink() else self._folder.glob("*.jpg"):
            with suppress(OSError):
                old.unlink()

    def wants(self, source: str) -> bool:
        """Whether it is time for another picture."""
        return time.monotonic() >= self._due_s.get(source, 0.0)

    def take(self, source: str, drawn: np.ndarray) -> None:
        """Keep this picture, uint8 (H, W, 3) BGR, if it is time; raises `OutputError`."""
        if not self.wants(source):
            return
        self._due_s[source] = time.monotonic() + self._every_s
        try:
            self._write(picture_name(source if self._apart else ""), encoded(drawn))
        except OSError as error:
            raise OutputError(
                f"a snapshot cannot be written to {self._folder}: {reason(error)}; {way_out(error) or 'move it away'}."
            ) from error

    def forget(self, source: str) -> None:
        """A source does not belong to the run any more."""
        with suppress(OSError):
            (self._folder / picture_name(source)).unlink()

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, name: str, jpeg: bytes) -> None:
        make_private_folder(self._folder)
        part = self._folder / f".{name}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINK | BINARY, 0o600)
        try:
            write_all(descriptor, jpeg)
        finally:
            os.close(descriptor)
        os.replace(part, self._folder / name)


def encoded(drawn: np.ndarray) -> bytes:
    """A JPEG of pixels uint8 (H, W, 3) BGR, scaled down to `LONGEST_SIDE`."""
    height, width = drawn.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()
