"""The parts of a video that is being written, .NAME.parts/FIRST-FRAME.mp4: named, read and deleted."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av

from ..results.atomic import is_plain, open_plain
from ..results.manifest import Manifest

TIME_BASE = Fraction(1, 90_000)  # Whole numbers for 24, 25, 30, 50 and 60 frames a second and for 30000/1001.
LONGEST_TICKS = 2**31 - 2  # that FFmpeg lets a frame of an mp4 last: 6.6 hours here
SEGMENT = {  # options of FFmpeg's muxer
    "movflags": "frag_every_frame+empty_moov+default_base_moof+frag_discont",
    "flush_packets": "1",
    "avoid_negative_ts": "disabled",  # With frag_discont it keeps the times of a segment that does not begin at 0.
}

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
        with contextlib.suppress(av.FFmpegError, IndexError), opened(segment.path) as container:
            if any(packet.size for packet in container.demux(container.streams.video[0])):
                return container.streams.video[0].width, container.streams.video[0].height
    return None


def delete_segments(folder: Path, manifest: Manifest) -> None:
    """Delete what is ours in a folder of segments; killed in the middle, this leaves what `delete_left_overs` knows."""
    done = folder.with_name(folder.name.removesuffix(PARTS) + DONE)
    _delete(done, manifest)
    if folder.is_dir() and not _is_of_others(folder, manifest):
        if os.path.lexists(done):  # It holds a foreign file.
            done = folder.with_name(f"{folder.name.removesuffix(PARTS)}.{uuid.uuid4().hex[:12]}{DONE}")
        manifest.move_folder(folder, done)  # From now on the joined video counts, and not these.
        _delete(done, manifest)


def _is_of_others(folder: Path, manifest: Manifest) -> bool:
    """Whether it holds only foreign files: such a folder is not renamed."""
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
    return (packet.pts for packet in continued(spans_in(folder)) if is_whole(packet))


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
    """Make a joined video the first segment of itself, so that it can be continued.

    Its times count from its first frame: the name of the segment says when that was. `first_s` as in `times_of`.
    """
    folder, later = segments_folder(path), _beginning_of(path, first_s)[1]
    manifest.make_folders(folder)
    manifest.refuse_foreign(path)
    manifest.rename(path, folder / f"{first_frame:08}+{later}.mp4")


def _beginning_of(path: Path, first_s: float) -> tuple[int | None, int]:
    """The first frame of a joined video, and its time, from which its times count, in units of TIME_BASE."""
    with contextlib.suppress(OSError, av.FFmpegError), opened(path) as container:
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
class Span:
    """What can be read of a segment; times in units of TIME_BASE."""

    segment: Segment
    first: int
    last: int
    longest: int  # from one frame to the next


def _segments(folder: Path) -> list[Segment]:
    named = ((path, _NAME.fullmatch(path.name)) for path in folder.glob("[0-9]*.mp4") if is_plain(path))
    segments = [Segment(path, int(name[1]), int(name[2] or 0)) for path, name in named if name]
    return sorted(segments, key=lambda segment: segment.first_frame)


def spans_in(folder: Path) -> list[Span]:
    """Without segments whose process was killed before the first frame was whole, and those that are out of order."""
    spans: list[Span] = []
    for segment in _segments(folder):
        first = last = None
        longest = 0
        for packet in _packets(segment):
            first, longest = packet.pts if first is None else first, max(longest, packet.pts - (last or packet.pts))
            last = packet.pts
        if first is not None and spans and first <= spans[-1].first:
            continue  # It was renamed.
        if first is not None:
            spans.append(Span(segment, first, last, longest))
    return spans


def _packets(segment: Segment) -> Iterator[av.Packet]:
    """The frames of a segment, encoded, in order, as far as they can be read."""
    try:
        with opened(segment.path) as container:
            stream = container.streams.video[0]
            ticks = stream.time_base / TIME_BASE  # 1, unless it is a joined video with long gaps
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None:  # The last one is empty: a decoder gives out what it holds.
                    packet.pts = packet.dts = round(packet.pts * ticks) + segment.later
                    packet.time_base = TIME_BASE
                    yield packet
    except (av.FFmpegError, IndexError):
        return  # What follows is damaged: comparing it with the results shows what is missing.


@contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The video, as far as it is whole; raises `OSError` and `av.FFmpegError`."""
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


def continued(spans: list[Span]) -> Iterator[av.Packet]:
    """The frames of all segments, each up to where a later one begins."""
    for place, span in enumerate(spans):
        limit = min((later.first for later in spans[place + 1 :]), default=span.last + 1)
        for packet in _packets(span.segment):
            if packet.pts >= limit:
                break
            yield packet
