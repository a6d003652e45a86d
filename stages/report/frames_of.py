"""The frames that moments are of: out of the annotated files of a run, or out of what it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from ..decimals import rounded
from ..reading.over_time import Moment
from ..sources.base import Source, SourceError
from ..sources.container import OPTIONS, Stamps, formats_of, streams_of_pictures
from ..sources.conversion import Converter, Decoded, PixelAspect, shown_size
from ..sources.picture import is_still, read_picture
from ..sources.video import local

Frames = Iterable[tuple[Moment, np.ndarray]]  # each moment with its frame, uint8 (H, W, 3) BGR

AHEAD_S = 3.0  # so far it is quicker to read on than to look for the place
SAME_S = 0.002  # times of one frame, after rounding
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def of_source(source: Source, wanted: Iterable[Moment]) -> Frames:
    """Read from the beginning, to the exact frames; closes it. By file and time: a run may have left frames out."""
    left: dict[tuple[str | None, float], list[Moment]] = {}
    for moment in wanted:
        left.setdefault((moment.file, moment.time), []).append(moment)
    try:
        pictures = source.pictures()
        while left and (picture := next(pictures, None)) is not None:
            for moment in left.pop((picture.file, rounded(picture.time)), ()):
                yield moment, picture.pixels
    finally:
        source.close()


def of_original(path: Path, wanted: list[Moment]) -> Frames:
    """Of a file that a run has read, without what lies between; a frame that is not found exactly is not there."""
    if is_still(path):
        pixels, _ = read_picture(path, path.name)
        frames = ((moment, pixels) for moment in wanted)
    else:
        frames = of_video(path, [(moment.time, moment) for moment in wanted])
    return ((moment, pixels) for moment, pixels in frames if pixels.shape[1::-1] == moment.size)


def of_still(path: Path, wanted: list[Moment], side: int) -> Frames:
    """A JPEG is decoded at the half, a quarter or an eighth of its size in less time, where all faces stay as large."""
    smallest = min(max(moment.box[2:]) for moment in wanted)
    times = next((times for times in (8, 4, 2) if smallest >= times * side), 1)
    # Not by cv2.imread, which ends the process where the path is no valid text.
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), _REDUCED[times])
    if pixels is None:
        raise SourceError("it cannot be read as a picture")
    yield from ((moment, pixels) for moment in wanted)


def of_video(path: Path, wanted: Iterable[tuple[float, Moment]]) -> Frames:
    """By their times in seconds since the first frame, ascending; what has no frame at its time is left out."""
    with av.open(local(str(path)), options=OPTIONS, metadata_errors="replace") as container:
        reading = _Reading(container, next(iter(streams_of_pictures(container)), None))
        for time_s, moment in wanted:
            if (pixels := reading.at(time_s)) is not None:
                yield moment, pixels


class _Reading:
    """One video file, read on or from the key frame before a time."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream | None):
        if stream is None:
            raise SourceError("it holds no pictures")
        self._container, self._stream, self._aspect = container, stream, PixelAspect(stream)
        self._frames = self._decode()
        self._now = next(self._frames, None)  # the stamp in seconds, and the frame
        if self._now is None:
            raise SourceError("no frame of it can be decoded")
        self._begins_s, first = self._now
        self._convert = Converter(shown_size(*first), "", lambda sentence: None)
        self._pixels: np.ndarray | None = None  # of the frame, as soon as they are wanted

    def at(self, time_s: float) -> np.ndarray | None:
        """The frame at a time; None where there is none at it."""
        stamp_s = self._begins_s + time_s
        if self._now is None or not self._now[0] - SAME_S <= stamp_s <= self._now[0] + AHEAD_S:
            self._container.seek(int(stamp_s / self._stream.time_base), stream=self._stream)
            self._frames = self._decode()
            self._read()
        while self._now is not None and self._now[0] < stamp_s - SAME_S:
            self._read()
        if self._now is None or self._now[0] > stamp_s + SAME_S:
            return None
        if self._pixels is None:
            self._pixels = self._convert(self._now[1], 0)
        return self._pixels

    def _read(self) -> None:
        self._now, self._pixels = next(self._frames, None), None

    def _decode(self) -> Iterator[tuple[float, Decoded]]:
        stamps = Stamps(formats_of(self._container))
        for packet in self._container.demux(self._stream):
            self._aspect.decoded(packet)
            for frame in packet.decode():
                yield float(stamps.of(frame) or 0.0), Decoded(frame, self._aspect.of(frame))
