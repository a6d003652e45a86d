"""What an archive would cost, from a sample of its parts that is really analysed on the machines that there are."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass
from math import sqrt

from ..errors import FacepipeError
from ..names import counted
from ..sources.refusal import SourceError
from ..view.progress import duration
from . import analysing
from .cache import on_this_machine
from .cluster import Cluster
from .film import index, parts_of
from .finding import FilmFile
from .outcome import Failed, Trouble
from .progress import ArchiveView
from .tasks import Setup, analyst_of, check_machine

FEWEST = 8  # films in a sample, where there are so many; at least one for each core
PART_S = 20.0  # of each a part of about this length
SEED = 0  # equal films give an equal sample


class NoEstimate(FacepipeError):
    """No film of the sample could be analysed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one film has cost."""

    seconds: float  # of video, all of it
    core_s_per_s: float  # seconds of one core for a second of video


def estimated(
    films: list[FilmFile], cluster: Cluster, setup: Setup, price: float | None, view: ArchiveView
) -> list[str]:
    """Analyse a sample; returns what it says of all films, in lines.

    `price`: of a core for an hour, in any currency. Raises `NoEstimate`.
    """
    count = min(len(films), max(FEWEST, cluster.cores))
    chosen = random.Random(SEED).sample(films, count)
    told = cluster.put(setup)
    for film in chosen:
        cluster.submit(film, measured, told, film)
    samples: dict[str, Sample] = {}
    failed: list[Failed] = []
    while cluster.running:
        view.waits(f"analysing a sample: {len(samples) + len(failed)} of {counted(count, 'film')}")
        for film, outcome in cluster.finished(0.5):
            if not isinstance(outcome, Failed):
                samples[film.name] = outcome
            elif outcome.trouble == Trouble.ARCHIVE:
                raise NoEstimate(outcome.sentence)
            else:
                failed.append(outcome)
    if not samples:
        raise NoEstimate(f"no film of the sample can be analysed: {failed[0].sentence}")
    return _lines(films, samples, failed, cluster.cores, price)


def measured(setup: Setup, film: FilmFile) -> Sample:
    """Look through a film, and analyse a part from its middle; done by a worker. Raises `SourceError`."""
    check_machine(setup)
    analyst = analyst_of(setup)
    began_s = time.monotonic()
    with on_this_machine(film, setup.cache_bytes) as path:
        found = index(path, setup.pipeline)
        looked_s = time.monotonic() - began_s
        parts = parts_of(found, PART_S)
        part = parts[len(parts) // 2]
        began_s = time.monotonic()
        analysing.analyse(path, part, analyst)
    if not part.seconds or not found.seconds:
        raise SourceError(f"{film.name} has no length.")
    return Sample(found.seconds, (time.monotonic() - began_s) / part.seconds + looked_s / found.seconds)


def _lines(
    films: list[FilmFile], samples: dict[str, Sample], failed: list[Failed], cores: int, price: float | None
) -> list[str]:
    total_bytes = sum(film.size for film in films)
    known_bytes = sum(film.size for film in films if film.name in samples)
    total_s = sum(sample.seconds for sample in samples.values()) * total_bytes / known_bytes
    costs = [sample.core_s_per_s for sample in samples.values()]
    mean = statistics.fmean(costs)
    # Twice the standard error. Of one film nothing is known of how much they differ.
    margin = 2 * statistics.stdev(costs) / sqrt(len(costs)) if len(costs) > 1 else 0.0
    low, high = (total_s * cost for cost in (max(mean - margin, min(costs)), min(mean + margin, max(costs))))
    core_s = total_s * mean
    how = "in all" if len(samples) == len(films) else f"by the lengths and sizes of {len(samples)} of them"
    lines = [
        f"{counted(len(films), 'film')}, {total_bytes / 1e9:.3g} GB: {duration(total_s)} of video {how}.",
        f"A second of video takes {mean:.3g} s of one core, and {min(costs):.3g} to {max(costs):.3g} s in the"
        f" {counted(len(samples), 'film')} of the sample.",
        f"On {counted(cores, 'core')} as here: {duration(core_s / cores)} ({duration(low / cores)} to"
        f" {duration(high / cores)}), {1 / mean * cores:.3g} × real time.",
    ]
    if price is not None:
        hours = core_s / 3600
        lines.append(
            f"{hours:.3g} core-hours at {price:g} each: {_amount(hours * price)} ({_amount(low / 3600 * price)} to"
            f" {_amount(high / 3600 * price)})."
        )
    if failed:
        lines.append(f"{counted(len(failed), 'film')} of the sample cannot be analysed: {failed[0].sentence}")
    return lines


def _amount(price: float) -> str:
    """Cents, or two significant digits of less than a unit."""
    return f"{price:.2f}" if price >= 1 else f"{price:.2g}"
