"""What an archive would cost, from excerpts of some films: their work is really done on the machines that there are."""

from __future__ import annotations

import math
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..config.schema import Pipeline
from ..errors import FacepipeError
from ..names import counted
from ..report.digest import write_digest
from ..sources.refusal import SourceError
from ..view.progress import duration
from . import analysing, joining
from .cache import on_this_machine
from .cluster import Cluster
from .film import FilmIndex, index, parts_of
from .finding import FilmFile
from .outcome import Failed, Trouble
from .progress import ArchiveView
from .tasks import Setup, analyst_of, check_machine, folder_of, tables_of

FEWEST = 8  # films in a sample, where there are so many; at least one for each core
PART_S = 20.0  # of each an excerpt of this length
WAIT_RATIO = 1.25  # of elapsed time to processor time; above it the estimate says what the processor time was
SEED = 0  # equal films give an equal sample


class NoEstimate(FacepipeError):
    """No film of the sample could be analysed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one film has cost."""

    seconds: float  # of video, all of it
    core_s_per_s: float  # seconds for which one core was given to a second of video
    processor_s_per_s: float  # of these, seconds of processor time


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
    """Look through a film, and do with an excerpt from its middle all that is done with a film; done by a worker.

    Raises `SourceError`.
    """
    check_machine(setup)
    analyst_of(setup)
    with on_this_machine(film, setup.cache_bytes) as path, tempfile.TemporaryDirectory(prefix="facepipe-") as made:
        began = _times()
        whole = index(path, setup.pipeline)
        looked = _since(began)
        own = replace(setup, pipeline=_excerpt(setup.pipeline, whole.seconds))
        excerpt = index(path, own.pipeline)
        if not excerpt.seconds:
            raise SourceError(f"{film.name} has no length.")
        began = _times()
        _work(own, film, path, excerpt, Path(made))
        worked = _since(began)
    pairs = zip(worked, looked, strict=True)
    return Sample(whole.seconds, *(work / excerpt.seconds + look / whole.seconds for work, look in pairs))


def _times() -> tuple[float, float]:
    """Seconds of the clock and of processor time, to be subtracted."""
    return time.monotonic(), time.process_time()


def _since(began: tuple[float, float]) -> list[float]:
    return [now - then for now, then in zip(_times(), began, strict=True)]


def _excerpt(pipeline: Pipeline, seconds: float) -> Pipeline:
    """The configuration that reads the middle of a film of which it reads so many seconds."""
    start_s = pipeline.capture.start_s + max(0.0, (seconds - PART_S) / 2)
    end_s = min(start_s + PART_S, pipeline.capture.end_s)
    return replace(pipeline, capture=replace(pipeline.capture, start=start_s, end=end_s))


def _work(setup: Setup, film: FilmFile, path: Path, found: FilmIndex, folder: Path) -> None:
    """Make the results of a film, and its tables, in a folder of this machine."""
    run = folder / "run"
    parts = (analysing.analyse(path, part, analyst_of(setup)) for part in parts_of(found, math.inf))
    joining.join(path, found, parts, setup.pipeline, folder_of(setup), run)
    write_digest(run)
    if setup.dataset:
        tables_of(setup).add(run, film.name, folder / "dataset")


def _lines(
    films: list[FilmFile], samples: dict[str, Sample], failed: list[Failed], cores: int, price: float | None
) -> list[str]:
    total_bytes = sum(film.size for film in films)
    known_bytes = sum(film.size for film in films if film.name in samples)
    total_s = sum(sample.seconds for sample in samples.values()) * total_bytes / known_bytes
    costs = [sample.core_s_per_s for sample in samples.values()]
    mean = statistics.fmean(costs)
    processor = statistics.fmean(sample.processor_s_per_s for sample in samples.values())
    # Twice the standard error. Of one film nothing is known of how much they differ.
    margin = 2 * statistics.stdev(costs) / math.sqrt(len(costs)) if len(costs) > 1 else 0.0
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
    if mean > WAIT_RATIO * processor:
        lines.append(
            f"Only {processor:.3g} s of the {mean:.3g} s is processor time: the cores waited for the films or did other"
            " work."
        )
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
