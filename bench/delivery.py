"""What it costs to deliver surely: heartbeats, acknowledgements, a fragment of video and a write for every frame.

Once in frames a second, against the same processes without (bench/bare.py), and once by part, in processor time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import av

from bench.clips import long_clip
from bench.options import Options, command
from bench.pipeline import Run, run
from bench.table import Figure, figure
from stages.sinks.segments import SEGMENT

TITLE = "what delivery costs"
# The spans of bench/spans.py that are there for delivery alone.
HEARTBEATS = (
    "send heartbeat",
    "unpack heartbeat",
    "send hello",
    "unpack hello",
    "dispatcher Heartbeat",
    "dispatcher Tick",
    "tell the launcher",
)
ACKS = ("send ack", "unpack ack", "dispatcher Ack")
_SPEED = attrgetter("frames_a_second")
LINE, LINES = b"x" * 600 + b"\n", 2000  # about what a frame with a face has to say


def measure(options: Options) -> list[Figure]:
    """In frames a second; by spans in a run with everything on, fragments and writes by doing it with and without."""
    clip = long_clip(options.folder / "clip.mp4", options.frames, options.clip)
    pairs = [_pair(options, clip, number) for number in range(options.rounds)]
    rounds = [_round(options, clip) for _ in range(options.rounds)]
    shares, heartbeats, acks, fragments, writes, whole = zip(*rounds, strict=True)
    return [
        figure("frames a second, sure / without heartbeats, fragments, flushes", _ratios(pairs, _SPEED), "x", "0.97"),
        figure("pipeline, delivery sure", [_SPEED(pair[False]) for pair in pairs], "frames/s"),
        figure("pipeline, without that", [_SPEED(pair[True]) for pair in pairs], "frames/s"),
        figure("processor time, sure / without", _ratios(pairs, attrgetter("cpu_ms_a_frame")), "x"),
        figure("delivery of all processor time", shares, "%", "3"),
        figure(
            "heartbeats", heartbeats, "ms a frame", "", "main threads: packed, sent, received, unpacked, decided on"
        ),
        figure("acknowledgements", acks, "ms a frame", "", "the same"),
        figure("a fragment for each frame", fragments, "ms a frame", "", "beyond an ordinary mp4 of the same packets"),
        figure("a write for each line", writes, "ms a frame", "", "beyond writing many of them at once"),
        figure("all processor time", whole, "ms a frame"),
    ]


def _pair(options: Options, clip: Path, number: int) -> dict[bool, Run]:
    """The pipeline, and, under True, without what delivery needs; who runs first changes with the round."""
    return {is_bare: run(options, clip, bare=is_bare) for is_bare in ((False, True) if number % 2 else (True, False))}


def _ratios(pairs: list[dict[bool, Run]], of: Callable[[Run], float]) -> list[float]:
    return [of(pair[False]) / of(pair[True]) for pair in pairs]


def _round(options: Options, clip: Path) -> tuple[float, ...]:
    ran = run(options, clip, spans=True)
    fragments = _muxed_ms(clip, options.folder / "fragments.mp4", SEGMENT)
    fragments -= _muxed_ms(clip, options.folder / "ordinary.mp4", {})
    writes = _written_ms(options.folder / "lines", buffering=0) - _written_ms(options.folder / "lines", buffering=-1)
    parts = (_spent_ms(ran, HEARTBEATS), _spent_ms(ran, ACKS), fragments, writes)
    return (100 * sum(parts) / ran.cpu_ms_a_frame, *parts, ran.cpu_ms_a_frame)


def _spent_ms(ran: Run, names: tuple[str, ...]) -> float:
    """Per frame, on the main threads of all stages, with these messages' share of what receiving takes."""
    seconds = 0.0
    for notes in ran.stages.values():
        spans = {name: (0, 0.0) for name in ("receive", *names)} | notes["spans"]
        seconds += sum(spans[name][1] for name in names)
        ours = sum(spans[name][0] for name in names if name.startswith("unpack"))
        seconds += spans["receive"][1] * ours / max(1, spans["receive"][0])
    return 1000 * seconds / ran.frames


def _muxed_ms(clip: Path, path: Path, options: dict[str, str]) -> float:
    """Processor time per frame to write the encoded frames of a clip into an mp4 with these options."""
    with av.open(str(clip)) as read, av.open(str(path), "w", format="mp4", options=options) as written:
        packets = [packet for packet in read.demux(read.streams.video[0]) if packet.size]
        stream = written.add_stream_from_template(read.streams.video[0])
        began_s = time.process_time()
        for packet in packets:
            packet.stream = stream
            written.mux(packet)
        return 1000 * (time.process_time() - began_s) / len(packets)


def _written_ms(path: Path, buffering: int) -> float:
    """Processor time per line."""
    with path.open("wb", buffering=buffering) as opened:
        began_s = time.process_time()
        for _ in range(LINES):
            opened.write(LINE)
        opened.flush()
        return 1000 * (time.process_time() - began_s) / LINES


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
