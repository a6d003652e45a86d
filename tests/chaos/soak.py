"""make soak: an hour with a kill a minute; memory, descriptors and threads stay flat, and nothing is lost.

The clip is a short one, again and again, so every line can be compared with the undisturbed one of the short clip.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import av
import psutil

from stages.supervision.command import alive
from tests.chaos.__main__ import CLIP_FRAMES, repeated
from tests.chaos.killing import Comparison, disturb
from tests.end_to_end.command import Running, somewhere

RATE = 25  # frames a second
SAMPLE_S = 5.0
STARTING_S = 20.0  # so long a process still loads what it needs
FLAT_MB, FLAT_COUNT = 10.0, 4  # memory of an allocator's own; a thread that hears a process that has just died


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process holds."""

    minute: float
    memory_mb: float
    descriptors: int
    threads: int


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long it runs (default: 60)")
    parser.add_argument("--every", type=float, default=60.0, metavar="S", help="seconds between kills (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of which process is killed when (default: 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak") as name:
        folder = Path(name)
        short = repeated(None, CLIP_FRAMES, folder / "short.mp4")
        times = max(1, round(60 * RATE * arguments.minutes / CLIP_FRAMES))
        clip = _again_and_again(short, times, folder / "long.mp4")
        with somewhere(folder) as place, alive(f"of {arguments.minutes:g} minutes", every_s=60):
            calm = place.run(short, output="calm", timeout_s=600)
            seconds = str(60 * arguments.minutes)
            run = place.start(clip, "--set=pace=true", "--seconds", seconds, output="disturbed").until_lines(1)
            comparison, samples = _watch(run, arguments)
            ran = run.end(600)
        frames, differences = _compare(calm.lines, ran.output / "results.jsonl")
        grown = _say_what_was_held(samples)
        print(
            f"{frames} frames in {run_minutes(samples):.0f} min, {sum(comparison.kills.values())} kills"
            f" ({', '.join(f'{stage} {count}' for stage, count in sorted(comparison.kills.items()))}),"
            f" {sum(ran.summary['restarts'].values())} restarts, status {ran.status}: {differences} differences;"
            f" {'grown: ' + ', '.join(grown) if grown else 'flat'}"
        )
        if ran.status or differences:
            print(ran.err, file=sys.stderr)
        return int(bool(ran.status or differences or grown))


def _again_and_again(short: Path, times: int, path: Path) -> Path:
    """The same coded pictures, so that they become the same pixels each time."""
    with av.open(str(path), "w") as out:
        stream = None
        for number in range(times):
            with av.open(str(short)) as container:
                stream = stream or out.add_stream_from_template(container.streams.video[0])
                for packet in container.demux(video=0):
                    if packet.pts is not None:
                        shift = round(number * CLIP_FRAMES / RATE / packet.time_base)
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        out.mux(packet)
    return path


def _watch(run: Running, arguments: argparse.Namespace) -> tuple[Comparison, dict[str, list[Sample]]]:
    """Kill one process after the other until the run is over; meanwhile look at what each holds."""
    comparison, samples = Comparison(None, None), defaultdict(list)
    began_s = killed_s = time.monotonic()
    while not run.is_over:
        time.sleep(SAMPLE_S)
        now_s = time.monotonic()
        for stage, process in _processes(run):
            if (sample := _sample(process, (now_s - began_s) / 60)) is not None:
                samples[stage].append(sample)
        if arguments.every and now_s - killed_s >= arguments.every:
            killed_s = now_s
            disturb(run, comparison, seed=arguments.seed + sum(comparison.kills.values()), kills=1, every_s=0.1)
    return comparison, samples


def _processes(run: Running) -> list[tuple[str, psutil.Process]]:
    try:
        stages = [(stage, process) for stage, several in run.stages().items() for process in several]
        return [("launcher", psutil.Process(run.pid)), *stages]
    except psutil.NoSuchProcess:
        return []


def _sample(process: psutil.Process, minute: float) -> Sample | None:
    """None for a process that has just begun, or ended."""
    try:
        with process.oneshot():
            if time.time() - process.create_time() < STARTING_S:
                return None
            memory = process.memory_full_info().uss / 1e6
            return Sample(minute, memory, process.num_fds(), process.num_threads())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _say_what_was_held(samples: dict[str, list[Sample]]) -> list[str]:
    """A line for each kind of process: its median in the second and in the last fifth of the time; returns who grew."""
    grown = []
    length = run_minutes(samples)
    for stage, all_of_it in samples.items():
        early = [s for s in all_of_it if 0.1 * length <= s.minute < 0.3 * length]
        late = [s for s in all_of_it if s.minute >= 0.8 * length]
        if not early or not late:
            continue
        figures = []
        for held, unit, most in (
            ("memory_mb", "MB", FLAT_MB),
            ("descriptors", "descriptors", FLAT_COUNT),
            ("threads", "threads", FLAT_COUNT),
        ):
            then, now = (statistics.median(getattr(s, held) for s in several) for several in (early, late))
            figures.append(f"{then:.0f} → {now:.0f} {unit}")
            if now > then + most:
                grown.append(f"{stage} ({unit})")
        print(f"{stage}: {', '.join(figures)}; most {max(s.memory_mb for s in all_of_it):.0f} MB")
    return grown


def run_minutes(samples: dict[str, list[Sample]]) -> float:
    return max((sample.minute for several in samples.values() for sample in several), default=0.0)


def _compare(calm: list[dict], results: Path) -> tuple[int, int]:
    """How many lines there are, and how many are not those of the short clip, but for what depends on their place."""
    expected = [_without_place(line) for line in calm]
    count = differences = 0
    with results.open(encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            differences += line["frame"] != count or _without_place(line) != expected[count % len(expected)]
            count += 1
    return count, differences


def _without_place(line: dict) -> dict:
    """Without number and time, and without what following a face through the frames before it adds."""
    faces = [{key: value for key, value in face.items() if key not in ("id", "smoothed")} for face in line["faces"]]
    kept = {key: value for key, value in line.items() if key not in ("frame", "time", "source")}
    return kept | {"faces": faces}


if __name__ == "__main__":
    sys.exit(main())
