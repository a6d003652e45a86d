"""What the header of a picture says, before a pixel is decoded: a file of 1 kB can claim to hold 400 megapixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

# Tags of TIFF, and so of EXIF.
_WIDTH, _HEIGHT, _COLOURS, _ORIENTATION, _SAMPLES = 256, 257, 262, 274, 277
_CMYK = 5


@dataclass(frozen=True, slots=True)
class Header:
    """The size as stored, before it is turned upright."""

    width: int  # pixels
    height: int
    has_alpha: bool = False  # or may have
    orientation: int = 1  # by EXIF, 1 to 8; only told where `has_alpha`, as OpenCV sees to all others
    brightest: int | None = None  # value of white, where the file names it
    moves: bool = False  # an animation


def read_header(file: bytes) -> Header | None:
    """The header of a JPEG, PNG, WebP, TIFF, BMP, GIF or portable any-map (P1 to P6); None if it is none of them."""
    for magic, read in _KINDS:
        if re.match(magic, file, re.DOTALL):
            try:
                return read(file)
            except (struct.error, IndexError, ValueError, KeyError):  # Cut off, or not what it seemed.
                return None
    return None


def _jpeg(file: bytes) -> Header | None:
    at = 2
    while True:
        if file[at] != 0xFF:
            return None
        marker = file[at + 1]
        if marker == 0xFF:  # Fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # Markers without a segment
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # A start of frame, not DHT, JPG or DAC
            height, width = struct.unpack_from(">HH", file, at + 5)
            return Header(width, height)
        else:
            at += 2 + struct.unpack_from(">H", file, at + 2)[0]


def _png(file: bytes) -> Header:
    width, height, _, colour_type = struct.unpack_from(">IIBB", file, 16)
    chunks = dict(_chunks(file, 8, ">I4s", size_first=True, trailer=4))
    exif = chunks.get(b"eXIf", b"")
    return Header(
        width, height, bool(colour_type & 4) or b"tRNS" in chunks, _exif_orientation(exif), moves=b"acTL" in chunks
    )


def _webp(file: bytes) -> Header:
    chunks = dict(_chunks(file, 12, "<4sI", size_first=False, even=True))
    exif = chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0")
    if extended := chunks.get(b"VP8X"):
        width, height = (int.from_bytes(extended[at : at + 3], "little") + 1 for at in (4, 7))
        return Header(width, height, bool(extended[0] & 0x10), _exif_orientation(exif), moves=bool(extended[0] & 0x02))
    if lossless := chunks.get(b"VP8L"):
        bits = int.from_bytes(lossless[1:5], "little")
        return Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    width, height = struct.unpack_from("<HH", chunks[b"VP8 "], 6)
    return Header(width & 0x3FFF, height & 0x3FFF)


def _tiff(file: bytes) -> Header:
    tags = _tiff_tags(file)
    # By the samples of a pixel: many writers, OpenCV among them, do not say that the fourth is alpha.
    return Header(tags[_WIDTH], tags[_HEIGHT], tags.get(_SAMPLES) in (2, 4) and tags.get(_COLOURS) != _CMYK)


def _bmp(file: bytes) -> Header:
    # The fourth byte of 32-bit pixels is no alpha: most writers leave it 0, which would make the picture vanish.
    if struct.unpack_from("<I", file, 14)[0] == 12:
        return Header(*struct.unpack_from("<HH", file, 18))
    width, height = struct.unpack_from("<ii", file, 18)
    return Header(abs(width), abs(height))


def _gif(file: bytes) -> Header:
    return Header(*struct.unpack_from("<HH", file, 6), has_alpha=True, moves=True)


def _any_map(file: bytes) -> Header:
    text = re.sub(rb"#[^\n]*", b" ", file[:10_000])  # Comments may stand anywhere in the header.
    numbers = [int(number) for number in re.match(rb"P\d((?:\s+\d{1,9}){2,3})\s", text)[1].split()]
    bitmap = file[1:2] in b"14"
    return Header(numbers[0], numbers[1], brightest=None if bitmap else numbers[2])


def _chunks(file: bytes, at: int, head: str, size_first: bool, trailer: int = 0, even: bool = False) -> Iterator:
    """Name and content of the chunks of PNG and RIFF; the first 64 bytes of those that hold pixels."""
    while at + 8 <= len(file):
        size, name = struct.unpack_from(head, file, at)[:: 1 if size_first else -1]
        most = 64 if name in (b"IDAT", b"fdAT", b"VP8 ", b"VP8L", b"ANMF") else size
        yield name, file[at + 8 : at + 8 + min(size, most)]
        at += 8 + size + trailer + (size & 1 if even else 0)


def _exif_orientation(exif: bytes) -> int:
    try:
        orientation = _tiff_tags(exif).get(_ORIENTATION, 1)
    except (struct.error, IndexError, KeyError):  # No EXIF, or a broken one: then the picture stands as it is stored.
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _tiff_tags(file: bytes) -> dict[int, int]:
    """The tags of the first directory that hold one 16-bit or 32-bit number; others are there with the value 0."""
    order = {b"II": "<", b"MM": ">"}[file[:2]]
    (at,) = struct.unpack_from(order + "I", file, 4)
    (count,) = struct.unpack_from(order + "H", file, at)
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", file, entry)
        value = struct.unpack_from(order + {3: "H", 4: "I"}.get(kind, "I"), file, entry + 8)[0]
        tags[tag] = value if kind in (3, 4) and length == 1 else 0
    return tags


_KINDS = (
    (rb"\xff\xd8\xff", _jpeg),
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"RIFF....WEBP", _webp),
    (rb"II\*\0|MM\0\*", _tiff),
    (rb"BM", _bmp),
    (rb"GIF8[79]a", _gif),
    (rb"P[1-6]\s", _any_map),
)
