"""One picture: any depth, alpha and EXIF orientation, upright as BGR."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..frames import Picture
from ..kinds import PICTURES
from ..protocol.limits import PICTURE_PIXELS
from .base import Source, SourceError, name_of, size_and_rate
from .heic import decode_heic
from .part import Part
from .picture_header import Header, may_be_picture, may_be_video, read_header
from .pixels import over_white, silent_opencv, to_8_bits
from .refusal import NO_PICTURE

_MOTION_JPEG = frozenset({".mjpeg", ".mjpg"})  # begins like a JPEG

FILE_BYTES = 1_000_000_000  # 100 megapixels of 16 bits uncompressed are 600 MB; more is no picture

# From the place where a camera held sideways stored the pixels to upright, by EXIF's number. Nothing is done about
# pixels that are said not to be square (JFIF, pHYs, the two resolutions of TIFF, pasp): browsers and viewers show
# pictures pixel for pixel, and in most such files the two figures are a mistake.
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
    """One picture, wherever it lies."""

    frames = 1

    def __init__(self, name: str, label: str):
        """`label` is what sentences call it."""
        self._label = label
        height, width = decode_picture(self._file(), label)[0].shape[:2]
        super().__init__(name, size_and_rate(width, height, None))

    def take(self, part: Part) -> None:
        """A picture is read whole."""

    def _read(self, start: int) -> Iterator[Picture]:
        pixels, remark = decode_picture(self._file(), self._label)
        if remark:
            self._note(remark)
        if start == 0:
            yield Picture(pixels, 0.0, None)

    @abstractmethod
    def _file(self) -> bytes:
        """Read it once more."""


class StillFile(Still):
    """One picture file."""

    def __init__(self, path: Path):
        self._path = path
        super().__init__(name_of(path), str(path))
        self._label = path.name  # From here on only what is inside it can be wrong.

    def _file(self) -> bytes:
        return _bytes_of(self._path, self._label)


def read_picture(path: Path, label: str) -> tuple[np.ndarray, str | None]:
    """The upright pixels, uint8 (H, W, 3) BGR, and a remark for the user if there is one.

    16 bits are scaled to 8, what is transparent lies on white, of several pictures in a file the first one is taken.
    Raises `SourceError` with a sentence that calls the file `label`.
    """
    # Read here rather than by cv2.imread, which cannot open every name on every system.
    return decode_picture(_bytes_of(path, label), label)


def decode_picture(file: bytes, label: str) -> tuple[np.ndarray, str | None]:
    """The same from the bytes of a file, wherever they are from."""
    header = read_header(file)
    if header is None and may_be_picture(file[:64]):
        raise SourceError(f"{label} is damaged or cut off before its size is said; copy it again.")
    if header is None:
        raise SourceError(f"{label} {NO_PICTURE if file else 'is empty'}, whatever its name says.")
    if header.refused:
        raise SourceError(f"{label} {header.refused}.")
    if header.width * header.height > PICTURE_PIXELS:
        most = PICTURE_PIXELS // 1_000_000
        raise SourceError(
            f"{label} says it has {header.width} x {header.height} pixels; at most {most} megapixels are read."
        )
    try:
        with silent_opencv():
            read = np.frombuffer(file, np.uint8)
            pixels = decode_heic(file, label) if header.is_heic else _decode(read, header)
    except cv2.error:  # Such as a header that the decoder finds absurd.
        pixels = None
    if pixels is None:
        raise SourceError(f"{label} cannot be decoded: it is damaged, cut off, or coded in a way that is not read.")
    return pixels, f"{label} {header.remark}." if header.remark else None


def is_still(path: Path) -> bool:
    """Whether a file is read as one picture: by its content, and where that says nothing of the kind by its name."""
    suffix = path.suffix.lower()
    if suffix in _MOTION_JPEG:
        return False
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:  # Said by whoever reads it.
        return suffix in PICTURES
    if suffix in PICTURES:
        return may_be_picture(start) or not may_be_video(start)
    header = read_header(_bytes_of(path, str(path))) if may_be_picture(start) else None
    return header is not None and not header.plays


def _bytes_of(path: Path, label: str) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES:
            raise SourceError(f"{label} has more than {FILE_BYTES // 1_000_000} MB; no picture of that size is read.")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{label} cannot be read: {error.strerror}.") from error


def _decode(file: np.ndarray, header: Header) -> np.ndarray | None:
    pixels = _over_white(file, header) if header.has_alpha else None
    if pixels is None:
        pixels = _opaque(file, header)
    for turn in header.turns or () if pixels is not None else ():
        pixels = _UPRIGHT[turn](pixels)
    return pixels


def _over_white(file: np.ndarray, header: Header) -> np.ndarray | None:
    pixels = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)  # The only way to have the alpha.
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        return None
    return over_white(to_8_bits(pixels, header.brightest))


def _opaque(file: np.ndarray, header: Header) -> np.ndarray | None:
    turned_here = 0 if header.turns is None else cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(file, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | turned_here)
    if pixels is None:  # OpenCV gives grey floats as they are only.
        pixels = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)
        pixels = cv2.merge([pixels] * 3) if pixels is not None and pixels.ndim == 2 else None
    return None if pixels is None else to_8_bits(pixels, header.brightest if pixels.dtype == np.uint16 else None)
