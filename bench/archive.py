"""What an archive costs against the plain pipeline, and how much faster two workers are than one.

The films are several copies of one clip. What starts Ray and loads the models is not counted, as with the pipeline.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.clips import long_clip
from bench.options import BenchError, Options, command
from bench.pipeline import pinned, run
from bench.table import Figure, figure
from stages.archive.cluster import Cluster, cluster_at
from stages.archive.driver import Driver
from stages.archive.finding import films_of
from stages.archive.ledger import Ledger
from stages.archive.progress import ArchiveView
from stages.archive.storage import storage_at
from stages.archive.tasks import Setup, inputs_of

TITLE = "archive"
COPIES = 12  # of the clip: an archive has many films, and only at the end of the last one does a core wait
PARTS = 4  # that each of them is divided into, where its key frames allow it
PLAIN = ("render.annotated=false",)


@dataclass(frozen=True, slots=True)
class Archived:
    """What one archive has cost."""

    frames: int
    seconds: float
    cpu_s: float  # of this process, of Ray's own and of the workers

    @property
    def frames_a_second(self) -> float:
        return self.frames / self.seconds

    @property
    def cpu_ms_a_frame(self) -> float:
        return 1000 * self.cpu_s / self.frames


def measure(options: Options) -> list[Figure]:
    """Frames a second, processor time per frame and their ratios."""
    clip, short = _films(options, "long", options.frames), _films(options, "short", 30)
    rounds = [_round(options, clip, short) for _ in range(options.rounds)]
    plain, bound, one, two = zip(*rounds, strict=True)

    def ratio(what: str, of: str, above: tuple, below: tuple, aim: str, times: float = 1.0) -> Figure:
        pairs = zip(above, below, strict=True)
        return figure(what, [getattr(a, of) / getattr(b, of) / times for a, b in pairs], "x", aim)

    speed, cost = "frames_a_second", "cpu_ms_a_frame"
    named = {"pipeline, one core": plain, "archive, one core": bound, "archive, one worker": one}
    named["archive, two workers"] = two
    return [
        ratio("archive / pipeline, both on one core", speed, bound, plain, "0.95"),
        ratio("processor time, archive / pipeline", cost, bound, plain, "1.05"),
        ratio("two workers / twice one worker", speed, two, one, "0.95", 2.0),
        *(figure(name, [each.frames_a_second for each in samples], "frames/s") for name, samples in named.items()),
        *(
            figure(f"{name}, processor time", [each.cpu_ms_a_frame for each in samples], "ms a frame")
            for name, samples in named.items()
        ),
    ]


def _films(options: Options, name: str, frames: int) -> Path:
    """A folder with copies of a clip."""
    folder = options.folder / name
    first = long_clip(folder / "0.mp4", frames, options.clip)
    for number in range(1, COPIES):
        shutil.copyfile(first, folder / f"{number}.mp4")
    return folder


def _round(options: Options, clip: Path, short: Path) -> tuple:
    with pinned(1):
        plain = run(options, clip / "0.mp4", *PLAIN)
        bound = _archive(options, clip, short, 1)
    return plain, bound, _archive(options, clip, short, 1), _archive(options, clip, short, 2)


def _archive(options: Options, films: Path, short: Path, workers: int) -> Archived:
    """Archive the films of a folder by so many workers, which have loaded their models by archiving short ones."""
    with cluster_at(None, workers) as cluster:
        _work(options, short, cluster)
        with _processor_time() as spent:
            began_s = time.monotonic()
            frames = _work(options, films, cluster)
            took_s = time.monotonic() - began_s
        return Archived(frames, took_s, spent[0])


def _work(options: Options, folder: Path, cluster: Cluster) -> int:
    pipeline, models = options.pipeline(*PLAIN)
    ledger = Ledger(storage_at(str(options.folder / f"archive-{time.monotonic_ns()}")))
    root, films = films_of([f"{folder}/*"])
    inputs = inputs_of(pipeline, models)
    states = ledger.begin(root, inputs, films)
    ledger.save(states)
    length_s = options.frames / 30 if folder.name == "long" else 1.0
    setup = Setup(ledger.name, ledger.storage, pipeline, models, inputs, length_s / PARTS, 10**9, dataset=True)
    Driver(states, ledger, cluster, cluster.put(setup), ArchiveView(io.StringIO(), quiet=True)).work()
    if failed := next((state.failed for state in states if state.failed), None):
        raise BenchError(f"the archive could not be measured: {failed}")
    return sum(state.done.frames for state in states)


@contextmanager
def _processor_time() -> Iterator[list[float]]:
    """Seconds of processor time of this process and all below it, which live on; there when it is over."""
    spent = [0.0]
    before = _times()
    yield spent
    spent[0] = sum(after - before.get(process, 0.0) for process, after in _times().items())


def _times() -> dict[int, float]:
    me, times = psutil.Process(os.getpid()), {}
    for process in (me, *me.children(recursive=True)):
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        times[process.pid] = spent.user + spent.system
    return times


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
