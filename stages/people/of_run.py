"""The people of a run: what the command writes into tables, and a program reads from its results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..areas import Areas
from ..config.schema import Pipeline
from ..layout import PIECE, RUN
from ..reading.lines import NoFrames, Results, ResultsError, areas_of, coast_of, place_of, said_in
from ..reading.tables import Row
from ..results.errors import DamagedState
from ..results.jsonl import Line
from ..results.manifest import Manifest
from ..results.pieces import OF_PEOPLE, Before, whole_of
from ..results.source_folder import SourceFolder
from .events import EventMachine
from .rows import days, people, seconds


class PeopleOfRun:
    """Rows about the people of all sources of a run; see `rows` for their columns. Each call reads the results anew."""

    def __init__(self, folder: Path, manifest: Manifest, results: list[Results], given: Pipeline | None = None):
        """`folder`, `manifest`: of the run. `given`: its zones and lines count in place of those of the run."""
        self.sources = [_source(one, given) for one in results]
        self._folder, self._manifest = folder, manifest

    def people(self) -> Iterator[Row]:
        """A row a person."""
        for source in self.sources:
            yield from source.people(self._folder, self._manifest)

    def seconds(self) -> Iterator[Row]:
        """A row a person and second."""
        for source in self.sources:
            yield from source.seconds()

    def days(self, begins: datetime | None = None) -> list[Row]:
        """Visitors by the hour. `begins`: the time of day of the first frame of a video.

        Raises `ResultsError`, and `OverflowError` for a time after the year 9999.
        """
        return list(days(_of_one_video(self.people()) if begins else self.people(), begins))


@dataclass(frozen=True, slots=True)
class PeopleOfSource:
    """The lines of one source, and what is needed to find people in them."""

    results: Results
    coast_s: float
    areas: Areas
    has_ended: bool  # who is there at its end has left with it
    is_as_run: bool  # the zones and lines are those that the run had

    def people(self, folder: Path, manifest: Manifest) -> Iterator[Row]:
        """Rows of people; pictures by their paths in the folder of the run."""
        place = place_of(self.results.folder, manifest)
        parts = ((_first_frame(part), place_of(part.folder, manifest)) for part in self.results.parts())
        pieces = [(first, piece) for first, piece in parts if first is not None]

        def picture_of(line: Line) -> str | None:
            piece = next((piece for first, piece in reversed(pieces) if first <= line.frame), place)
            path = piece.video(line.source, line.file)
            return path.relative_to(folder).as_posix() if path.is_file() else None

        return people(self.results, self.coast_s, self.areas, picture_of)

    def seconds(self) -> Iterator[Row]:
        """Rows of people and seconds."""
        return seconds(self.results, self.coast_s, self.areas)

    def events(self, manifest: Manifest) -> Iterator[tuple[Path, Iterator[bytes]]]:
        """Where each events.jsonl is to be, one for each piece, and its lines; to be read in this order."""
        machine, parts = EventMachine(self.coast_s, self.areas), self.results.parts()
        before = _before(place_of(parts[0].folder, manifest))
        if self.is_as_run and OF_PEOPLE in before.state:  # Older pieces are deleted; who was there then is known.
            machine.take_up(before.state[OF_PEOPLE])
        for number, part in enumerate(parts, 1):
            ends_here = self.has_ended and number == len(parts)
            yield place_of(part.folder, manifest).events, _events_of(part, machine, ends_here)


def _first_frame(part: Results) -> int | None:
    with suppress(NoFrames):  # A piece that was just begun.
        return next(iter(part)).frame
    return None


def _before(piece: SourceFolder) -> Before:
    try:
        return Before.of(piece)
    except DamagedState:
        raise ResultsError(
            f"{piece.own / PIECE} is missing or damaged, and says who was followed before; put it back."
        ) from None


def _events_of(part: Results, machine: EventMachine, ends_here: bool) -> Iterator[bytes]:
    with suppress(NoFrames):  # A piece that was just begun.
        for line in part:
            yield from (event.to_line() for event in machine.step(line))
    if ends_here:
        yield from (event.to_line() for event in machine.end())


def _source(results: Results, given: Pipeline | None) -> PeopleOfSource:
    name = whole_of(results.folder.resolve()).name
    areas = areas_of(results.folder) if given is None else given.areas_of(name)
    ended = said_in(_run_file(results.folder)).get("ended")
    return PeopleOfSource(results, coast_of(results.folder), areas, ended == "finished", given is None)


def _run_file(folder: Path) -> Path:
    """Of several sources it lies in the folder above."""
    folder = whole_of(folder.resolve())
    return folder / RUN if os.path.lexists(folder / RUN) else folder.parent / RUN


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
