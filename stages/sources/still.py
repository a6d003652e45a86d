"""One picture file: any depth, alpha and EXIF orientation, upright as BGR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from stages.core.frames import Picture
from stages.core.limits import PICTURE_PIXELS
from stages.sources.base import Source, SourceError, name_of, size_and_rate
from stages.sources.header import Header, read_header
from stages.sources.part import Part
from stages.sources.pixels import over_white, to_8_bits
from stages.sources.quiet import silent_opencv

_SUFFIXES = ".jpg .jpeg .jpe .jfif .png .webp .bmp .dib .tif .tiff .pgm .ppm .pbm .pnm"
PICTURES = frozenset(_SUFFIXES.split())

_FILE_BYTES = 1_000_000_000  # 100 megapixels of 16 bits uncompressed are 600 MB; more is no picture

# From the place where a camera held sideways stored the pixels to upright, by EXIF's number.
_UPRIGHT = {
    2: lambda p: cv2.flip(p, 1),
    3: lambda p: cv2.rotate(p, cv2.ROTATE_180),
    4: lambda p: cv2.flip(p, 0),
    5: cv2.transpose,
    6: lambda p: cv2.rotate(p, cv2.ROTATE_90_CLOCKWISE),
    7: lambda p: cv2.rotate(cv2.transpose(p), cv2.ROTATE_180),
    8: lambda p: cv2.rotate(p, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


class Still(Source):
    """One picture."""

    frames = 1

    def __init__(self, path: Path):
        self._path = path
        height, width = read_picture(path, str(path))[0].shape[:2]
        super().__init__(name_of(path), size_and_rate(width, height, None))

    def take(self, part: Part) -> None:
        """A picture is read whole."""

    def _read(self, start: int) -> Iterator[Picture]:
        pixels, remark = read_picture(self._path, self._path.name)
        if remark:
            self._note(remark)
        if start == 0:
            yield Picture(pixels, 0.0, None)


def read_picture(path: Path, label: str) -> tuple[np.ndarray, str | None]:
    """The upright pixels, uint8 (H, W, 3) BGR, and a remark for the user if there is one.

    16 bits are scaled to 8, what is transparent lies on white, of an animation the first picture is taken. Raises
    `SourceError` with a sentence that calls the file `label`.
    """
    # Read here rather than by cv2.imread, which cannot open every name on every system.
    file = _bytes_of(path, label)
    header = read_header(file)
    if header is None:
        what = "is not a JPEG, PNG, WebP, TIFF, BMP or PNM picture" if file else "is empty"
        raise SourceError(f"{label} {what}, whatever its name says.")
    if header.width * header.height > PICTURE_PIXELS:
        most = PICTURE_PIXELS // 1_000_000
        raise SourceError(
            f"{label} says it has {header.width} x {header.height} pixels; at most {most} megapixels are read."
        )
    try:
        with silent_opencv():
            pixels = _decode(np.frombuffer(file, np.uint8), header)
    except cv2.error:  # Such as a header that the decoder finds absurd.
        pixels = None
    if pixels is None:
        raise SourceError(f"{label} cannot be decoded: it is damaged or cut off.")
    return pixels, f"{label} is an animation; its first picture is shown." if header.moves else None


def _bytes_of(path: Path, label: str) -> bytes:
    try:
        if path.stat().st_size > _FILE_BYTES:
            raise SourceError(f"{label} has more than {_FILE_BYTES // 1_000_000} MB; no picture of that size is read.")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{label} cannot be read: {error.strerror}.") from error


def _decode(file: np.ndarray, header: Header) -> np.ndarray | None:
    if header.has_alpha:
        pixels = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)  # The only way to have the alpha, but it ignores EXIF.
        if pixels is not None and pixels.ndim == 3 and pixels.shape[2] == 4:
            pixels = over_white(to_8_bits(pixels))
            return _UPRIGHT[header.orientation](pixels) if header.orientation > 1 else pixels
    pixels = cv2.imdecode(file, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None:  # OpenCV gives grey floats as they are only.
        pixels = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)
        pixels = cv2.merge([pixels] * 3) if pixels is not None and pixels.ndim == 2 else None
    return None if pixels is None else to_8_bits(pixels, header.brightest if pixels.dtype == np.uint16 else None)
