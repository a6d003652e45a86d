"""What memory each process holds: ready and without work, and over a run."""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
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
    """Megabytes when ready, over a run, and how they grow towards its end."""
    clip = long_clip(options.folder / "clip.mp4", options.frames, options.clip)
    with Sampler() as sampler:
        ran = run(options, clip)
    figures = []
    for label, notes in sorted(ran.stages.items()):
        # A run may be over before it is looked at twice.
        sizes = [size for at_s, size in sampler.sizes_mb[notes["pid"]] if at_s >= notes["ready_s"]]
        if sizes:
            aim = "" if label.rpartition("-")[0] in ("capture", "detect", "render") else CLASSIFIER_AIM_MB
            figures.append(figure(f"{label}, when ready", sizes[0], "MB", aim))
            figures.append(figure(f"{label}, over {ran.frames} frames", sizes, "MB", "", _growth(sizes)))
    return figures


def _growth(sizes: list[float]) -> str:
    """How much larger the last quarter is than the one before it, by their medians: 0 where memory is flat."""
    quarter = len(sizes) // 4
    if not quarter:
        return ""
    return f"{median(sizes[-quarter:]) - median(sizes[-2 * quarter : -quarter]):+.1f} MB in the last quarter"


class Sampler:
    """Looks at our descendants now and then, from a thread, until it is told to stop."""

    def __init__(self):
        self.sizes_mb: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)  # by process: moment and size
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        us = psutil.Process()
        while not self._stopped.wait(SAMPLE_S):
            for process in us.children(recursive=True):
                with suppress(psutil.NoSuchProcess):  # It has ended since.
                    size = process.memory_info().rss
                    if size:  # One that has ended and is not buried yet has none.
                        self.sizes_mb[process.pid].append((time.monotonic(), size / 1e6))


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
