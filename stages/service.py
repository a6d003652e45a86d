"""A run that nobody watches: it begins again after whatever has ended it, and goes on with what can be gone on with.

Nothing that was written is touched where it cannot: it stays, and a folder with the next number is begun beside it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from .config.placement import Placement
from .config.schema import Pipeline
from .config.settings import cores
from .errors import FacepipeError
from .exit_status import ExitStatus
from .layout import RUN
from .names import printable
from .plan import Plan, processes_of
from .results.errors import DamagedState
from .results.output_folder import OutputFolder
from .results.pieces import newest_of, results_in_pieces
from .results.preconditions import refuse_what_is_there
from .results.run_file import RunFile
from .results.runs import OUT, name_of
from .results.source_folder import SourceFolder
from .run import run
from .running.job import RunOptions, shown
from .running.sources import inputs_as_changed


@dataclass(frozen=True, slots=True)
class Choice:
    """Where the results of this start of the service go: it goes on there, and an empty folder is begun by that."""

    path: Path
    goes_on: bool  # whether there are results to go on with
    sentence: str | None = None  # why with none, although there are some


def serve(pipeline: Pipeline, folder: Path, options: RunOptions) -> int:
    """Run a pipeline as a service; returns the exit status, which is 0 when a service manager ends it.

    The arguments are those of `run`, without `resume` and `replace`. A live source is waited for as long as it takes,
    unless the configuration names a time of its own.
    """
    if pipeline.reconnect == Pipeline().reconnect:
        pipeline = replace(pipeline, reconnect="forever")

    def start(choice: Choice) -> int:
        if choice.sentence and not options.quiet:
            print(f"facepipe: {choice.sentence}", file=sys.stderr, flush=True)
        placed = replace(pipeline, render=replace(pipeline.render, output=str(choice.path)))
        return run(placed, folder, replace(options, resume=True))

    if Placement.of(pipeline).render == options.host:
        # Where no folder is named: the one that every start comes back to.
        base = Path(os.path.abspath(pipeline.render.output or OUT / name_of(pipeline, options.config)))
        labels = processes_of(pipeline, options.only, cores(), options.host)
        inputs = Plan.of(pipeline, folder, options.host).inputs
        status = _start(base, pipeline, inputs, start, lambda path: _is_spoilt(path, pipeline, labels))
    else:
        status = run(pipeline, folder, options)
    return ExitStatus.DONE if status == ExitStatus.TERMINATED else status


def _start(
    base: Path, pipeline: Pipeline, inputs: dict, start: Callable[[Choice], int], spoilt: Callable[[Path], bool]
) -> int:
    choice = chosen(base, pipeline, inputs)
    if not choice.goes_on:
        return start(choice)
    before = _sizes(choice.path, pipeline)
    try:
        status = start(choice)
        ends_here = status not in (ExitStatus.FAILED, ExitStatus.REFUSED) or _sizes(choice.path, pipeline) != before
        if ends_here or (status == ExitStatus.REFUSED and not spoilt(choice.path)):
            return status
    except FacepipeError as error:
        if not isinstance(error, DamagedState) and not spoilt(choice.path):
            raise
        print(f"facepipe: {printable(str(error))}", file=sys.stderr, flush=True)
    # It would fail in the same way the next time, and for good.
    reason = f"{shown(str(choice.path))} could not be continued"
    return start(_beside(base, reason))


def _is_spoilt(path: Path, pipeline: Pipeline, labels: Iterable[str]) -> bool:
    """Whether what is in this folder is refused whoever starts; a mistake in the configuration is none of its."""
    from .sinks.recovery import survey  # NumPy and PyAV: only a start that was refused waits for them.

    results = OutputFolder.at(path, pipeline.sources)
    try:
        refuse_what_is_there(results, labels, resume=True, replace=False)
        for file in results.results[1:] or results.results:
            whole = SourceFolder(file.parent, results.manifest, pipeline.writes_annotated)
            survey(newest_of(whole, pipeline.render.rotate is not None))
    except FacepipeError:
        return True
    return False


def chosen(base: Path, pipeline: Pipeline, inputs: dict) -> Choice:
    """The newest of `base`, `base-2`, … if it can be gone on with or is empty, or else the next."""
    newest = _newest(base)
    name = shown(str(newest))
    try:
        before = RunFile.read(newest)
    except FacepipeError:
        before = None
    if before is None:
        has_run = (newest / RUN).exists() or any(size is not None for size in _sizes(newest, pipeline))
        return _beside(base, f"{name} has no run.json that can be read") if has_run else Choice(newest, False)
    if before.ended == "finished" and any(map(is_live, pipeline.all_sources().values())):
        return _beside(base, f"the run in {name} is finished")
    if difference := before.difference(inputs_as_changed(inputs, before)):
        return _beside(base, f"{difference} is not what the run in {name} was begun with")
    return Choice(newest, True)


def _beside(base: Path, reason: str) -> Choice:
    path = next(path for path in _family(base) if not path.exists())
    return Choice(path, False, f"{reason}; it stays as it is, and this run begins {shown(str(path))}")


def _newest(base: Path) -> Path:
    """The last one before the first that is not there."""
    newest = base
    for path in _family(base):
        if not path.exists():
            return newest
        newest = path
    raise AssertionError("the numbers do not end")


def _family(base: Path) -> Iterator[Path]:
    yield base
    yield from (base.with_name(f"{base.name}-{number}") for number in count(2))


def is_live(spec: str | int) -> bool:
    """Whether a source has no end of its own, so far as its name tells."""
    is_camera = isinstance(spec, int) or spec.isdigit() or spec.startswith("/dev/")
    return is_camera or ("://" in spec and not spec.lower().startswith("file://"))


def _sizes(folder: Path, pipeline: Pipeline) -> list[int | None]:
    """How much is in each results.jsonl: a run that goes on with them adds to it, or takes off what is torn."""
    results = OutputFolder.at(folder, pipeline.sources).results
    there = [[one for one in results_in_pieces(path.parent) if one.is_file()] for path in results]
    return [sum(path.stat().st_size for path in paths) if paths else None for paths in there]
