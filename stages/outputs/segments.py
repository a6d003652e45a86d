"""The parts of a video that is being written, .NAME.parts/FIRST-FRAME.mp4, and how they are joined at the end."""

from __future__ import annotations

import contextlib
import heapq
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av

from stages.core.errors import reason
from stages.outputs.sound import Sound
from stages.results.manifest import Manifest

TIME_BASE = Fraction(1, 90_000)  # Whole numbers for 24, 25, 30, 50 and 60 frames a second and for 30000/1001.
LONGEST_TICKS = 2**31 - 2  # that FFmpeg lets a frame of an mp4 last: 6.6 hours here
_TICKS_A_SECOND = (90_000, 10_000, 1_000, 500, 100, 25, 10, 1)  # of the joined video, as fine as its gaps allow

PARTS, DONE = ".parts", ".done"


def segments_folder(path: Path) -> Path:
    """Where the segments of the video `path` lie until it is joined."""
    return path.with_name(f".{path.name}{PARTS}")


def new_segment(folder: Path, first_frame: int, manifest: Manifest) -> Path:
    """The path of a segment that begins with `first_frame`; what the folder held from there on is deleted.

    Raises `ForeignFile` where there is a segment in it that is not ours, or the video's own name is taken.
    """
    manifest.make_folders(folder)
    for segment in _segments(folder):
        manifest.refuse_foreign(segment)
        if int(segment.stem) >= first_frame:
            manifest.remove(segment)
    manifest.refuse_foreign(folder.with_name(folder.name.removeprefix(".").removesuffix(PARTS)))
    return folder / f"{first_frame:08}.mp4"


def size_of_first(folder: Path) -> tuple[int, int] | None:
    """Width and height of the first segment: those after it must have the same to be joined."""
    for segment in _segments(folder):
        if _cut_torn_end(segment):
            with av.open(str(segment.absolute())) as container:
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
    spans = [span for segment in _segments(folder) if (span := _span(segment)) is not None]
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
    if folder.is_dir():
        if os.path.lexists(done):  # Somebody has put something in it.
            done = folder.with_name(f"{folder.name.removesuffix(PARTS)}.{uuid.uuid4().hex[:12]}{DONE}")
        manifest.move_folder(folder, done)  # From now on the joined video counts, and not these.
        _delete(done, manifest)


def delete_left_overs(annotated: Path, manifest: Manifest) -> None:
    """Delete what a process that was killed had begun to delete, below the folder of the annotated outputs."""
    folders = dict.fromkeys(path.parent for path in manifest.files() if path.is_relative_to(annotated))
    for folder in folders:
        if folder.name.endswith(DONE):
            _delete(folder, manifest)


def _delete(folder: Path, manifest: Manifest) -> None:
    for segment in _segments(folder):
        manifest.remove(segment)
    with contextlib.suppress(OSError):  # It is not there, or holds something that is not ours.
        folder.rmdir()


def frames_in(folder: Path) -> int:
    """How many frames the segments hold that would be joined."""
    spans = [span for segment in _segments(folder) if (span := _span(segment)) is not None]
    return sum(1 for _ in _continued(spans))


def rate_in(folder: Path) -> float | None:
    """Frames a second at the end of the segments; None where there are too few to tell."""
    times = [packet.pts for segment in _segments(folder)[-1:] if _cut_torn_end(segment) for packet in _read(segment)]
    return float(1 / ((times[-1] - times[-2]) * TIME_BASE)) if len(times) > 1 else None


def made_segment(path: Path, first_frame: int, manifest: Manifest) -> None:
    """Make a joined video the first segment of itself, so that it can be gone on with."""
    folder = segments_folder(path)
    manifest.make_folders(folder)
    manifest.refuse_foreign(path)
    manifest.rename(path, folder / f"{first_frame:08}.mp4")


@dataclass(frozen=True, slots=True)
class _Span:
    """What can be read of a segment; times in units of TIME_BASE."""

    segment: Path
    first: int
    last: int
    longest: int  # from one frame to the next


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.mp4"), key=lambda segment: int(segment.stem))


def _span(segment: Path) -> _Span | None:
    """None for a segment whose process was killed before the first frame was whole."""
    if not _cut_torn_end(segment):
        return None
    times = [packet.pts for packet in _read(segment)]
    return _Span(segment, times[0], times[-1], max((after - before for before, after in pairwise(times)), default=0))


def _cut_torn_end(segment: Path) -> bool:
    """Cut off what a killed process or a full disk left half written; return whether a frame is left.

    FFmpeg refuses the whole file where it ends within a fragment's header, so the boxes of the file are walked here:
    each begins with its length and its name, and a frame is whole where its `mdat` is.
    """
    position = whole = 0
    with segment.open("r+b") as file:
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
        if 0 < whole < size:  # One that is whole keeps its time, by which it is known.
            file.truncate(whole)
    return whole > 0


def _read(segment: Path) -> Iterator[av.Packet]:
    """The frames of a segment, encoded, in order, with times in units of TIME_BASE."""
    with av.open(str(segment.absolute())) as container:
        stream = container.streams.video[0]
        ticks = stream.time_base / TIME_BASE  # 1, unless it is a joined video with long gaps
        for packet in container.demux(stream):
            if packet.size:  # The last one is empty: it tells a decoder to give out what it holds.
                packet.pts = packet.dts = round(packet.pts * ticks)
                packet.time_base = TIME_BASE
                yield packet


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
        av.open(str(spans[0].segment.absolute())) as template,
        av.open(str(path.absolute()), "w", format="mp4", options=options) as joined,
    ):
        video = joined.add_stream_from_template(template.streams.video[0])
        video.time_base = tick
        sounds = sound.packets(joined) if sound else iter(())
        joined.start_encoding()  # From here on it is settled in which units each stream counts.
        pictures = _retimed(_continued(spans), start, end, video, tick)
        # Interleaved here by time: handed over one after the other, the muxer would hold ten seconds of them.
        for packet in heapq.merge(pictures, sounds, key=lambda packet: packet.dts * packet.time_base):
            joined.mux(packet)


def _continued(spans: list[_Span]) -> Iterator[av.Packet]:
    """The frames of all segments, each up to where a later one begins."""
    for place, span in enumerate(spans):
        limit = min((later.first for later in spans[place + 1 :]), default=span.last + 1)
        for packet in _read(span.segment):
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
