"""From a decoded frame to a picture: upright, with square pixels, BGR, and of the size of the first one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import Colorspace, ColorTrc, VideoReformatter

from ..protocol.limits import PICTURE_PIXELS
from .base import size_and_rate
from .pixels import over_white

_SQUARE = Fraction(1)
_WIDEST = 16  # times as wide as high, or as high as wide: a header that says more is damaged
_UNTAGGED = 2  # FFmpeg's AVCOL_SPC_UNSPECIFIED
_HD_LINES, _HD_COLUMNS = 720, 1280  # from here on players take an untagged picture for BT.709, below for BT.601
_HDR = {ColorTrc.SMPTE2084: "PQ", ColorTrc.ARIB_STD_B67: "HLG"}


class Decoded(NamedTuple):
    """A frame as the decoder gives it, and the shape of its pixels."""

    frame: av.VideoFrame
    pixel_aspect: Fraction | None  # width of a pixel by its height


class PixelAspect:
    """The shape of the pixels: what the container says, or else what the codec says for the frame."""

    def __init__(self, stream: av.VideoStream):
        self._codec = stream.codec_context
        self._stated = stream.sample_aspect_ratio
        self._said: Fraction | None = None  # by the codec at last
        self._next: tuple[Fraction, int | None] | None = None  # what it says from the frame with this stamp on

    def decoded(self, packet: av.Packet) -> None:
        """The codec has read a packet; it gives the frames out later, in another order."""
        said = self._codec.sample_aspect_ratio
        if said == self._said or not said:
            return
        if self._said is None:
            self._stated = self._stated or said
        elif self._stated == self._said:
            self._next = said, packet.pts
        self._said = said

    def of(self, frame: av.VideoFrame) -> Fraction | None:
        """Of a frame that the decoder has given; None: nobody says it."""
        # Only a key frame begins with another shape; a file without a container has no stamps to know it by.
        if self._next is not None and (self._next[1] == frame.pts if self._next[1] is not None else frame.key_frame):
            self._stated, self._next = self._next[0], None
        return self._stated


class Converter:
    """Frames of a decoder to upright BGR pictures with square pixels, all of the first one's size."""

    def __init__(self, size: tuple[int, int], label: str, note: Callable[[str], None]):
        """`size`: width and height of every picture. `note` is told, once each, what a person should know."""
        self._size, self._label, self._note = size, label, note
        self._reformat = VideoReformatter()
        self._said: set[str] = set()

    def __call__(self, decoded: Decoded, number: int) -> np.ndarray:
        """The picture, uint8 (H, W, 3), of the frame of this number."""
        frame = decoded.frame
        self._remark(frame)
        orientation, shown = orientation_of(frame), shown_size(*decoded)
        wide, high = self._size if shown == self._size else self._inside(shown, number)
        width, height = (high, wide) if orientation.transposed else (wide, high)
        has_alpha = any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"
        target = "bgra" if has_alpha else "bgr24"
        # One thread: starting swscale's own for every frame takes longer than the conversion (640 x 360: 0.5 ms more).
        frame = self._reformat.reformat(frame, width, height, target, src_colorspace=_colours_of(frame), threads=1)
        # FFmpeg pads the rows of widths that are no multiple of 32.
        pixels = orientation.upright(over_white(frame.to_ndarray()) if has_alpha else frame.to_ndarray())
        return pixels if (wide, high) == self._size else self._with_bars(pixels)

    def _inside(self, shown: tuple[int, int], number: int) -> tuple[int, int]:
        """The largest size of a picture of another size inside the first one's: faces are never squeezed."""
        old, new = (size_and_rate(*size, None) for size in (self._size, shown))
        scale = min(self._size[0] / shown[0], self._size[1] / shown[1])
        inside = tuple(max(1, min(most, round(scale * side))) for most, side in zip(self._size, shown, strict=True))
        how = "is scaled back" if inside == self._size else "is scaled back, with black bars"
        self._say("size", f"{self._label}: the size changes from {old} to {new} at frame {number} and {how}.")
        return inside

    def _with_bars(self, pixels: np.ndarray) -> np.ndarray:
        width, height = self._size[0] - pixels.shape[1], self._size[1] - pixels.shape[0]
        top, left = height // 2, width // 2
        return cv2.copyMakeBorder(pixels, top, height - top, left, width - left, cv2.BORDER_CONSTANT, value=(0, 0, 0))

    def _remark(self, frame: av.VideoFrame) -> None:
        if frame.interlaced_frame:
            self._say(
                "interlaced",
                f"{self._label} is interlaced, and its pictures are read as they are: where something moves, every"
                " other line is of another moment; faces are told better from a deinterlaced copy.",
            )
        if curve := _HDR.get(frame.color_trc):
            self._say(
                "HDR",
                f"{self._label} is HDR ({curve}), and its pictures are read without tone mapping: they look pale; faces"
                " are told better from a copy in SDR.",
            )

    def _say(self, what: str, sentence: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._note(sentence)


def _colours_of(frame: av.VideoFrame) -> Colorspace | None:
    """What the numbers of an untagged frame are taken for; None: as it is tagged, or BT.601."""
    is_hd = frame.height >= _HD_LINES or frame.width >= _HD_COLUMNS
    if frame.colorspace == _UNTAGGED and is_hd and not frame.format.is_rgb:
        return Colorspace.ITU709
    return None


@dataclass(frozen=True, slots=True)
class Orientation:
    """What makes a stored picture upright; all eight of a display matrix, which are those of EXIF."""

    transposed: bool = False  # first
    flipped: int | None = None  # then, as cv2.flip has it: 1 left and right, 0 top and bottom, -1 both

    def upright(self, pixels: np.ndarray) -> np.ndarray:
        """The picture as it is to be seen, C-contiguous."""
        if self.transposed:
            pixels = cv2.transpose(pixels)
        return np.ascontiguousarray(pixels) if self.flipped is None else cv2.flip(pixels, self.flipped)


_AS_STORED = Orientation()
_TURNED = {90: Orientation(True, 0), 180: Orientation(False, -1), 270: Orientation(True, 1)}  # counterclockwise


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """By the display matrix of a frame; an angle between the four is taken for the nearest of them."""
    try:
        stated = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # FFmpeg has kinds of side data, such as EXIF, at which PyAV 18 gives up on all of it.
        return _TURNED.get(frame.rotation % 360, _AS_STORED)
    if stated is None:
        return _AS_STORED
    # x shown = a x + c y, y shown = b x + d y: three rows of three, 16.16 fixed point.
    a, b, _, c, d = (int(number) for number in np.frombuffer(stated, np.int32)[:5])
    transposed = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    return Orientation(transposed, {(True, True): -1, (True, False): 1, (False, True): 0}.get((across, down)))


def shown_size(frame: av.VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Width and height upright, with square pixels. The shorter side of a pixel grows, as in players: none is lost."""
    width, height = stretched(frame.width, frame.height, pixel_aspect)
    return (height, width) if orientation_of(frame).transposed else (width, height)


def stretched(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The size with square pixels. `pixel_aspect`: width of a pixel by its height; absent or absurd, it is square."""
    aspect = pixel_aspect or _SQUARE
    if aspect == _SQUARE:
        return width, height
    size = (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))
    is_absurd = not 1 / _WIDEST <= aspect <= _WIDEST or size[0] * size[1] > PICTURE_PIXELS
    return (width, height) if is_absurd else size
