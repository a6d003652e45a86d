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
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .. import time_of_day
from ..areas import Areas
from ..config.schema import ConfigError, Pipeline
from ..dependencies import installs
from ..errors import FacepipeError
from ..layout import DAYS, LOCK, PEOPLE, RUN, SECONDS
from ..locks import Taken, locked
from ..project import command
from ..reading.lines import (
    NoFrames,
    Results,
    ResultsError,
    areas_of,
    cannot_be_written,
    chosen_folder,
    coast_of,
    inputs_of,
    manifest_of,
    place_of,
    results_in,
    said_in,
)
from ..reading.options import options_of
from ..reading.tables import Row, need_pyarrow, write_csv_rows, write_parquet_rows
from ..reading.words import counted
from ..results.atomic import open_plain
from ..results.jsonl import Line
from ..results.manifest import Manifest
from ..results.pieces import OF_PEOPLE, Before, pieces_of, whole_of
from ..results.source_folder import SourceFolder
from ..supervision.arguments import Arguments
from ..supervision.command import run, say
from .events import EventMachine
from .rows import columns_of, days, people, seconds


def main(argv: list[str] | None = None) -> int:
    """Make what was asked for; 0, or 2 where there is nothing to make it of."""
    options = _options(argv)
    try:
        folder = chosen_folder(options.folder, command("people"), say)
        for said in _make(options, folder, results_in(folder)):
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


@dataclass(frozen=True, slots=True)
class _Source:
    """The lines of one source, and what is needed to find people in them."""

    results: Results
    coast_s: float
    areas: Areas
    has_ended: bool  # who is there at its end has left with it
    is_as_run: bool  # the zones and lines are those that the run had

    def people(self, place: SourceFolder, folder: Path) -> Iterator[Row]:
        """Rows of people; pictures by their paths in the folder of the run."""

        pieces = [(Before.of(piece).frame, piece) for piece in pieces_of(place)]

        def picture_of(line: Line) -> str | None:
            piece = next((piece for first, piece in reversed(pieces) if first <= line.frame), place)
            path = piece.video(line.source, line.file)
            return path.relative_to(folder).as_posix() if path.is_file() else None

        return people(self.results, self.coast_s, self.areas, picture_of)

    def events(self, manifest: Manifest) -> Iterator[tuple[Path, Iterator[bytes]]]:
        """Where each events.jsonl is to be, one for each piece, and its lines; to be read in this order."""
        machine, parts = EventMachine(self.coast_s, self.areas), self.results.parts()
        before = Before.of(place_of(parts[0].folder, manifest))
        if self.is_as_run and OF_PEOPLE in before.state:  # Older pieces are deleted; who was there then is known.
            machine.take_up(before.state[OF_PEOPLE])
        for number, part in enumerate(parts, 1):
            ends_here = self.has_ended and number == len(parts)
            yield place_of(part.folder, manifest).events, _events_of(part, machine, ends_here)


def _events_of(part: Results, machine: EventMachine, ends_here: bool) -> Iterator[bytes]:
    with suppress(NoFrames):  # A piece that was just begun.
        for line in part:
            yield from (event.to_line() for event in machine.step(line))
    if ends_here:
        yield from (event.to_line() for event in machine.end())


def _make(options: argparse.Namespace, folder: Path, results: list[Results]) -> Iterator[str]:
    """Write what is asked for; says of each thing what was written."""
    manifest = manifest_of(folder)
    given = _areas_given(options.config) if options.config is not None else None
    sources = [_source(one, given, len(results) > 1) for one in results]
    if options.parquet:
        need_pyarrow()
    writers = {".csv": write_csv_rows} if options.csv or not (options.parquet or options.events) else {}
    writers |= {".parquet": write_parquet_rows} if options.parquet else {}
    if writers:
        yield from _tables(sources, folder, manifest, options.begins, writers)
    if options.events:
        yield from _events(sources, folder, manifest)
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


def _source(results: Results, given: Pipeline | None, of_several: bool) -> _Source:
    areas = areas_of(results.folder) if given is None else given.areas_of(results.folder.name if of_several else None)
    ended = said_in(_run_file(results.folder)).get("ended")
    return _Source(results, coast_of(results.folder), areas, ended == "finished", given is None)


def _run_file(folder: Path) -> Path:
    """Of several sources it lies in the folder above."""
    folder = whole_of(folder.resolve())
    return folder / RUN if os.path.lexists(folder / RUN) else folder.parent / RUN


Writer = Callable[[Path, dict, Iterable[Row], Manifest], int]


def _tables(
    sources: list[_Source], folder: Path, manifest: Manifest, begins: datetime | None, writers: dict[str, Writer]
) -> Iterator[str]:
    places = [place_of(source.results.folder, manifest) for source in sources]

    def everybody() -> Iterator[Row]:
        for source, place in zip(sources, places, strict=True):
            yield from source.people(place, folder)

    def every_second() -> Iterator[Row]:
        for source in sources:
            yield from seconds(source.results, source.coast_s, source.areas)

    try:
        visitors = list(days(_of_one_video(everybody()) if begins else everybody(), begins))
    except OverflowError:
        raise ResultsError(f"--begins {begins} is so late that the video goes on after the year 9999.") from None
    for suffix, write in writers.items():
        for name, rows in ((PEOPLE, everybody), (SECONDS, every_second), (DAYS, lambda: iter(visitors))):
            path = folder / f"{name}{suffix}"
            if name == DAYS and not visitors:
                if _removed(path, manifest):
                    yield f"Removed {path}: it was of an earlier --begins."
                continue
            count = write(path, columns_of(rows()), rows(), manifest)
            yield f"Wrote {path}: {counted(count, 'row', 'rows')}."
    if next(everybody(), None) is None:
        yield "Nobody has a number in these results: they are of pictures, or of a run with render.track: false."
    elif not visitors:
        yield "No table of days: a video has no time of day; --begins says when its first frame was recorded."


def _removed(path: Path, manifest: Manifest) -> bool:
    """Remove a table that says nothing of these results any more; one that you have changed stays."""
    try:
        return manifest.remove(path)
    except OSError as error:
        raise cannot_be_written(path.parent, error) from error


def _of_one_video(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows; raises `ResultsError` where those without a time of day are of several videos, which began apart."""
    of = None
    for row in rows:
        if row["first_clock"] is None:
            video = row["source"], row["file"]
            if of not in (None, video):
                raise ResultsError(
                    "--begins says when one video was recorded, and this run has several; give each a run of its own."
                )
            of = video
        yield row


def _events(sources: list[_Source], folder: Path, manifest: Manifest) -> Iterator[str]:
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
