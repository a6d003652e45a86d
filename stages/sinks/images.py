"""Annotated pictures, each beside its like under the name that it had."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import cv2
import numpy as np

from ..frames import FinishedFrame
from ..names import output_name
from ..results.errors import OutputError, cannot_write
from ..results.manifest import Manifest

JPEG_QUALITY = 92
_JPEG_SIDE = 65_500  # pixels; libjpeg refuses more


class AnnotatedPictures:
    """Writes one picture per frame below a folder."""

    def __init__(self, folder: Path, manifest: Manifest | None = None, apart: Container[str] = ()):
        """`apart`: as in `output_name`."""
        self._folder, self._manifest, self._apart = folder, manifest or Manifest(folder), apart

    def write(self, frame: FinishedFrame, drawn: np.ndarray) -> Path:
        """Write the picture of one frame, uint8 (H, W, 3) BGR, and say where; raises OutputError."""
        path = self._folder / output_name(frame.source, frame.picture.file, True, self._apart)
        write_picture(path, drawn, self._manifest)
        return path

    def close(self) -> None:
        """Nothing is held back."""


def write_picture(path: Path, pixels: np.ndarray, manifest: Manifest) -> None:
    """Write uint8 (H, W, 3) BGR as JPEG or PNG, by the name's end; the file appears whole or not at all.

    Raises OutputError, and `ForeignFile` where a file of that name is not ours.
    """
    content = _encoded(path, pixels)
    try:
        manifest.write(path, content, durable=False)  # A sync for each of a thousand pictures would take its time.
    except OSError as error:
        raise cannot_write(path, error) from error


def _encoded(path: Path, pixels: np.ndarray) -> bytes:
    if path.suffix.lower() in (".jpg", ".jpeg"):
        if max(pixels.shape[:2]) > _JPEG_SIDE:
            raise OutputError(
                f"cannot write {path}: a JPEG has at most {_JPEG_SIDE} pixels a side and this picture is "
                f"{pixels.shape[1]} x {pixels.shape[0]}; give it as PNG."
            )
        done, encoded = _by_opencv(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    else:
        done, encoded = _by_opencv(".png", pixels, [])
    if not done:
        raise OutputError(
            f"cannot write {path}: OpenCV could not encode its {pixels.shape[1]} x {pixels.shape[0]} pixels."
        )
    return encoded.tobytes()


def _by_opencv(kind: str, pixels: np.ndarray, options: list[int]) -> tuple[bool, np.ndarray | None]:
    try:
        return cv2.imencode(kind, pixels, options)
    except cv2.error:
        return False, None
