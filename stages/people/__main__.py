"""Make tables of people, or their events, from the results of a run.

python -m stages.people                      people.csv, seconds.csv and days.csv of the newest run in out/
python -m stages.people out/clip --parquet   the same as Parquet
python -m stages.people out/clip --events    events.jsonl, as the run itself writes it
python -m stages.people out/clip --csv --events --config shop.yaml    with other zones and lines than the run's
python -m stages.people out/clip --begins 2026-11-29T09:00+01:00      days.csv of a video that was recorded then
"""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":  # Ctrl-C while the modules below are read: nothing was begun yet.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from .. import time_of_day
from ..config.schema import ConfigError, Pipeline
from ..dependencies import installs
from ..errors import FacepipeError
from ..layout import DAYS, LOCK, PEOPLE, RUN, SECONDS
from ..locks import Taken, locked
from ..project import command
from ..reading.lines import (
    Results,
    ResultsError,
    cannot_be_written,
    chosen_folder,
    inputs_of,
    manifest_of,
    results_with_frames,
)
from ..reading.options import options_of
from ..reading.tables import Row, need_pyarrow, write_csv_rows, write_parquet_rows
from ..reading.words import counted
from ..results.atomic import open_plain
from ..results.manifest import Manifest
from ..supervision.arguments import Arguments
from ..supervision.command import run, say
from .of_run import PeopleOfRun, PeopleOfSource
from .rows import columns_of


def main(argv: list[str] | None = None) -> int:
    """Make what was asked for; 0, or 2 where there is nothing to make it of."""
    options = _options(argv)
    try:
        folder = chosen_folder(options.folder, command("people"), say)
        for said in _make(options, folder, results_with_frames(folder, say)):
            say(said)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    return parser().parse_args(argv)


def parser() -> Arguments:
    """The options of the command."""
    options = options_of("people", __doc__)
    options.add_argument("--csv", action="store_true", help="write the tables as CSV, which is the default")
    options.add_argument(
        "--parquet", action="store_true", help=f"write the tables as Parquet; needs {installs('tables')}"
    )
    options.add_argument("--events", action="store_true", help="write events.jsonl anew")
    options.add_argument("--config", metavar="FILE", help="take the zones and lines from this configuration")
    options.add_argument(
        "--begins",
        type=_moment,
        metavar="TIME",
        help="the time of day of the first frame, such as 2026-11-29T09:00+01:00",
    )
    return options


def _moment(text: str) -> datetime:
    try:
        return time_of_day.read(text)
    except ValueError:
        said = f"{text!r} is no time of day with its zone; write such as 2026-11-29T09:00+01:00"
        raise argparse.ArgumentTypeError(said) from None


def _make(options: argparse.Namespace, folder: Path, results: list[Results]) -> Iterator[str]:
    """Write what is asked for; says of each thing what was written."""
    manifest = manifest_of(folder)
    given = _areas_given(options.config) if options.config is not None else None
    of_run = PeopleOfRun(folder, manifest, results, given)
    if options.parquet:
        need_pyarrow()
    writers = {".csv": write_csv_rows} if options.csv or not (options.parquet or options.events) else {}
    writers |= {".parquet": write_parquet_rows} if options.parquet else {}
    if writers:
        yield from _tables(of_run, folder, manifest, options.begins, writers)
    if options.events:
        yield from _events(of_run.sources, folder, manifest)
    for one in results:
        if one.is_torn:
            yield f"The last line of {one.path} is torn, because the run was broken off; it is left out."


def _areas_given(config: str) -> Pipeline:
    """A configuration whose zones and lines count; raises `ConfigError`."""
    from ..config.load import read_config  # YAML: the run's own zones need none.
    from ..config.strict_yaml import MOST_BYTES

    try:
        with open_plain(Path(config)) as file:
            text = file.read(MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not a text in UTF-8"
        raise ConfigError(f"--config {config} cannot be read: {why}; name another file.") from None
    return read_config(text, config)


Writer = Callable[[Path, dict, Iterable[Row], Manifest], int]


def _tables(
    of_run: PeopleOfRun, folder: Path, manifest: Manifest, begins: datetime | None, writers: dict[str, Writer]
) -> Iterator[str]:
    try:
        visitors = of_run.days(begins)
    except OverflowError:
        raise ResultsError(f"--begins {begins} is so late that the video ends after the year 9999.") from None
    for suffix, write in writers.items():
        for name, rows in ((PEOPLE, of_run.people), (SECONDS, of_run.seconds), (DAYS, lambda: iter(visitors))):
            path = folder / f"{name}{suffix}"
            if name == DAYS and not visitors:
                if _removed(path, manifest):
                    yield f"Removed {path}: it was of an earlier --begins."
                continue
            count = write(path, columns_of(rows()), rows(), manifest)
            yield f"Wrote {path}: {counted(count, 'row', 'rows')}."
    if next(of_run.people(), None) is None:
        yield "Nobody has a number in these results: they are of pictures, or of a run with render.track: false."
    elif not visitors:
        yield "No table of days: a video has no time of day; --begins says when its first frame was recorded."


def _removed(path: Path, manifest: Manifest) -> bool:
    """Remove a table that says nothing of these results any more; one that you have changed stays."""
    try:
        return manifest.remove(path)
    except OSError as error:
        raise cannot_be_written(path.parent, error) from error


def _events(sources: list[PeopleOfSource], folder: Path, manifest: Manifest) -> Iterator[str]:
    for source in sources:  # Without it nobody would be known to have left, and no zone would be known.
        if not inputs_of(source.results.folder):
            raise ResultsError(
                f"{source.results.folder} has no {RUN} that can be read; events need it, so put it back."
            )
    try:
        with locked(folder / LOCK):  # A run that is under way writes them itself.
            for source in sources:
                for path, lines in source.events(manifest):
                    with manifest.replacing(path) as temporary, temporary.open("wb") as file:
                        count = sum(1 for text in lines if file.write(text))
                    yield f"Wrote {path}: {counted(count, 'event', 'events')}."
    except Taken as error:
        raise ResultsError(
            f"the run in {folder} is under way ({error.holder}) and writes its events itself; wait for its end."
        ) from None
    except OSError as error:
        raise cannot_be_written(folder, error) from error


if __name__ == "__main__":
    run(main)
