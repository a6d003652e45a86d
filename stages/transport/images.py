"""Pictures on their way between machines: JPEG or PNG, made by one of ours and opened by another.

What comes from another machine is opened only if it is exactly what `encoded` makes. The header is held against the
size that the message has announced before the decoder sees the picture, so that nothing larger is ever allocated; and
what our encoder does not write (progressive JPEGs, which can cost a minute each, chunks of other programs) is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from ..protocol.messages import SHARED, Encoded, Message, Refused

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_BASELINE, _SCAN = 0xC0, 0xDA
_PASSED_OVER = (0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0))  # tables, restart interval, notes of programs


def encoded(pixels: np.ndarray, encoding: str, quality: int) -> Encoded:
    """A picture, uint8 (H, W, 3) BGR, as `jpeg` of this quality (1 to 100) or as `png`."""
    import cv2  # Attribute stages never see a picture, and do without.

    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if encoding == "jpeg" else []
    done, buffer = cv2.imencode(f".{encoding}", pixels, options)
    assert done, f"a picture of shape {pixels.shape} cannot be encoded as {encoding}"
    return Encoded(encoding, pixels.shape, buffer)


def _none_is_shared(picture: Encoded) -> np.ndarray:
    raise Refused("a picture in memory that is not shared with this process")


def decoded(message: Message, fetch: Callable[[Encoded], np.ndarray] = _none_is_shared) -> Message:
    """The message with arrays in place of encoded pictures; raises `Refused`. `fetch` reads one of shared memory."""
    if not any(type(array) is Encoded for array in message.arrays):
        return message
    return replace(message, arrays=tuple(_array(a, fetch) if type(a) is Encoded else a for a in message.arrays))


def _array(picture: Encoded, fetch: Callable[[Encoded], np.ndarray] = _none_is_shared) -> np.ndarray:
    if picture.encoding == SHARED:
        return fetch(picture)
    file = memoryview(picture.buffer).cast("B")
    try:
        size = (_jpeg_size if picture.encoding == "jpeg" else _png_size)(file)
    except (struct.error, IndexError):
        size = None
    if size != picture.shape[:2]:
        raise Refused(f"a {picture.encoding} that is not the picture that was announced")
    import cv2

    try:
        pixels = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape != picture.shape:
        raise Refused(f"a {picture.encoding} that is damaged")
    return pixels


def _jpeg_size(file: memoryview) -> tuple[int, int] | None:
    """Height and width of a baseline JPEG in three colours that has its end; None: it is none."""
    if file[:2] != _JPEG or file[-2:] != _JPEG_END:
        return None
    at, size = 2, None
    while True:
        mark, marker, length = struct.unpack_from(">BBH", file, at)
        if mark != 0xFF:
            return None
        if marker == _SCAN:
            return size
        if marker == _BASELINE and size is None:
            bits, height, width, colours = struct.unpack_from(">BHHB", file, at + 4)
            size = (height, width) if (bits, colours) == (8, 3) else None
        elif marker not in _PASSED_OVER:
            return None
        at += 2 + length


def _png_size(file: memoryview) -> tuple[int, int] | None:
    """Height and width of a PNG with 8 bits of three colours that holds pixels and nothing else; None: it is none."""
    if file[:8] != _PNG or file[-12:] != _PNG_END:
        return None
    length, name, width, height, *kind = struct.unpack_from(">I4sIIBBBBB", file, 8)
    if (length, name, kind) != (13, b"IHDR", [8, 2, 0, 0, 0]):
        return None
    at = 33
    while at < len(file) - 12:
        length, name = struct.unpack_from(">I4s", file, at)
        if name != b"IDAT":
            return None
        at += 12 + length
    return (height, width) if at == len(file) - 12 else None
