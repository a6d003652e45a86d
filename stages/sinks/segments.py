"""The parts of a video that is being written, .NAME.parts/FIRST-FRAME.mp4, and how they are joined at the end."""

from __future__ import annotations

import contextlib
import heapq
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import av

from ..errors import reason
from ..results.atomic import is_plain, open_plain
from ..results.manifest import Manifest
from .sound import Sound

TIME_BASE = Fraction(1, 90_000)  # Whole numbers for 24, 25, 30, 50 and 60 frames a second and for 30000/1001.
LONGEST_TICKS = 2**31 - 2  # that FFmpeg lets a frame of an mp4 last: 6.6 hours here
_TICKS_A_SECOND = (90_000, 10_000, 1_000, 500, 100, 25, 10, 1)  # of the joined video, as fine as its gaps allow

PARTS, DONE = ".parts", ".done"
_BEGINS = re.compile(rf"begins with frame (\d+) at (-?\d+)/{TIME_BASE.denominator} s")
_NAME = re.compile(r"(\d+)(?:\+(-?\d+))?\.mp4")


def segments_folder(path: Path) -> Path:
    """Where the segments of the video `path` lie until it is joined."""
    return path.with_name(f".{path.name}{PARTS}")


def new_segment(folder: Path, first_frame: int, manifest: Manifest) -> Path:
    """The path of a segment that begins with `first_frame`; what the folder held from there on is deleted.

    Raises `ForeignFile` where there is a segment in it that is not ours, or the video's own name is taken.
    """
    manifest.make_folders(folder)
    for segment in _segments(folder):
        manifest.refuse_foreign(segment.path)
    delete_from(folder, first_frame, manifest)
    manifest.refuse_foreign(folder.with_name(folder.name.removeprefix(".").removesuffix(PARTS)))
    return folder / f"{first_frame:08}.mp4"


def delete_from(folder: Path, first_frame: int, manifest: Manifest) -> None:
    """Delete the segments that begin with `first_frame` or later."""
    for segment in _segments(folder):
        if segment.first_frame >= first_frame:
            manifest.remove(segment.path)


def size_of_first(folder: Path) -> tuple[int, int] | None:
    """Width and height of the first segment: those after it must have the same to be joined."""
    for segment in _segments(folder):
        with contextlib.suppress(av.FFmpegError, IndexError), _opened(segment.path) as container:
            if any(packet.size for packet in container.demux(container.streams.video[0])):
                return container.streams.video[0].width, container.streams.video[0].height
    return None


def join_segments(
    folder: Path, path: Path, rate: Fraction, manifest: Manifest, sound_from: Path | None = None
) -> str | None:
    """Join the segments in `folder` into `path` and delete them; nothing is encoded again.

    The first frame's time becomes 0. Where a segment reaches beyond the start of the next, the next counts: it was
    written after a restart. Killed at any moment, this leaves the segments or the whole video. Without a frame no video
    is written. Returns what became of the sound of `sound_from` in a few words, None where there is none.
    """
    spans = _spans(folder)
    said = None
    if spans:
        with manifest.replacing(path) as temporary:
            said = _write(spans, temporary, round(1 / rate / TIME_BASE), sound_from)
    delete_segments(folder, manifest)
    return said


def delete_segments(folder: Path, manifest: Manifest) -> None:
    """Delete what is ours in a folder of segments; killed in the middle, this leaves what `delete_left_overs` knows."""
    done = folder.with_name(folder.name.removesuffix(PARTS) + DONE)
    _delete(done, manifest)
    if folder.is_dir() and not _is_of_others(folder, manifest):
        if os.path.lexists(done):  # Somebody has put something in it.
            done = folder.with_name(f"{folder.name.removesuffix(PARTS)}.{uuid.uuid4().hex[:12]}{DONE}")
        manifest.move_folder(folder, done)  # From now on the joined video counts, and not these.
        _delete(done, manifest)


def _is_of_others(folder: Path, manifest: Manifest) -> bool:
    """Whether all that is in it is somebody else's: such a folder is not given another name either."""
    inside = list(folder.iterdir())
    return bool(inside) and not any(map(manifest.is_ours, inside))


def delete_left_overs(annotated: Path, manifest: Manifest) -> None:
    """Delete what a process that was killed had begun to write or to delete, below the folder of annotated outputs."""
    manifest.remove_temporaries(annotated)
    folders = dict.fromkeys(path.parent for path in manifest.files() if path.is_relative_to(annotated))
    for folder in folders:
        if folder.name.endswith(DONE):
            _delete(folder, manifest)


def _delete(folder: Path, manifest: Manifest) -> None:
    for segment in _segments(folder):
        manifest.remove(segment.path)
    with contextlib.suppress(OSError):  # It is not there, or holds something that is not ours.
        folder.rmdir()


def times_in(folder: Path) -> Iterator[int]:
    """The times of the frames that are whole in the segments and would be joined, in units of TIME_BASE, in order."""
    return (packet.pts for packet in _continued(_spans(folder)) if is_whole(packet))


def times_of(path: Path, first_s: float, first_frame: int | None) -> Iterator[int]:
    """The same of a joined video, of one that cannot be read none; `first_s`: when it begins, if it does not say so.

    `first_frame`: the frame that it has to begin with; of a video that says another one there are none.
    """
    frame, later = _beginning_of(path, first_s)
    if None not in (frame, first_frame) and frame != first_frame:
        return iter(())
    return (packet.pts for packet in _packets(Segment(path, 0, later)) if is_whole(packet))


def is_whole(packet: av.Packet) -> bool:
    """Whether this is H.264 as an encoder gives it: units that follow their lengths, without three zeros in a row.

    H.264 has no such zeros within a unit, and what a power cut or a damaged disk leaves are zeros.
    """
    encoded, place = bytes(packet), 0
    while place + 4 < len(encoded):
        length = int.from_bytes(encoded[place : place + 4])
        ends = place + 4 + length
        if not length or ends > len(encoded) or encoded.find(b"\0\0\0", place + 4, ends) >= 0:
            return False
        place = ends
    return place == len(encoded) > 0


def rate_in(folder: Path) -> float | None:
    """Frames a second at the end of the segments; None where there are too few to tell."""
    times = [packet.pts for segment in _segments(folder)[-1:] for packet in _packets(segment)]
    return float(1 / ((times[-1] - times[-2]) * TIME_BASE)) if len(times) > 1 else None


def made_segment(path: Path, first_frame: int, first_s: float, manifest: Manifest) -> None:
    """Make a joined video the first segment of itself, so that it can be gone on with.

    Its times count from its first frame: the name of the segment says when that was. `first_s` as in `times_of`.
    """
    folder, later = segments_folder(path), _beginning_of(path, first_s)[1]
    manifest.make_folders(folder)
    manifest.refuse_foreign(path)
    manifest.rename(path, folder / f"{first_frame:08}+{later}.mp4")


def _beginning_of(path: Path, first_s: float) -> tuple[int | None, int]:
    """The first frame of a joined video, and its time, from which its times count, in units of TIME_BASE."""
    with contextlib.suppress(OSError, av.FFmpegError), _opened(path) as container:
        if said := _BEGINS.fullmatch(container.metadata.get("comment", "")):
            return int(said[1]), int(said[2])
    return None, round(first_s / TIME_BASE)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a video in a file; `later`: what its times lack, in units of TIME_BASE."""

    path: Path
    first_frame: int
    later: int = 0


@dataclass(frozen=True, slots=True)
class _Span:
    """What can be read of a segment; times in units of TIME_BASE."""

    segment: Segment
    first: int
    last: int
    longest: int  # from one frame to the next


def _segments(folder: Path) -> list[Segment]:
    named = ((path, _NAME.fullmatch(path.name)) for path in folder.glob("[0-9]*.mp4") if is_plain(path))
    segments = [Segment(path, int(name[1]), int(name[2] or 0)) for path, name in named if name]
    return sorted(segments, key=lambda segment: segment.first_frame)


def _spans(folder: Path) -> list[_Span]:
    """Without segments whose process was killed before the first frame was whole, and those that are out of order."""
    spans: list[_Span] = []
    for segment in _segments(folder):
        first = last = None
        longest = 0
        for packet in _packets(segment):
            first, longest = packet.pts if first is None else first, max(longest, packet.pts - (last or packet.pts))
            last = packet.pts
        if first is not None and spans and first <= spans[-1].first:
            continue  # Somebody has changed its name.
        if first is not None:
            spans.append(_Span(segment, first, last, longest))
    return spans


def _packets(segment: Segment) -> Iterator[av.Packet]:
    """The frames of a segment, encoded, in order, as far as they can be read."""
    try:
        with _opened(segment.path) as container:
            stream = container.streams.video[0]
            ticks = stream.time_base / TIME_BASE  # 1, unless it is a joined video with long gaps
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None:  # The last one is empty: a decoder gives out what it holds.
                    packet.pts = packet.dts = round(packet.pts * ticks) + segment.later
                    packet.time_base = TIME_BASE
                    yield packet
    except (av.FFmpegError, IndexError):
        return  # What follows is damaged: whoever compares it with the results sees what is missing.


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    with open_plain(path) as file, av.open(_Beginning(file, _whole_bytes(file)), format="mp4") as container:
        yield container


class _Beginning:
    """The beginning of a file, as if there were nothing behind it."""

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._size = file, size
        file.seek(0)

    def read(self, size: int) -> bytes:
        return self._file.read(max(0, min(size, self._size - self._file.tell())))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begins = {os.SEEK_SET: 0, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._size}[whence]
        return self._file.seek(max(0, begins + offset))  # A damaged file leads anywhere.

    def tell(self) -> int:
        return self._file.tell()


def _whole_bytes(file: BinaryIO) -> int:
    """Up to where it is whole: a killed process or a full disk leaves the rest half written.

    FFmpeg refuses the whole file where it ends within a fragment's header, so the boxes of the file are walked here:
    each begins with its length and its name, and a frame is whole where its `mdat` is.
    """
    position = whole = 0
    size = os.fstat(file.fileno()).st_size
    while len(head := file.read(16)) >= 8:
        length, name = int.from_bytes(head[:4]), head[4:8]
        if length == 1:  # The length does not fit into four bytes; eight more follow the name.
            length = int.from_bytes(head[8:])
        position += length
        if length < 8 or position > size:
            break
        whole = position if name == b"mdat" else whole
        file.seek(position)
    return whole


def _write(spans: list[_Span], path: Path, last_duration: int, sound_from: Path | None) -> str | None:
    start, end = spans[0].first, spans[-1].last + last_duration
    tick = _tick(spans, last_duration)
    said = None
    if sound_from:
        sound = Sound(sound_from, start * TIME_BASE, end * TIME_BASE)
        try:
            _mux(spans, path, start, end, tick, sound)
            return sound.said
        except Exception as error:  # Whatever it is that the sound has brought with it, the video is whole without.
            said = f"sound not copied: {reason(error)}"
    _mux(spans, path, start, end, tick)
    return said


def _mux(spans: list[_Span], path: Path, start: int, end: int, tick: Fraction, sound: Sound | None = None) -> None:
    options = {"movflags": "faststart", "video_track_timescale": str(tick.denominator)}
    with (
        _opened(spans[0].segment.path) as template,
        av.open(str(path.absolute()), "w", format="mp4", options=options) as joined,
    ):
        video = joined.add_stream_from_template(template.streams.video[0])
        video.time_base = tick
        joined.metadata["comment"] = (
            f"begins with frame {spans[0].segment.first_frame} at {start}/{TIME_BASE.denominator} s"
        )
        sounds = sound.packets(joined) if sound else iter(())
        joined.start_encoding()  # From here on it is settled in which units each stream counts.
        pictures = _retimed(_continued(spans), start, end, video, tick)
        # Interleaved here by time: handed over one after the other, the muxer would hold ten seconds of them.
        for packet in heapq.merge(pictures, sounds, key=lambda packet: packet.dts * packet.time_base):
            try:
                joined.mux(packet)
            except av.error.InvalidDataError:
                if packet.stream is video:
                    raise
                sound.damaged()


def _continued(spans: list[_Span]) -> Iterator[av.Packet]:
    """The frames of all segments, each up to where a later one begins."""
    for place, span in enumerate(spans):
        limit = min((later.first for later in spans[place + 1 :]), default=span.last + 1)
        for packet in _packets(span.segment):
            if packet.pts >= limit:
                break
            yield packet


def _tick(spans: list[_Span], last_duration: int) -> Fraction:
    """The unit of the joined video's times: as fine as its longest gap allows."""
    between = (after.first - before.last for before, after in pairwise(spans))
    longest = max(last_duration, *(span.longest for span in spans), *between)
    ticks = [Fraction(1, number) for number in _TICKS_A_SECOND]
    return next((tick for tick in ticks if longest * TIME_BASE / tick <= LONGEST_TICKS), ticks[-1])


def _retimed(
    packets: Iterator[av.Packet], start: int, end: int, stream: av.VideoStream, tick: Fraction
) -> Iterator[av.Packet]:
    """Let the times count from `start`, and every frame last until the next, the last one until `end`; in `tick`."""
    held, ticks, shortened = None, TIME_BASE / tick, 0
    for packet in packets:
        time = round((packet.pts - start) * ticks) - shortened
        if held is not None:
            shortened += max(0, time - held.pts - LONGEST_TICKS)  # Only where the gap is of more than 68 years.
            time = max(min(time, held.pts + LONGEST_TICKS), held.pts + 1)
            held.duration = time - held.pts
            yield held
        packet.pts = packet.dts = time
        packet.stream, packet.time_base, held = stream, tick, packet
    held.duration = max(1, round((end - start) * ticks) - shortened - held.pts)
    yield held
