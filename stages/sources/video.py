"""Video files and animations, read by PyAV.

PyAV rather than OpenCV's reader: it gives the time of every frame (variable frame rates), decodes on beyond a damaged
place, and says what is wrong with a file.
"""

from __future__ import annotations

import errno
import math
import os
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import av

from ..frames import Picture
from ..names import counted
from ..protocol.limits import PICTURE_PIXELS
from .base import EmptyPart, Source, SourceAway, SourceError, name_of, size_and_rate
from .clock import timed
from .container import OPTIONS, Stamps, formats_of, streams_of_pictures
from .conversion import Converter, Decoded, PixelAspect, shown_size
from .part import Part
from .shots import Shots

# Videos and pictures. What else FFmpeg knows are devices, and lists of further files and addresses that it would open
# one after the other, whatever the list is called.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,asf,flv,ogg,mjpeg,gif,gif_pipe,apng,"
    "jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,ivf,obu,yuv4mpegpipe,dv,mxf,nut,rm,vc1,wtv"
)
_IN_VAIN_MOST = 1000  # so many packets without a frame between them, and the rest is given up
_WHOLE = Part()
DEFAULT_RATE = 25.0  # frames a second, where a file names none
_FASTEST, _FASTEST_GUESS = 100_000.0, 1000.0  # frames a second: of a mean, and of a guess at the finest step
_WITHOUT_STAMPS = {"h264", "hevc"}
_WITHOUT_RATE = {"mjpeg", "mpjpeg", "m4v"} | _WITHOUT_STAMPS  # FFmpeg assumes 25 where the codec states none
_HAS_LENGTH = {"matroska", "mov", "asf", "flv", "avi"}  # in its header; of other formats FFmpeg estimates it by stamps
_OWN_LENGTH = "DURATION"  # Matroska's tag for the length of one stream
_INEXACT_S, _INEXACT = 1.0, 0.02  # so far from the truth are lengths in headers: at most, and by parts of that one
_INEXACT_LIST = 0.1  # lists of segments may count whole seconds
_GAP_S, _GAP = 0.4, 10  # seconds and frames without a picture, in a list of segments: one may be missing
# One connection for all: of a server that closes it without saying so, FFmpeg would ask the next part of a file on the
# closed one, and take the file to end there.
HTTP = {"multiple_requests": "1"}
# What a server says that will not be otherwise in a minute.
_DECIDED = (
    av.error.HTTPBadRequestError,
    av.error.HTTPUnauthorizedError,
    av.error.HTTPForbiddenError,
    av.error.ProtocolNotFoundError,
)
_SERVER = "check the address and port, and that the server runs"


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
                raise no_frame(self._label, self.part, clip.last_s)

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


class Found(NamedTuple):
    """What a reading of a video to its end has found."""

    count: int  # frames
    last_s: float  # time of the last one
    first_s: float  # by the stamps: when the first one begins,
    ends_s: float  # and when the last one ends
    left_out: int  # frames that an edit list leaves out


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
        self._in_vain = 0  # packets in a row that gave no frame
        self._gap: tuple[float, float] | None = None  # in a list of segments: the first, from when to when
        self._is_through = False  # read to its end, which is no failure
        self._left_out = 0  # frames that an edit list leaves out
        self._stopped: str | None = None  # why the file could not be read to its end
        self._first_s, self._ends_s = 0.0, math.inf  # by the stamps; without end where nobody asked for any
        self._ahead: list[Decoded] = []
        self._container = _open(location, label, options, timeout_s)
        try:
            self._stream, self._remark = _pictures_of(self._container, label)
            self._stamps = Stamps(self._formats)
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
        live: bool = False,
    ) -> Iterator[Picture]:
        """The frames of `part`, from its frame `start`. What is wrong with the file is told to `note`, soon or late.

        `passed` is called for every frame that is decoded and not given. `live`: each frame is given as soon as it is
        there, with time 0.
        """
        part = part if self.rate else _WHOLE  # An animation of one frame is a picture.
        rate = self.rate and part.rate(self.rate)
        if self._remark:
            note(self._remark)
        convert, chooser = Converter(self.size, self._label, note), part.chooser()
        decoded, self._ahead = chain(self._ahead, self._frames), []
        stamped = ((self._stamp_of(one), one) for one in decoded)
        times = ((0.0, one) for _, one in stamped) if live else timed(stamped, self.rate or DEFAULT_RATE)
        longest_s = max(_GAP_S, _GAP / (self.rate or DEFAULT_RATE))
        shots, is_cut = Shots(), False  # since the last frame that was taken
        for number, (time_s, one) in enumerate(times):
            if self._is_list and not self._gap and time_s - self.last_s > longest_s:
                self._gap = self.last_s, time_s
            self.last_s = time_s
            # A camera's picture is not compared: after an overload the one before it may be long ago.
            is_cut |= not live and shots.begins(one.frame)
            if part.is_over(time_s):
                return  # What lies behind is not missed, so it is not looked at.
            if chooser.takes(time_s):
                self.taken += 1
                begins_shot, is_cut = is_cut and self.taken > 1, False
                if self.taken > start:
                    yield Picture(convert(one, number), time_s, rate, file, begins_shot)
                    continue
            passed()
        if shortfall := self._shortfall():
            self.lacks_frames = True
            note(shortfall)

    @property
    def first(self) -> av.VideoFrame:
        """The first frame, before `pictures` is called."""
        return self._ahead[0].frame

    def shortfall(self, found: Found) -> str | None:
        """What a reading to the end that has found this has missed, in a sentence, if anything."""
        self.count, self.last_s, self._left_out = found.count, found.last_s, found.left_out
        self._first_s, self._ends_s, self._is_through = found.first_s, found.ends_s, True
        return self._shortfall()

    def close(self) -> None:
        self._frames.close()
        self._container.close()

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_finite(self) -> bool:
        """Whether the server says that it has an end: by its length in bytes, or in seconds in the file's header."""
        if "mpjpeg" in self._formats:  # Cameras that speak it name any length.
            return False
        # The size of a list of segments is not that of the video; FFmpeg has the length of one that has an end.
        return bool(self._container.duration) or (not self._is_list and self._container.size > 0)

    @property
    def came_whole_s(self) -> float:
        """How long what was read lasts by its stamps, if the server has said that this is its end; else 0."""
        return self._ends_s - self._first_s if self._is_through and self._ends_s < math.inf else 0.0

    @property
    def identity(self) -> tuple:
        """By which it is noticed that a server has another file under this name now."""
        return self._container.size, self._container.duration, self.size, self.frames

    @property
    def _is_list(self) -> bool:
        return bool(self._formats & {"hls", "dash"})

    @property
    def _formats(self) -> set[str]:
        return formats_of(self._container)

    def _look_ahead(self) -> None:
        """Sets size, rate and expected frames; the header alone can be wrong about the first two."""
        kind = self._container.format.name
        may_be_still = kind in ("gif", "apng", "image2") or kind.endswith("_pipe")
        self._ahead = list(islice(self._frames, 2 if may_be_still else 1))
        if not self._ahead:
            why = self._stopped or "it is damaged, or ends before the first one"
            if self._timeout_s and "mov" in self._formats:
                why += "; if its server gives no parts of files, download it first"
            raise SourceError(f"no picture of {self._label} can be decoded: {why}.")
        self.size = shown_size(*self._ahead[0])
        rate = _rate_of(self._stream, self._formats)
        self.rate: float | None = rate or DEFAULT_RATE
        is_assumed = self._formats & _WITHOUT_RATE and not self._stream.codec_context.framerate
        self.stated_rate = None if is_assumed else rate  # only for a person: frames are timed by `rate`
        length_s = self._length_s()
        self.frames: int | None = self._stream.frames or None
        if may_be_still and len(self._ahead) == 1:
            self.rate, self.stated_rate, self.frames = None, None, 1
        elif length_s and (
            self.frames is None or self.frames > length_s * self.rate + 2
        ):  # An edit list leaves some out.
            self.frames = round(length_s * self.rate)

    def _stamp_of(self, decoded: Decoded) -> float | None:
        if (stamp := self._stamps.of(decoded.frame)) is None:
            return None
        begins_s, lasts_s = float(stamp), float((decoded.frame.duration or 0) * decoded.frame.time_base)
        if self._ends_s == math.inf:
            self._first_s, self._ends_s = begins_s, begins_s + lasts_s
        self._ends_s = max(self._ends_s, begins_s + lasts_s)
        return begins_s

    def _decode(self) -> Iterator[Decoded]:
        """Every frame that can be had: what is damaged is left out and counted."""
        pixel_aspect = PixelAspect(self._stream)
        for packet in self._packets():
            frames = self._decode_packet(packet)
            self._in_vain = 0 if frames else self._in_vain + 1
            self.count += len(frames)
            pixel_aspect.decoded(packet)
            for frame in frames:
                yield Decoded(frame, pixel_aspect.of(frame))

    def _packets(self) -> Iterator[av.Packet]:
        """All that can be read; the last one lets the decoder give out what it holds, also where reading stopped."""
        while self._in_vain < _IN_VAIN_MOST:
            try:
                yield from self._container.demux(self._stream)
                self._is_through = True
                return
            except av.error.InvalidDataError:  # A damaged place of the container; reading goes on behind it.
                self._damaged += 1
                self._in_vain += 1
            except av.error.ExitError:  # What FFmpeg says when the timeout interrupts it.
                self._stopped = f"nothing came for {self._timeout_s:g} s"
                break
            except av.error.FFmpegError as error:
                self._stopped = None if is_end(error, self._container) else error.strerror
                break
        else:
            self._stopped = "nothing more can be decoded"
        last = av.Packet()
        last.stream, last.time_base = self._stream, self._stream.time_base
        yield last

    def _decode_packet(self, packet: av.Packet) -> list[av.VideoFrame]:
        self._left_out += packet.is_discard
        if not packet.size and packet.dts is not None:  # Some formats have it for "the same again"; players skip it.
            return []
        try:
            return packet.decode()
        except av.error.FFmpegError:
            self._damaged += 1
            return []

    def _shortfall(self) -> str | None:
        """What the reading has missed, in a sentence, if anything."""
        said = self._frames_said()
        read = f"read {self.count} of {said} frames" if self.count < said else f"read {counted(self.count, 'frame')}"
        reasons = [f"it is damaged in {counted(self._damaged, 'place')}"] if self._damaged else []
        length_s = self._length_s() or 0.0
        if self._stopped:
            reasons.append(f"reading stopped: {self._stopped}")
        elif self._gap and self._gap[1] - self._gap[0] < (length_s or math.inf):  # A longer one is another recording.
            from_s, to_s = self._gap  # FFmpeg leaves out what a server does not give, and says nothing.
            reasons.append(f"it has none between {from_s:.1f} s and {to_s:.1f} s, maybe a segment that is missing")
        elif self._is_list and length_s and self._ends_s - self._first_s < (1 - _INEXACT_LIST) * length_s:
            reasons.append(
                f"its list says {length_s:.1f} s, and its pictures end at {self._ends_s - self._first_s:.1f} s"
            )
        elif self.count < said:
            # A count may be of more than frames, such as the empty places where AVI repeats one: then none is missing.
            usual_s = self.last_s / (self.count - 1) if self.count > 1 else 1 / (self.rate or DEFAULT_RATE)
            if not reasons and (not length_s or self.last_s + 1.5 * usual_s < length_s):
                reasons.append("it ends early")
        elif not said and self._formats & _HAS_LENGTH:  # No count in the header, as in Matroska.
            inexact_s = min(_INEXACT_S, _INEXACT * length_s) if _OWN_LENGTH in self._stream.metadata else _INEXACT_S
            slack_s = 1 / (self.rate or DEFAULT_RATE) + inexact_s
            if (lasted_s := self._ends_s - self._first_s) < length_s - slack_s:
                reasons.append(f"its header says {length_s:.1f} s, and its pictures end at {lasted_s:.1f} s")
        return f"{self._label}: {read}; {', '.join(reasons)}." if reasons else None

    def _length_s(self) -> float | None:
        """From the first frame to the end of the last one, as the header says."""
        if self._is_list:
            return self._container.duration / av.time_base if self._container.duration else None
        length_s = _length_s(self._container, self._stream)
        if length_s and "matroska" in self._formats and (start := self._stream.start_time):
            return length_s - float(start * self._stream.time_base)  # Its length is the time at which it ends.
        return length_s

    def _frames_said(self) -> int:
        """How many frames the header says there are to be shown; 0 where it does not."""
        said = self._stream.frames
        if said and "mov" in self._formats:  # Its index has only those that the edit list needs.
            said = min(said, len(self._stream.index_entries) or said)
        return said - self._left_out if said else 0


def is_end(error: av.error.FFmpegError, container: av.container.InputContainer) -> bool:
    """Whether it is no error: so FFmpeg calls the end of what a server sends without saying how long it is."""
    return error.errno == errno.EIO and container.size < 0


def open_video(path: Path, label: str) -> tuple[av.container.InputContainer, av.VideoStream, str | None]:
    """Open a video file: its container, the stream of the pictures that are read, and a remark if it was chosen.

    Raises `SourceError`.
    """
    container = _open(str(path), label, None, None)
    try:
        return container, *_pictures_of(container, label)
    except BaseException:
        container.close()
        raise


def no_frame(label: str, part: Part, last_s: float) -> EmptyPart:
    """That a part of a video that was read to `last_s` holds no frame."""
    return EmptyPart(f"{label} has no frame {part.words}; it was read to {last_s:g} s.")


def local(path: str) -> str:
    """The name of a file as FFmpeg takes it for one, whatever it looks like: 10:30.mp4 is no protocol."""
    return f"file:{os.path.abspath(path)}"


def _open(location: str, label: str, options: dict[str, str] | None, timeout_s: float | None):
    if options is None:  # A file, not a stream.
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        location = local(location)
    so_far = None
    is_stream = timeout_s is not None
    try:
        return av.open(location, options={**options, **OPTIONS}, timeout=timeout_s, metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.ArgumentError, av.error.PatchWelcomeError):
        what = "is not a video that can be read: its content is of no known format, or cut off at a vital place"
        if is_stream and not location.startswith("http"):
            protocol = location.partition(":")[0]
            what = f"gave no answer in {protocol}: its server has closed the connection, or is another kind of server"
            what += f"; {_SERVER}"
    except av.error.ExitError:
        what = f"gave no picture within {timeout_s:g} s; {_SERVER}"
        so_far = "gives no picture yet"
    except _DECIDED as error:  # Asking a server again and again with a wrong password can lock its owner out.
        what = f"cannot be opened: {error.strerror}; {_ways(error)}"
    except av.error.FFmpegError as error:  # Its message holds the location, which may hold a password.
        what = f"cannot be opened: {error.strerror}"
        if is_stream:
            what += f"; {_SERVER}"
        so_far = f"is not there yet ({error.strerror})"
    # Outside of the handlers: the exceptions that they are about are not for anybody to see.
    raise SourceAway(f"{label} {what}.", f"{label} {so_far}") if so_far else SourceError(f"{label} {what}.")


def _ways(error: av.error.FFmpegError) -> str:
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return "write its user and password into the address, as in rtsp://USER:PASSWORD@HOST/"
    return "check the address"


def _pictures_of(container, label: str) -> tuple[av.VideoStream, str | None]:
    """The stream of pictures, set to decode on one thread, and a remark if it was chosen among several."""
    videos = streams_of_pictures(container)
    if not videos:
        raise SourceError(f"{label} holds no pictures{_content(container)}.")
    stream = videos[0]
    if stream.codec_context is None:
        raise SourceError(f"{label} is in a video format that this build of FFmpeg cannot decode; convert it to H.264.")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > PICTURE_PIXELS:
        most = PICTURE_PIXELS // 1_000_000
        raise SourceError(f"{label} has pictures of {width} x {height} pixels; at most {most} megapixels are read.")
    # One thread: the other cores have detect and the nets to do, and what is shown of a damaged frame stays the same.
    stream.codec_context.thread_count = 1
    if len(videos) == 1:
        return stream, None
    return stream, f"{label} has {len(videos)} streams of pictures; read is the largest, of {width} x {height}."


def _content(container) -> str:
    kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    return f", only {kinds}" if kinds else ""


def _length_s(container, stream) -> float | None:
    """The length of the pictures; the container's own may be that of a longer sound track."""
    # First, because FFmpeg gives the first stream of a Matroska file the length of the longest.
    if tag := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get(_OWN_LENGTH, "")):
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and len(container.streams) == 1 else None


def _rate_of(stream: av.VideoStream, formats: set[str]) -> float | None:
    """Frames a second; None where there is no telling."""
    stated = [(stream.average_rate, _FASTEST), (stream.guessed_rate, _FASTEST_GUESS)]
    # Frames without a container: the mean is FFmpeg's own default there, and the guess is what the codec states.
    for rate, fastest in reversed(stated) if formats & _WITHOUT_STAMPS else stated:
        if rate and 0 < rate <= fastest:
            return float(rate)
    return None
