"""`facepipe archive`: many films on all cores of this machine or of a cluster."""

from __future__ import annotations

import argparse
import math
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.load import Override
from ..config.settings import cores
from ..dependencies import installs
from ..errors import FacepipeError
from ..exit_status import ExitStatus
from ..names import counted, printable, without_folders
from ..plan import read_pipeline
from ..project import PROJECT, command
from ..supervision.arguments import Arguments
from ..supervision.command import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..archive.cluster import Cluster
    from ..archive.ledger import FilmState, Ledger
    from ..archive.progress import ArchiveView
    from ..archive.storage import Storage
    from ..archive.tasks import Setup

PART_MINUTES = 5.0
CACHE_GB, MOST_GB = 20.0, 1e9
CONTINUES = "Run the same command again to continue."
FAILED_LISTED = 20  # films with their reasons; archive.json has all

DESCRIPTION = """\
Analyses many films on all cores of this machine, or of a cluster of Ray, and goes on where an earlier start ended.

  {prog} 'films/**/*.mp4' --output results                     on this machine
  {prog} films --output /mnt/results --ray 192.168.7.20:6379   on a cluster, with folders that its machines share
  {prog} 's3://films/**' --output s3://results/1 --ray auto    on a cluster, films and results in S3
  {prog} 'films/**/*.mp4' --output results --dry-run           how long would it take?

Put wildcards in quotes. The same command goes on after Ctrl-C, a full disk or a lost machine.
"""
EPILOG = """\
Exit status: 0 all films are analysed; 1 some cannot be, or the work cannot go on now; 2 invalid arguments,
configuration, model, film or output, or no cluster; 130 and 143 after Ctrl-C and SIGTERM.
"""


def parser() -> Arguments:
    """The options of the command."""
    prog = command("archive")
    options = Arguments(
        prog=prog,
        usage="%(prog)s FILMS ... --output DIR [OPTION ...]",
        description=DESCRIPTION.format(prog=prog),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "films", nargs="+", metavar="FILMS", type=_given, help="files, folders, globs and addresses of fsspec"
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        type=_given,
        required=True,
        help="a folder, or an address of fsspec such as s3://BUCKET/DIR",
    )
    options.add_argument(
        "--ray",
        metavar="ADDRESS",
        type=_given,
        help="HOST:PORT of a cluster of Ray, or auto (default: Ray is started here)",
    )
    options.add_argument("--cores", metavar="N", type=_count, help="without --ray: use N cores of this machine")
    options.add_argument("--config", metavar="FILE", help="the configuration (default: the included pipeline.yaml)")
    options.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set any key of the configuration"
    )
    options.add_argument("--detector", metavar="D", help="face detector: fast (the default), haar, dlib or yunet")
    options.add_argument("--fps", metavar="N", type=_positive, help="read at most N frames of each second of a film")
    options.add_argument("--annotated", action="store_true", help="write the annotated videos too")
    options.add_argument("--no-dataset", action="store_true", help="write no tables of all films in Parquet")
    options.add_argument(
        "--part-minutes",
        metavar="N",
        type=_positive,
        default=PART_MINUTES,
        help=f"about how long the parts are that films are divided into (default: {PART_MINUTES:g})",
    )
    options.add_argument(
        "--cache-gb",
        metavar="N",
        type=_gigabytes,
        default=CACHE_GB,
        help=f"films of S3 and the like: what their copies take on each machine (default: {CACHE_GB:g})",
    )
    options.add_argument(
        "--dry-run", action="store_true", help="analyse a sample, say how long all would take, and write nothing"
    )
    options.add_argument("--price", metavar="P", type=_positive, help="with --dry-run: the price of a core for an hour")
    options.add_argument("--quiet", action="store_true", help="print only errors")
    return options


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    options = parser().parse_args(argv)
    if options.cores and options.ray:
        parser().error("--cores is for this machine alone, and --ray names a cluster; leave one out.")
    if options.price and not options.dry_run:
        parser().error("--price is for an estimate; add --dry-run.")
    try:
        return _archive(options)
    except FacepipeError as error:
        print(f"facepipe: {printable(str(error))}", file=sys.stderr)
        return ExitStatus.REFUSED


def _archive(options: argparse.Namespace) -> int:
    pipeline, folder = read_pipeline(options.config, _overrides(options))
    # Ray, NumPy and PyAV: mistakes in the configuration are told before they are read.
    from ..archive.cluster import cluster_at
    from ..archive.dataset import has_pyarrow
    from ..archive.estimate import estimated
    from ..archive.finding import films_of
    from ..archive.joining import unused_keys
    from ..archive.ledger import Ledger
    from ..archive.progress import ArchiveView
    from ..archive.storage import storage_at
    from ..archive.tasks import Setup, inputs_of, refuse_other_uses

    refuse_other_uses(pipeline)
    ledger = Ledger(storage_at(options.output))
    inputs = inputs_of(pipeline, folder)
    root, films = films_of(options.films, ledger.root, ledger.storage.address)
    ledger.refuse_other(inputs)
    view = ArchiveView(sys.stderr, quiet=options.quiet)
    setup = Setup(
        archive="" if options.dry_run else ledger.name,
        output=ledger.storage,
        pipeline=pipeline,
        folder=None if folder == PROJECT else Path(folder).absolute(),
        inputs=inputs,
        part_s=60 * options.part_minutes,
        cache_bytes=int(options.cache_gb * 1e9),
        dataset=has_pyarrow() and not options.no_dataset,
    )
    if unused := unused_keys(pipeline):
        view.say(f"the configuration has keys that an archive does not use: {', '.join(unused)}")
    with ExitStack() as held:
        held.callback(view.close)

        def joined() -> Cluster:
            view.waits("starting Ray ..." if options.ray is None else f"joining the cluster at {options.ray} ...")
            return held.enter_context(cluster_at(options.ray, options.cores or cores()))

        if options.dry_run:
            status, lines = ExitStatus.DONE, estimated(films, joined(), setup, options.price, view)
        else:
            held.enter_context(ledger.storage.held())
            states = _states(ledger.begin(root, inputs, films), ledger, setup, options, view)
            status, lines = _work(joined, setup, ledger, states, view)
    # Now that Ray has ended, nothing of it comes between these lines.
    if lines and (options.dry_run or not view.is_quiet):
        say(*lines)
    return status


def _states(
    states: list[FilmState], ledger: Ledger, setup: Setup, options: argparse.Namespace, view: ArchiveView
) -> list[FilmState]:
    """How the films stand, after a person was told what there is to say of it."""
    for sentence in ledger.sentences:
        view.say(sentence)
    if not setup.dataset and not options.no_dataset:
        view.say(f"there is no data set without pyarrow; with {installs('tables')} this command adds it")
    for state in states:
        state.lacks_tables &= setup.dataset
    return states


def _work(
    joined: Callable[[], Cluster], setup: Setup, ledger: Ledger, states: list[FilmState], view: ArchiveView
) -> tuple[ExitStatus, list[str]]:
    """Do all that is to be done; returns the exit status and what came of it, in lines."""
    before = {state.film.name for state in states if state.done}
    if all(state.done and not state.lacks_tables for state in states):
        ledger.save(states)
        return ExitStatus.DONE, _lines(states, before, 0.0, _write_page(ledger, view))
    cluster = joined()
    ledger.save(states)
    began_s = time.monotonic()
    try:
        _analyse(cluster, setup, ledger, states, view)
    except FacepipeError as error:
        view.close()
        print(f"facepipe: {printable(str(error))} {CONTINUES}", file=sys.stderr)
        return ExitStatus.FAILED, []
    except KeyboardInterrupt:
        view.close()
        print(f"facepipe: Stopped. {CONTINUES}", file=sys.stderr)
        raise
    wrote = _write_page(ledger, view)
    view.close()
    failed = [state for state in states if state.failed]
    if view.is_quiet:
        for sentence in _reasons(failed):
            print(f"facepipe: {printable(sentence)}", file=sys.stderr)
    status = ExitStatus.FAILED if failed else ExitStatus.DONE
    return status, _lines(states, before, time.monotonic() - began_s, wrote)


def _analyse(cluster: Cluster, setup: Setup, ledger: Ledger, states: list[FilmState], view: ArchiveView) -> None:
    from ..archive.driver import Driver

    open_films = sum(not state.done for state in states)
    left = f"{open_films} of " if open_films < len(states) else ""
    view.say(f"{left}{counted(len(states), 'film')} on {counted(cluster.cores, 'core')} → {ledger.storage.address}")
    Driver(states, ledger, cluster, cluster.put(setup), view).work()
    ledger.save(states)


def _write_page(ledger: Ledger, view: ArchiveView) -> list[str]:
    """Write the page over all films, and return the names of what is there to look at.

    Where it cannot be written, say why: their results are there all the same.
    """
    from ..archive.names import DATASET, REPORT
    from ..archive.reporting import write_page

    view.waits("writing the page ...")
    address = _shown(ledger.storage)
    try:
        write_page(ledger.storage)
    except FacepipeError as error:
        view.say(f"There is no page over all films: {error}")
        return [address]
    names = [f"{address}/{REPORT}"]
    has_tables = any(True for _ in ledger.storage.names(DATASET))
    return [*names, f"{address}/{DATASET}/"] if has_tables else names


def _lines(states: list[FilmState], before: set[str], took_s: float, wrote: list[str]) -> list[str]:
    """What came of it."""
    from ..view.progress import duration

    done = [state.done for state in states if state.done and state.film.name not in before]
    failed = [state for state in states if state.failed]
    lines = []
    if done:
        seconds = sum(one.seconds for one in done)
        lines.append(
            f"{counted(len(done), 'film')}, {duration(seconds)} of video, {sum(one.frames for one in done)} frames and"
            f" {sum(one.faces for one in done)} faces in {duration(took_s)}, {seconds / took_s:.3g} × real time."
        )
    if before:
        lines.append(f"{counted(len(before), 'film')} had been analysed before.")
    if failed:
        lines.append(f"{counted(len(failed), 'film')} cannot be analysed:")
        lines += [f"  {sentence}" for sentence in _reasons(failed)]
    return [*lines, f"Wrote {' and '.join(wrote)}."]


def _reasons(failed: list[FilmState]) -> list[str]:
    """Why films cannot be analysed, a line each."""
    said = [f"{state.film.name}: {without_folders(state.failed, state.film.name)}" for state in failed[:FAILED_LISTED]]
    return said + [f"and {len(failed) - FAILED_LISTED} more, in archive.json"] * (len(failed) > FAILED_LISTED)


def _shown(storage: Storage) -> str:
    """Where it is, as a person may see it; below the working directory without the path to that."""
    here = Path.cwd()
    if storage.folder is None or not storage.folder.is_relative_to(here) or storage.folder == here:
        return storage.address
    return str(storage.folder.relative_to(here))


def _overrides(options: argparse.Namespace) -> list[Override]:
    """What an archive has otherwise than a run comes first, so that `--set` can change it."""
    given = {"stages.detect.detector": options.detector, "capture.fps": options.fps}
    short = [
        Override(key, value, f"--{key.rpartition('.')[2]} {value}") for key, value in given.items() if value is not None
    ]
    annotated = Override("render.annotated", options.annotated, "--annotated")
    return [annotated, *map(Override.parse, options.set), *short]


def _given(text: str) -> str:
    if text.strip():
        return text
    raise argparse.ArgumentTypeError("it is empty; is a variable of the shell not set?")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= 100_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is not a number of cores; write a whole number from 1 on")


def _gigabytes(text: str) -> float:
    if (number := _positive(text)) <= MOST_GB:
        return number
    raise argparse.ArgumentTypeError(f"{text} is more than {MOST_GB:g} GB")


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if 0 < number < math.inf:
        return number
    raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
