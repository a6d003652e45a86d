"""How the segments of a video become one file at its end, with the sound of its source; nothing is encoded again."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av

from ..errors import reason
from ..results.manifest import Manifest
from .encoders import self_contained
from .segments import LONGEST_TICKS, TIME_BASE, Span, continued, delete_segments, opened, spans_in
from .sound import Sound

_TICKS_A_SECOND = (90_000, 10_000, 1_000, 500, 100, 25, 10, 1)  # of the joined video, as fine as its gaps allow


def join_segments(
    folder: Path, path: Path, rate: Fraction, manifest: Manifest, sound_from: Path | None = None
) -> str | None:
    """Join the segments in `folder` into `path` and delete them; nothing is encoded again.

    The first frame's time becomes 0. Where a segment reaches beyond the start of the next, the next counts: it was
    written after a restart. Killed at any moment, this leaves the segments or the whole video. Without a frame no video
    is written. Returns what became of the sound of `sound_from` in a few words, None where there is none.
    """
    spans = spans_in(folder)
    said = None
    if spans:
        with manifest.replacing(path) as temporary:
            said = _write(spans, temporary, round(1 / rate / TIME_BASE), sound_from)
    delete_segments(folder, manifest)
    return said


def _write(spans: list[Span], path: Path, last_duration: int, sound_from: Path | None) -> str | None:
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


def _mux(spans: list[Span], path: Path, start: int, end: int, tick: Fraction, sound: Sound | None = None) -> None:
    options = {"movflags": "faststart", "video_track_timescale": str(tick.denominator)}
    with (
        opened(spans[0].segment.path) as template,
        av.open(str(path.absolute()), "w", format="mp4", options=options) as joined,
    ):
        first = template.streams.video[0]
        video = joined.add_stream_from_template(first)
        video.time_base = tick
        joined.metadata["comment"] = (
            f"begins with frame {spans[0].segment.first_frame} at {start}/{TIME_BASE.denominator} s"
        )
        sounds = sound.packets(joined) if sound else iter(())
        joined.start_encoding()  # From here on it is settled in which units each stream counts.
        pictures = _retimed(self_contained(continued(spans), first.codec_context.extradata), start, end, video, tick)
        # Interleaved here by time: handed over one after the other, the muxer would hold ten seconds of them.
        for packet in heapq.merge(pictures, sounds, key=lambda packet: packet.dts * packet.time_base):
            try:
                joined.mux(packet)
            except av.error.InvalidDataError:
                if packet.stream is video:
                    raise
                sound.damaged()


def _tick(spans: list[Span], last_duration: int) -> Fraction:
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
