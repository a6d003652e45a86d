"""What FFmpeg says of a video file that its pictures and its sound must agree on: the stream of the pictures, and when
each frame is shown. Asked by the source that reads the pictures and by the output that copies the sound.
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Protocol

import av
from av.stream import Disposition

# FFmpeg would take everything before the first stamp of a transport stream for what comes 26.5 hours after it, also
# where an older recording was put behind a newer one.
OPTIONS = {"correct_ts_overflow": "0"}
_LAP_S = Fraction(2**33, 90_000)  # after which the clock of a transport or program stream begins again at 0
_WITH_LAPS = {"mpegts", "mpeg"}
_WITHOUT_SHOWING = {"avi", "asf"}  # They have times of decoding; FFmpeg makes others of them that are not in order.
_GAP_S = 60  # a jump back by a lap but for this is the clock, not another recording


def formats_of(container: av.container.InputContainer) -> set[str]:
    """FFmpeg's names of the format: several where it cannot tell them apart, such as mov and mp4."""
    return set(container.format.name.split(","))


def streams_of_pictures(container: av.container.InputContainer) -> list[av.VideoStream]:
    """The one to be read first: the largest, others being previews of it; what cannot be decoded comes last."""
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]  # Not a song's cover.
    return sorted(videos, key=_preference, reverse=True)  # Of equals the first one.


def _preference(stream: av.VideoStream) -> tuple[int, bool]:
    codec = stream.codec_context
    return codec.width * codec.height if codec else -1, bool(stream.disposition & Disposition.default)


class Laps:
    """Lets the stamps of one stream go on where the clock of its format begins again at 0."""

    def __init__(self, formats: set[str]):
        self._lap_s = _LAP_S if formats & _WITH_LAPS else None
        self._behind_s, self._last_s = Fraction(0), None

    def of(self, stamp_s: Fraction) -> Fraction:
        """The stamp without the jumps back; both in seconds."""
        if self._lap_s is None:
            return stamp_s
        # FFmpeg adds a lap to some stamps, those that are shown after the clock began again and decoded before.
        time_s = stamp_s % self._lap_s + self._behind_s
        if self._last_s is not None and self._last_s - time_s > self._lap_s - _GAP_S:
            self._behind_s += self._lap_s
            time_s += self._lap_s
        elif self._last_s is not None and time_s - self._last_s > self._lap_s - _GAP_S:
            return time_s - self._lap_s
        self._last_s = time_s
        return time_s


class Stamped(Protocol):
    """A frame, or what is known of one before it is decoded."""

    pts: int | None  # when it is shown
    dts: int | None  # when it is decoded
    time_base: Fraction  # seconds of one unit of both


class Stamps:
    """The stamp of each frame as players choose it: FFmpeg's "best effort"."""

    def __init__(self, formats: set[str]):
        self._only_decoding = only_decoding(formats)
        self._pts_laps, self._dts_laps = Laps(formats), Laps(formats)
        self._last_pts_s = self._last_dts_s = float("-inf")
        self._faulty_pts = self._faulty_dts = 0

    def of(self, frame: Stamped) -> Fraction | None:
        """Seconds; None where the frame has none."""
        pts_s = None if frame.pts is None else self._pts_laps.of(frame.pts * frame.time_base)
        dts_s = None if frame.dts is None else self._dts_laps.of(frame.dts * frame.time_base)
        if self._only_decoding:
            return dts_s
        if dts_s is not None:
            self._faulty_dts += dts_s <= self._last_dts_s
            self._last_dts_s = dts_s
        if pts_s is not None:
            self._faulty_pts += pts_s <= self._last_pts_s
            self._last_pts_s = pts_s
        # One more is let pass: a single absurd stamp says nothing about the others.
        return pts_s if pts_s is not None and (self._faulty_pts <= self._faulty_dts + 1 or dts_s is None) else dts_s


def only_decoding(formats: set[str]) -> bool:
    """Whether what counts is when a frame is decoded."""
    return bool(formats & _WITHOUT_SHOWING)


def first_stamp_s(container: av.container.InputContainer, track: av.VideoStream) -> Fraction:
    """When the first picture of a file is shown, in its own time: what the frames' times are counted from."""
    stamps = Stamps(formats_of(container))
    for packet in container.demux(track):
        with suppress(av.FFmpegError):  # A damaged place before the first picture.
            for frame in packet.decode():
                return stamps.of(frame) or Fraction(0)
    return Fraction(0)
