"""What it costs to divide a film: looking through it, decoding beyond the ends of parts, joining them.

In processor time, of one process and one core. Each is compared with analysing the same film as one part.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.clips import long_clip
from bench.options import BenchError, Options, command
from bench.table import Figure, figure
from stages.archive.analysing import analyse, analyst_for
from stages.archive.film import index, parts_of, whole_part
from stages.archive.joining import join

TITLE = "parts"
PART_S = 10.0  # the frames that are decoded twice are as many for a part of minutes
USUAL_S = 300.0  # of a part, to which the cost of its border is converted
Of = TypeVar("Of")


def measure(options: Options) -> list[Figure]:
    """Percent of the analysis, and the processor time of one frame in it."""
    clip = long_clip(options.folder / "clip.mp4", options.frames, options.clip)
    looked, borders, joined, a_frame = zip(*(_round(options, clip, n) for n in range(options.rounds)), strict=True)
    beyond = [sum(shares) for shares in zip(looked, borders, strict=True)]
    return [
        figure("looking through the film", looked, "%"),
        figure(f"decoding beyond the ends of parts of {USUAL_S / 60:g} minutes", borders, "%"),
        figure("both, which a run does not do", beyond, "%", "5"),
        figure("joining, which render does in a run", joined, "%"),
        figure("analysis", a_frame, "ms a frame"),
    ]


def _round(options: Options, clip: Path, number: int) -> tuple[float, float, float, float]:
    pipeline, folder = options.pipeline("render.annotated=false")
    analyst = analyst_for(pipeline, folder)
    film, index_s = _spent(lambda: index(clip, pipeline))
    parts = parts_of(film, PART_S)
    if len(parts) < 2:
        raise BenchError(f"the clip has {film.seconds:g} s and cannot be divided; give a longer one with --frames.")
    whole, whole_s = _spent(lambda: analyse(clip, whole_part(film), analyst))
    came, parts_s = _spent(lambda: [analyse(clip, part, analyst) for part in parts])
    _, join_s = _spent(lambda: join(clip, film, came, pipeline, folder, options.folder / f"joined-{number}"))
    border_s = max(0.0, parts_s - whole_s) / (len(parts) - 1)
    usual = border_s / USUAL_S * film.seconds
    return 100 * index_s / whole_s, 100 * usual / whole_s, 100 * join_s / whole_s, 1000 * whole_s / film.frames


def _spent(work: Callable[[], Of]) -> tuple[Of, float]:
    """What it returns, and the seconds of processor time of this process that it took."""
    began_s = time.process_time()
    return work(), time.process_time() - began_s


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
