"""Where a film can be divided, and what each part of it must hold; found without decoding more than its first frame.

A part begins at a key frame and has the frames that are shown from this one until the next part's: those that are
decoded after the next key frame and shown before it, as in an open group of pictures, belong to the part before.
"""

from __future__ import annotations

from array import array
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from msgspec import Struct

from ..config.schema import Pipeline
from ..errors import FacepipeError
from ..sources.clock import timed
from ..sources.container import Stamps, formats_of, only_decoding
from ..sources.opening import open_source
from ..sources.part import Part
from ..sources.video import Clip, Found, Video, no_frame, open_video

_VP8_SHOWN = 0x10  # the bit in the first byte of a frame that is not only referred to
_SAME_S = 1e-9
_BEFORE_FIRST = 1000  # frames at most that are not shown, because the key frame before them is missing
AHEAD = 16  # frames behind its end that a part decodes, to be compared with the first ones of the next part
_REORDERED = 64  # frames that decoders hold back to put others before them, and some more; beyond it stamps jump


class NotDivisible(FacepipeError):
    """The parts of this film would not be those of one reading: analyse it as one part, `whole_part`."""


class Key(Struct, frozen=True, array_like=True):
    """A key frame at which decoding can begin."""

    place: int  # of its frame in the film, in the order of showing
    stamp: int  # of the container, in units of the stream's time base; of AVI and ASF when it is decoded
    seek: int  # where the container is to be set to
    size: int  # bytes of its packet


class FilmIndex(Struct, frozen=True, kw_only=True):
    """What is known of a film before any of it is analysed; of a frame here the place counts from the film's first.

    The arrays are bytes, of one element a frame, in the order of showing.
    """

    name: str  # of the source, in the results
    rate: float | None  # nominal frames a second of what is read
    width: int  # pixels of every picture
    height: int
    frames: int  # that are read, so far as that is known
    seconds: float  # from the first to the end of the last one
    stamps: bytes = b""  # int64: the container's own
    times: bytes = b""  # float64: seconds
    taken: bytes = b""  # uint8: whether it is one of the part that the configuration reads
    keys: list[Key] = []  # in order, those of which every earlier frame is decoded before them
    notes: list[str] = []  # what a person should know of the file
    is_cut_short: bool = False
    even: int = 0  # so many frames, from the first, have their times by their stamps alone, whatever lies between
    whole: str | None = None  # why it can be analysed only as one part


class FilmPart(Struct, frozen=True, kw_only=True):
    """A part of a film, to be analysed by itself."""

    film: str  # its name
    number: int  # of the part, from 0
    first: int  # number of the first frame that is read, in the results
    frames: int  # that are read, so far as that is known
    seconds: float  # how long it is
    rate: float | None
    width: int
    height: int
    is_whole: bool = False  # all of the film, read from its beginning to its end whatever it holds
    place: int = 0  # of its first frame in the film
    key: Key | None = None  # where decoding begins; None: at the beginning of the file
    owned: int = 0  # frames of the part, of those whose stamps follow; the others are only decoded
    stamps: bytes = b""  # as in `FilmIndex`
    times: bytes = b""
    taken: bytes = b""


def index(path: Path, pipeline: Pipeline, name: str | None = None) -> FilmIndex:
    """Look through a film; `name`: what it is called in the results, None for the name of its file.

    Reads all of the file, and decodes one frame. Raises `SourceError` for what cannot be read.
    """
    part = Part(*pipeline.capture.part)
    source = open_source(str(path), name, part)
    try:
        if not isinstance(source, Video):
            return _whole(source.name, None, (0, 0), source.frames or 1, 0.0, "it is no video")
        return _index(path, source.name, part)
    finally:
        source.close()


def parts_of(film: FilmIndex, seconds: float) -> list[FilmPart]:
    """Divide a film at its key frames into parts of at least so many seconds; where it cannot be, it is one part."""
    if film.whole is not None:
        return [whole_part(film)]
    times, taken = np.frombuffer(film.times), np.frombuffer(film.taken, np.uint8)
    first, last = np.flatnonzero(taken)[[0, -1]].tolist()
    begins = _begins(film, times, first, last, seconds)
    ends = [key.place if key else 0 for key in begins[1:]] + [last + 1]
    return [_part(film, number, key, end) for number, (key, end) in enumerate(zip(begins, ends, strict=True))]


def whole_part(film: FilmIndex) -> FilmPart:
    """The film as one part, which is read as a run reads it."""
    return FilmPart(
        film=film.name,
        number=0,
        first=0,
        frames=film.frames,
        seconds=film.seconds,
        rate=film.rate,
        width=film.width,
        height=film.height,
        is_whole=True,
    )


def _whole(name: str, rate: float | None, size: tuple[int, int], frames: int, seconds: float, why: str) -> FilmIndex:
    return FilmIndex(name=name, rate=rate, width=size[0], height=size[1], frames=frames, seconds=seconds, whole=why)


def _index(path: Path, name: str, part: Part) -> FilmIndex:
    with Clip(str(path), path.name) as clip:
        if clip.rate is None:
            return _whole(name, None, clip.size, 1, 0.0, "it is a picture")
        try:
            return _divisible(clip, path, name, part)
        except NotDivisible as error:
            rate, frames = part.rate(clip.rate), part.expected(clip.frames or 0, clip.rate)
            return _whole(name, rate, clip.size, frames, frames / rate, str(error))


def _divisible(clip: Clip, path: Path, name: str, part: Part) -> FilmIndex:
    container, stream, remark = open_video(path, path.name)
    with container:
        formats = formats_of(container)
        packets = _Packets(container, stream, only_decoding(formats))
    packets.begin_at(clip.first.dts if only_decoding(formats) else clip.first.pts)
    stamps, seconds = packets.shown(formats)
    times = np.fromiter((t for t, _ in timed(((s, None) for s in seconds.tolist()), clip.rate)), float)
    chooser = part.chooser()
    taken = np.fromiter(map(chooser.takes, times.tolist()), np.uint8)
    if not taken.any():
        raise no_frame(path.name, part, float(times[-1]))
    short = None
    if not part.is_over(float(times[-1])):
        ends_s = float((seconds + packets.lasts_s()).max())
        short = clip.shortfall(Found(len(times), float(times[-1]), float(seconds[0]), ends_s, packets.left_out))
    rate, (first, last) = part.rate(clip.rate), np.flatnonzero(taken)[[0, -1]].tolist()
    uneven = np.flatnonzero(np.abs(times - (seconds - seconds[0])) > _SAME_S)
    return FilmIndex(
        name=name,
        rate=rate,
        width=clip.size[0],
        height=clip.size[1],
        frames=int(taken.sum()),
        seconds=float(times[last] - times[first]) + 1 / rate,
        stamps=stamps.tobytes(),
        times=times.tobytes(),
        taken=taken.tobytes(),
        keys=packets.keys(),
        notes=[sentence for sentence in (remark, short) if sentence],
        is_cut_short=short is not None,
        even=int(uneven[0]) if len(uneven) else len(times),
    )


class _Packets:
    """What the packets of a film say, in the order of decoding, of those that become a frame."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream, only_decoding: bool):
        """Reads all of them; raises `NotDivisible`."""
        self.left_out = 0  # frames that an edit list leaves out
        self._base, self._only_decoding = stream.time_base, only_decoding
        self._columns = tuple(array("q") for _ in range(5))
        try:
            for packet in container.demux(stream):
                self._add(packet, stream.codec_context.name)
        except av.error.FFmpegError as error:
            raise NotDivisible("it is damaged") from error
        self._take(np.ones(len(self._columns[0]), bool))
        self._refuse_jumps()

    def begin_at(self, first: int | None) -> None:
        """Leave out what is shown before the frame with this stamp: of a recording that was begun between key frames.

        Raises `NotDivisible` where it is not near the beginning.
        """
        shown = self._stamps[self._order]
        place = int(np.searchsorted(shown, first)) if first is not None else len(shown)
        # Times of decoding that begin later are those of a decoder that holds frames back: it has none for the last.
        most = 1 if self._only_decoding else min(len(shown), _BEFORE_FIRST)
        if place >= most or shown[place] != first:
            raise NotDivisible("its first frame is not the one that its stamps say")
        self._take(self._stamps >= first)

    def shown(self, formats: set[str]) -> tuple[np.ndarray, np.ndarray]:
        """The stamps in the order of showing: int64 as the container has them, and float64 in seconds."""
        stamps, clock = self._stamps[self._order], Stamps(formats)
        return stamps, np.fromiter((float(clock.of(self._stamp(stamp))) for stamp in stamps.tolist()), float)

    def lasts_s(self) -> np.ndarray:
        """How long each frame is shown, float64 seconds, in that order."""
        return self._lasts[self._order] * float(self._base)

    def keys(self) -> list[Key]:
        """The key frames at which a part can begin; nothing that is shown after one is decoded before it."""
        places = np.empty_like(self._order)
        places[self._order] = np.arange(len(places))
        latest = np.maximum.accumulate(self._stamps)
        found = [one for one in np.flatnonzero(self._are_keys).tolist() if one and latest[one - 1] < self._stamps[one]]
        columns = (places, self._stamps, self._seeks, self._sizes)
        return [Key(*(int(column[one]) for column in columns)) for one in found]

    def _add(self, packet: av.Packet, codec: str) -> None:
        if not packet.size:  # The last one, which lets a decoder give out what it holds; or "the same again".
            return
        if packet.is_corrupt and not self._columns[0]:  # A recording that was begun in the middle of it.
            return
        if packet.is_corrupt:
            raise NotDivisible("it is damaged")
        if packet.is_discard:
            self.left_out += 1
            return
        if codec == "vp8" and not bytes(packet)[0] & _VP8_SHOWN:
            return
        stamp = packet.dts if self._only_decoding else packet.pts
        if stamp is None:
            raise NotDivisible("it has frames without stamps")
        seek = stamp if packet.dts is None else min(stamp, packet.dts)
        row = stamp, seek, packet.duration or 0, packet.size, packet.is_keyframe
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def _take(self, chosen: np.ndarray) -> None:
        columns = (np.array(column)[chosen] for column in self._columns)
        self._stamps, self._seeks, self._lasts, self._sizes, self._are_keys = columns
        self._order = np.argsort(self._stamps, kind="stable")

    def _refuse_jumps(self) -> None:
        if not len(self._stamps):
            raise NotDivisible("it has no frame with a stamp")
        stamps, moved = self._stamps[self._order], np.abs(self._order - np.arange(len(self._order)))
        if (np.diff(stamps) == 0).any() or moved.max() > _REORDERED:
            raise NotDivisible("its stamps repeat or jump back")

    def _stamp(self, stamp: int) -> _Stamp:
        return _Stamp(None, stamp, self._base) if self._only_decoding else _Stamp(stamp, None, self._base)


class _Stamp(NamedTuple):
    pts: int | None
    dts: int | None
    time_base: Fraction


def _begins(film: FilmIndex, times: np.ndarray, first: int, last: int, seconds: float) -> list[Key | None]:
    """Where the parts begin, between the first and the last frame that are read; None: at the beginning of the file."""
    before = [key for key in film.keys if key.place <= first and first < film.even]
    begins: list[Key | None] = [before[-1] if before else None]
    began_s = times[first]
    for key in film.keys:
        behind_s = times[last] - times[key.place] if key.place <= last else -1.0
        if key.place > first and times[key.place] - began_s >= seconds and behind_s >= seconds / 2:
            begins.append(key)
            began_s = times[key.place]
    return begins


def _part(film: FilmIndex, number: int, key: Key | None, end: int) -> FilmPart:
    """The part from a key frame to the place `end`."""
    begin, ahead = (key.place if key else 0), end + AHEAD
    times, taken = np.frombuffer(film.times), np.frombuffer(film.taken, np.uint8)
    return FilmPart(
        film=film.name,
        number=number,
        first=int(taken[:begin].sum()),
        frames=int(taken[begin:end].sum()),
        seconds=float(times[end - 1] - times[begin]) + 1 / film.rate,
        rate=film.rate,
        width=film.width,
        height=film.height,
        place=begin,
        key=key,
        owned=end - begin,
        stamps=np.frombuffer(film.stamps, np.int64)[begin:ahead].tobytes(),
        times=times[begin:end].tobytes(),
        taken=taken[begin:end].tobytes(),
    )
