"""Pictures as files: JPEG and PNG."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from ..frames import FinishedFrame
from ..names import output_name, printable, shown
from ..results.errors import ForeignFile, OutputError, cannot_write
from ..results.manifest import Manifest

JPEG_QUALITY = 92
_JPEG_SIDE = 65_500  # pixels; libjpeg refuses more


def write_picture(path: Path, pixels: np.ndarray, manifest: Manifest) -> None:
    """Write uint8 (H, W, 3) BGR as JPEG or PNG, by the name's end; the file appears whole or not at all.

    Raises OutputError, and `ForeignFile` where a file of that name is not ours.
    """
    content = _encoded(path, pixels)
    try:
        manifest.write(path, content, durable=False)  # A sync for each of a thousand pictures would take its time.
    except OSError as error:
        raise cannot_write(path, error) from error


class SavedPictures:
    """Pictures that a person saves on the side, with a key: what goes wrong with one does not end the run."""

    def __init__(self, folder: Path, say: Callable[[str], None]):
        """`folder`: in the output folder, for these alone; `say` is called with where each is, or why it is not."""
        self._folder, self._say = folder, say

    def save(self, frame: FinishedFrame, pixels: np.ndarray) -> bool:
        """Save uint8 (H, W, 3) BGR under the name of the frame's file, with its number; returns whether it could."""
        name = output_name(frame.source, frame.picture.file, still=True)
        path = self._free(self._folder / name.with_name(f"{name.stem}-{frame.frame}.png"))
        try:
            write_picture(path, pixels, Manifest(self._folder.parent))
        except (OutputError, ForeignFile) as error:
            self._say(str(error))
            return False
        self._say(f"saved {printable(shown(str(path)))}")
        return True

    def _free(self, path: Path) -> Path:
        """This path, or with a number at its end where there is something: other labels may be shown in it."""
        numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
        return path if not os.path.lexists(path) else next(one for one in numbered if not os.path.lexists(one))


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
