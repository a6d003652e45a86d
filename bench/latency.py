"""How much later than the work on it a live picture is finished: from its reading to the acknowledgement."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.clips import RATE, long_clip, pair_clip, portrait_clip
from bench.live import MOST_FRAMES, camera
from bench.options import Options, commands
from bench.pipeline import Run, pinned, run
from bench.table import Figure, figure
from stages.config.settings import cores

TITLE = "latency of a camera at 30 frames a second"
TITLE_LARGE = "a camera of 1920 x 1080 at 30 frames a second, two faces, two cores"
LARGE, CORES = (1920, 1080), 2
HALF_LOAD = ("stages.detect.longest_side=320", "stages.detect.smallest_face=0.2")


def measure(options: Options) -> list[Figure]:
    """Added latency, the whole latency, and how busy the machine was with it."""
    options = options.with_overrides(*HALF_LOAD)
    few = min(options.frames, MOST_FRAMES)
    path = options.folder / "clip.mp4"
    clip = long_clip(path, few, options.clip) if options.clip else portrait_clip(path, few)
    return _measured(options, clip, latency_aims=("3", "8"), load_aim="50")


def measure_large(options: Options) -> list[Figure]:
    """The same with everything as it is by default, and a picture six times as large."""
    clip = pair_clip(options.folder / "large.mp4", min(options.frames, MOST_FRAMES), *LARGE)
    with pinned(CORES):
        return _measured(options, clip, latency_aims=("", "10"), dropped_aim="0")


def _measured(
    options: Options, clip: Path, latency_aims: tuple[str, str], load_aim: str = "", dropped_aim: str = ""
) -> list[Figure]:
    with camera(clip, RATE) as url:
        runs = [run(options, url, seconds=options.frames / RATE) for _ in range(options.rounds)]
    p50, p95 = latency_aims
    beyond = "beyond the work on the longest path"
    return [
        figure("added latency p50", _said(runs, "added_latency_ms_p50"), "ms", p50, beyond),
        figure("added latency p95", _said(runs, "added_latency_ms_p95"), "ms", p95),
        figure("latency p50", _said(runs, "latency_ms_p50"), "ms"),
        figure("latency p95", _said(runs, "latency_ms_p95"), "ms"),
        figure("load by the pipeline", [_load(ran) for ran in runs], "%", load_aim, f"of {cores()} cores"),
        figure("faces", [ran.render["faces"] / ran.frames for ran in runs], "a frame"),
        figure("dropped", [_dropped(ran) for ran in runs], "%", dropped_aim, "of the frames that were captured"),
    ]


def _said(runs: list[Run], name: str) -> list[float]:
    return [ran.capture[name] for ran in runs]


def _load(ran: Run) -> float:
    return 100 * ran.cpu_s / ran.seconds / cores()


def _dropped(ran: Run) -> float:
    """Without what came while the stages were starting: that says nothing of how they keep up."""
    early = sum(drop["count"] for drop in ran.render["dropped"] if drop["stage"] == "capture")
    return 100 * (1 - ran.frames / (ran.capture["captured"] - early))


if __name__ == "__main__":
    sys.exit(commands({TITLE: measure, TITLE_LARGE: measure_large}))
