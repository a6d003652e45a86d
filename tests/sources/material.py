"""Small videos and pictures that the tests of the sources make for themselves."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image


def write_video(
    path: Path,
    frames: int = 10,
    size: tuple[int, int] = (64, 48),
    rate: int = 25,
    times_ms: list[int] | None = None,
    turned: int = 0,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    codec: str = "libx264",
) -> Path:
    """A video whose frame n has the grey value 10 + 4n, and red in its upper left quarter; size is (width, height)."""
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate=rate, options={"g": "6", "bf": "0", **(options or {})})
        stream.width, stream.height = size
        stream.pix_fmt = {"libx264": "yuv420p", "mpeg2video": "yuv420p", "mjpeg": "yuvj420p"}.get(codec, "yuv444p")
        stream.codec_context.time_base = Fraction(1, rate if codec == "mpeg2video" else 1000)  # It takes no other.
        if turned:
            stream.set_display_rotation(turned)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(number, size), format="bgr24")
            frame.pts, frame.time_base = times_ms[number] if times_ms else number * 1000 // rate, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def numbered(number: int, size: tuple[int, int]) -> np.ndarray:
    width, height = size
    pixels = np.full((height, width, 3), 10 + 4 * number, np.uint8)
    pixels[: height // 2, : width // 2] = (0, 0, 255)
    return pixels


def number_of(pixels: np.ndarray) -> int:
    """Which frame of `write_video` this is. FFmpeg's quick conversion, like OpenCV's reader, darkens grey by 1 to 3."""
    return round((float(pixels[-8:, -8:].mean()) - 8) / 4)


def red_corner(pixels: np.ndarray) -> str:
    """Where the red quarter lies."""
    height, width = pixels.shape[:2]
    corners = {
        "upper left": pixels[height // 4, width // 4],
        "upper right": pixels[height // 4, -width // 4],
        "lower left": pixels[-height // 4, width // 4],
        "lower right": pixels[-height // 4, -width // 4],
    }
    return next(name for name, (blue, _, red) in corners.items() if int(red) - int(blue) > 100)


COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230), "white": (250, 250, 250)}  # RGB


def _cornered() -> np.ndarray:
    pixels = np.zeros((48, 64, 3), np.uint8)
    quarters = (pixels[:24, :32], pixels[:24, 32:], pixels[24:, :32], pixels[24:, 32:])
    for quarter, colour in zip(quarters, COLOURS.values(), strict=True):
        quarter[:] = colour
    return pixels


CORNERED = _cornered()  # RGB: red, green, blue and white, as one reads them

# From upright pixels to what a camera that was held so stores, by EXIF's number; written out, to differ from the code.
_STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[::-1],
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: p.transpose(1, 0, 2)[:, ::-1],
}


def as_stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright pixels as a camera that was held so stores them."""
    return np.ascontiguousarray(_STORED[orientation](pixels))


def encoded(kind: str, orientation: int = 1, mode: str = "RGB", pixels: np.ndarray = CORNERED, **options) -> bytes:
    """A file by Pillow: `pixels` as a camera that was held so stores them, with what turns them upright again."""
    turned, file = Image.Exif(), io.BytesIO()
    turned[274] = orientation
    stored = Image.fromarray(as_stored(pixels, orientation))
    stored = stored.convert(mode) if mode != "RGB" else stored
    quality = {"JPEG": {"quality": 95}, "AVIF": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    stored.save(file, kind, exif=turned.tobytes() if orientation > 1 else b"", **quality, **options)
    return file.getvalue()


def corners(pixels: np.ndarray) -> str:
    """The colours of the four quarters, as one reads them."""
    height, width = pixels.shape[:2]
    places = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return " ".join(_colour(pixels[place]) for place in places)


def _colour(bgr: np.ndarray) -> str:
    return min(COLOURS, key=lambda name: np.abs(bgr[::-1].astype(int) - COLOURS[name]).sum())


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    done, file = cv2.imencode(path.suffix, pixels)
    assert done
    path.write_bytes(file.tobytes())
    return path


def exif(orientation: int) -> bytes:
    """A TIFF directory with the orientation alone, as EXIF holds it."""
    return b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + orientation.to_bytes(2, "little") + b"\0\0\0\0\0\0"
