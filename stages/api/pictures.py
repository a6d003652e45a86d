"""The picture that a caller gives: a file, the bytes of one, or an array."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ..errors import FacepipeError, reason, way_out
from ..protocol.limits import PICTURE_PIXELS
from ..sources.picture import decode_picture, is_still, read_picture
from ..sources.pixels import over_white
from ..sources.spec import expanded
from ..sources.urls import is_url

Colour = Literal["bgr", "rgb"]  # the order of the channels of an array
PictureLike = str | os.PathLike[str] | bytes | np.ndarray


class NotAPicture(FacepipeError):
    """What was given cannot be taken as one picture."""


def pixels_of(picture: PictureLike, colour: Colour = "bgr") -> np.ndarray:
    """The pixels that the pipeline sees: uint8 (H, W, 3) BGR, upright, C-contiguous.

    `picture`: the path of a file, the content of one, or an array uint8 (H, W, 3), (H, W, 4) with alpha, which is laid
    over white, or (H, W) grey. `colour`: the order of the channels of an array. Raises `NotAPicture`, and `SourceError`
    for a file that cannot be read.
    """
    if colour not in ("bgr", "rgb"):
        raise NotAPicture(f"colour is {colour!r}; write 'bgr', as OpenCV reads pictures, or 'rgb'.")
    if isinstance(picture, np.ndarray):
        return _of_array(picture, colour)
    if isinstance(picture, bytes | bytearray | memoryview):
        return decode_picture(bytes(picture), "The picture")[0]
    if isinstance(picture, str | os.PathLike):
        return _of_file(os.fspath(picture))
    raise NotAPicture(
        f"A picture is given as {type(picture).__name__}; give a path, the bytes of a file, or a NumPy array uint8"
        " (H, W, 3), such as numpy.asarray(picture) with colour='rgb' for one of Pillow."
    )


def in_order(pixels: np.ndarray, colour: Colour) -> np.ndarray:
    """Pixels uint8 (H, W, 3) BGR in the caller's order."""
    return pixels if colour == "bgr" else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _of_array(array: np.ndarray, colour: Colour) -> np.ndarray:
    if array.dtype != np.uint8:
        raise NotAPicture(
            f"The picture is an array of {array.dtype}; give uint8 from 0 to 255, and scale other numbers to that."
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise NotAPicture(
            f"The picture is an array of shape {array.shape}; give (H, W, 3), (H, W, 4) or (H, W), one picture at a"
            " time, channels last."
        )
    height, width = array.shape[:2]
    if not height or not width:
        raise NotAPicture(f"The picture is an array of shape {array.shape} and has no pixels; give one that has some.")
    if height * width > PICTURE_PIXELS:
        raise NotAPicture(
            f"The picture has {width} x {height} pixels; at most {PICTURE_PIXELS // 1_000_000} megapixels are taken, so"
            " scale it down."
        )
    pixels = np.ascontiguousarray(array)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[2] == 4:
        pixels = over_white(pixels)
    return pixels if colour == "bgr" else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def _of_file(name: str | bytes) -> np.ndarray:
    name = os.fsdecode(name)
    if is_url(name):
        raise NotAPicture(
            f"{name.partition('://')[0]}:// is the address of a stream; use stream for it, or download"
            " the picture and give its bytes."
        )
    path = Path(expanded(name))
    if not name or not _is_there(path, name):
        raise NotAPicture(f"There is no file {name!r}; write the path of a picture.")
    if path.is_dir():
        raise NotAPicture(f"{name} is a folder; use stream for it, or give its pictures one by one.")
    if not path.is_file():
        raise NotAPicture(f"{name} is no regular file; write the path of a picture.")
    if not is_still(path):
        raise NotAPicture(f"{name} is no picture that can be read; use stream for a video.")
    return read_picture(path, name)[0]


def _is_there(path: Path, name: str) -> bool:
    """Raises `NotAPicture` where the system does not tell."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        way = way_out(error) or "write the path of a picture"
        raise NotAPicture(f"{name} cannot be read: {reason(error)}; {way}.") from None
    return True
