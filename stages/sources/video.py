"""Video files and animations, read by PyAV.

PyAV rather than OpenCV's reader: it gives the time of every frame (variable frame rates), decodes on beyond a damaged
place, and says what is wrong with a file.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

import av
import cv2
import numpy as np
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from stages.core.frames import Picture
from stages.core.limits import PICTURE_PIXELS
from stages.sources.base import EmptyPart, Source, SourceAway, SourceError, counted, name_of, size_and_rate
from stages.sources.part import Part
from stages.sources.pixels import over_white

_SUFFIXES = ".mp4 .m4v .mov .qt .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .wmv .flv .3gp .ogv .mjpeg .mjpg .gif .apng"
VIDEOS = frozenset(_SUFFIXES.split())

# Videos and pictures. What else FFmpeg knows are devices, and lists of further files and addresses that it would open
# one after the other, whatever the list is called.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,asf,flv,ogg,mjpeg,gif,gif_pipe,apng,"
    "jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe"
)
_FAILURES_IN_A_ROW = 1000  # so many packets without a frame between them, and the rest is given up
_WHOLE = Part()
# What a server says that will not be otherwise in a minute.
_DECIDED = (
    av.error.HTTPBadRequestError,
    av.error.HTTPUnauthorizedError,
    av.error.HTTPForbiddenError,
    av.error.ProtocolNotFoundError,
)
_LATER_S = 0.001  # how far a frame is put behind its predecessor where the file says that it is not later
_TURN_BACK = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


class Film(Source):
    """One video that has an end and can be read again, wherever it lies."""

    def __init__(self, name: str, label: str):
        """`label` is what sentences call it."""
        self._label = label
        with self._open() as clip:
            super().__init__(name, clip.description)
            self.frames, self._rate = clip.frames, clip.rate

    def take(self, part: Part) -> None:
        super().take(part)
        if self.frames and self._rate:
            self.frames = part.expected(self.frames, self._rate)

    def _read(self, start: int) -> Iterator[Picture]:
        with self._open() as clip:
            yield from clip.pictures(self._note, start, part=self.part, passed=self.passed)
            self.cut_short = clip.lacks_frames
            if not clip.taken:
                raise EmptyPart(f"{self._label} has no frame {self.part.words}; it was read to {clip.last_s:g} s.")

    @abstractmethod
    def _open(self) -> Clip:
        """Open it once more."""


class Video(Film):
    """A video file or an animation, such as a GIF; an animation of one frame is a still."""

    def __init__(self, path: Path):
        self._path = path
        super().__init__(name_of(path), str(path))
        self._label = path.name  # From here on only what is inside it can be wrong.

    def _open(self) -> Clip:
        return Clip(str(self._path), self._label)


class Clip:
    """One opened video, to be read once and closed."""

    def __init__(
        self, location: str, label: str, options: dict[str, str] | None = None, timeout_s: float | None = None
    ):
        """Open the file or URL and decode its first frame. `label` names it in sentences and holds no password.

        Raises `SourceError` where no frame can be had.
        """
        self.count = 0  # frames decoded so far
        self.taken = 0  # and those of them that are in the part that is read
        self.last_s = 0.0  # time of the last one decoded
        self.lacks_frames = False  # found out at the end of the reading
        self._label, self._timeout_s = label, timeout_s
        self._damaged = 0  # packets that could not be decoded
        self._stopped: str | None = None  # why the file could not be read to its end
        self._ahead: list[av.VideoFrame] = []
        self._container = _open(location, label, options, timeout_s)
        try:
            self._stream = _pictures_of(self._container, label)
            self._frames = self._decode()
            self._look_ahead()
        except BaseException:
            self._container.close()
            raise

    @property
    def description(self) -> str:
        return size_and_rate(*self.size, self.rate)

    def pictures(
        self,
        note: Callable[[str], None],
        start: int = 0,
        file: str | None = None,
        part: Part = _WHOLE,
        passed: Callable[[], None] = lambda: None,
    ) -> Iterator[Picture]:
        """The frames of `part`, from its frame `start`. What is wrong with the file is told to `note`, soon or late.

        `passed` is called for every frame that is decoded and not given.
        """
        part = part if self.rate else _WHOLE  # An animation of one frame is a picture.
        first_s, last_s, rate = None, 0.0, self.rate and part.rate(self.rate)
        convert, chooser = _Convert(self.size, self._label, note), part.chooser()
        for number, frame in enumerate(chain(self._ahead, self._frames)):
            self._ahead = []
            stamp_s = last_s + 1 / (self.rate or 25) if frame.time is None else frame.time
            first_s = stamp_s if first_s is None else first_s
            self.last_s = last_s = max(stamp_s - first_s, last_s + _LATER_S) if number else 0.0
            if part.is_over(last_s):
                return  # What lies behind is not missed, so it is not looked at.
            if chooser.takes(last_s):
                self.taken += 1
                if self.taken > start:
                    yield Picture(convert(frame, number), last_s, rate, file)
                    continue
            passed()
        if shortfall := self._shortfall(last_s):
            self.lacks_frames = True
            note(shortfall)

    def close(self) -> None:
        self._frames.close()
        self._container.close()

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _look_ahead(self) -> None:
        """Sets size, rate and expected frames; the header alone can be wrong about the first two."""
        kind = self._container.format.name
        may_be_still = kind in ("gif", "apng", "image2") or kind.endswith("_pipe")
        self._ahead = list(islice(self._frames, 2 if may_be_still else 1))
        if not self._ahead:
            why = self._stopped or "it is damaged, or ends before the first one"
            raise SourceError(f"No picture of {self._label} can be decoded: {why}.")
        stream, first = self._stream, self._ahead[0]
        self.size = _upright_size(first)
        rate = stream.average_rate or stream.guessed_rate
        self.rate = float(rate) if rate and 0 < rate <= 1000 else 25.0
        self.frames: int | None = stream.frames or None
        if may_be_still and len(self._ahead) == 1:
            self.rate, self.frames = None, 1
        elif self.frames is None and (length_s := _length_s(self._container, stream)):
            self.frames = round(length_s * self.rate)

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Every frame that can be had: what is damaged is left out and counted."""
        failures = 0
        while failures < _FAILURES_IN_A_ROW:
            try:
                for packet in self._container.demux(self._stream):
                    frames = self._decode_packet(packet)
                    failures = 0 if frames else failures + 1
                    self.count += len(frames)
                    yield from frames
                return
            except av.error.InvalidDataError:  # A damaged place of the container; reading goes on behind it.
                self._damaged += 1
                failures += 1
            except av.error.ExitError:  # What FFmpeg says when the timeout interrupts it.
                self._stopped = f"nothing came for {self._timeout_s:g} s"
                return
            except av.error.FFmpegError as error:
                self._stopped = error.strerror
                return
        self._stopped = "nothing more can be decoded"

    def _decode_packet(self, packet: av.Packet) -> list[av.VideoFrame]:
        try:
            return packet.decode()
        except av.error.FFmpegError:
            self._damaged += 1
            return []

    def _shortfall(self, last_s: float) -> str | None:
        """What the reading has missed, in a sentence, if anything."""
        said, length_s = self._stream.frames, _length_s(self._container, self._stream) or 0.0
        read = f"read {self.count} of {said} frames" if self.count < said else f"read {counted(self.count, 'frame')}"
        reasons = [f"it is damaged in {counted(self._damaged, 'place')}"] if self._damaged else []
        if self._stopped:
            reasons.append(f"reading stopped: {self._stopped}")
        elif self.count < said and not reasons:
            reasons.append("it ends early")
        elif not said and last_s + 1 / (self.rate or 25) < length_s - 1:  # No count in the header, as in Matroska.
            reasons.append(f"its header says {length_s:.1f} s, and its last frame is at {last_s:.1f} s")
        return f"{self._label}: {read}; {', '.join(reasons)}." if reasons else None


class _Convert:
    """Frames of a decoder to upright BGR pictures, all of the first one's size."""

    def __init__(self, size: tuple[int, int], label: str, note: Callable[[str], None]):
        self._size, self._label, self._note = size, label, note
        self._reformat = VideoReformatter()
        self._said_so = False  # that the size changes

    def __call__(self, frame: av.VideoFrame, number: int) -> np.ndarray:
        turns = _quarter_turns(frame)
        size = _upright_size(frame)
        if size != self._size and not self._said_so:
            old, new = (size_and_rate(*s, None) for s in (self._size, size))
            self._note(f"{self._label}: the size changes from {old} to {new} at frame {number} and is scaled back.")
            self._said_so = True
        width, height = self._size[::-1] if turns % 2 else self._size
        has_alpha = any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"
        # One thread: starting swscale's own for every frame takes longer than the conversion (640 x 360: 0.5 ms more).
        frame = self._reformat.reformat(frame, width, height, "bgra" if has_alpha else "bgr24", threads=1)
        # FFmpeg pads the rows of widths that are no multiple of 32.
        pixels = over_white(frame.to_ndarray()) if has_alpha else np.ascontiguousarray(frame.to_ndarray())
        return cv2.rotate(pixels, _TURN_BACK[turns]) if turns else pixels


def _open(location: str, label: str, options: dict[str, str] | None, timeout_s: float | None):
    if options is None:  # A file, not a stream.
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    so_far = None
    try:
        return av.open(location, options=options, timeout=timeout_s, metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.ArgumentError):
        what = "is not a video that can be read: its content is of no known format, or cut off at a vital place"
    except av.error.ExitError:
        what = f"gave no picture within {timeout_s:g} s"
        so_far = "gives no picture yet"
    except _DECIDED as error:  # Asking a server again and again with a wrong password can lock its owner out.
        what = f"cannot be opened: {error.strerror}"
    except av.error.FFmpegError as error:  # Its message holds the location, which may hold a password.
        what = f"cannot be opened: {error.strerror}"
        so_far = f"is not there yet ({error.strerror})"
    # Outside of the handlers: the exceptions that they are about are not for anybody to see.
    raise SourceAway(f"{label} {what}.", f"{label} {so_far}") if so_far else SourceError(f"{label} {what}.")


def _pictures_of(container, label: str) -> av.VideoStream:
    """The stream of pictures, set to decode on one thread."""
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]  # Not a song's cover.
    if not videos:
        raise SourceError(f"{label} holds no pictures, only {_content(container)}.")
    stream = videos[0]
    if stream.codec_context is None:
        raise SourceError(f"{label} is in a video format that this build of FFmpeg cannot decode; convert it to H.264.")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > PICTURE_PIXELS:
        most = PICTURE_PIXELS // 1_000_000
        raise SourceError(f"{label} has pictures of {width} x {height} pixels; at most {most} megapixels are read.")
    # One thread: the other cores have detect and the nets to do, and what is shown of a damaged frame stays the same.
    stream.codec_context.thread_count = 1
    return stream


def _content(container) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _length_s(container, stream) -> float | None:
    """The length of the pictures; the container's own may be that of a longer sound track."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if tag := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):  # Matroska
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    return container.duration / av.time_base if container.duration and len(container.streams) == 1 else None


def _quarter_turns(frame: av.VideoFrame) -> int:
    """How often the frame must be turned by 90 degrees, counter-clockwise, to stand upright."""
    return round(frame.rotation / 90) % 4


def _upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    return (frame.height, frame.width) if _quarter_turns(frame) % 2 else (frame.width, frame.height)
