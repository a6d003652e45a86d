"""What memory each process holds: ready and without work, and over a run."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from statistics import median

import psutil

from bench.clips import long_clip
from bench.options import Options, command
from bench.pipeline import run
from bench.table import Figure, figure

TITLE = "memory of the processes, resident"
SAMPLE_S = 0.2
CLASSIFIER_AIM_MB = "60"


def measure(options: Options) -> list[Figure]:
    """Megabytes at rest, in the middle and at the end of a run, and their growth over its second half."""
    clip = long_clip(options.folder / "clip.mp4", options.frames, options.clip)
    with Sampler() as sampler:
        ran = run(options, clip)
    figures = []
    for label, notes in sorted(ran.stages.items()):
        stage = label.rpartition("-")[0]
        aim = "" if stage in ("capture", "detect", "render") else CLASSIFIER_AIM_MB
        figures.append(figure(f"{label}, ready", notes["rest_bytes"] / 1e6, "MB", aim))
        samples = [size / 1e6 for at_s, size in sampler.sizes[stage, notes["pid"]] if at_s > notes["ready_s"]]
        if samples:
            figures.append(figure(f"{label}, over {ran.frames} frames", samples, "MB", "", _growth(samples)))
    return figures


def _growth(samples: list[float]) -> str:
    """How much more it is in the last quarter than in the one before it, in the median: 0 where memory is flat."""
    quarter = max(1, len(samples) // 4)
    before = samples[-2 * quarter : -quarter] or samples
    return f"{median(samples[-quarter:]) - median(before):+.1f} MB in the last quarter"


class Sampler:
    """Looks at the stages among our descendants now and then, from a thread."""

    def __init__(self):
        self.sizes: defaultdict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
