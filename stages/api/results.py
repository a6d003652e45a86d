"""The results of a run, as a program reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FacepipeError
from ..layout import EVENTS, SUMMARY
from ..people.event_file import follow
from ..people.of_run import PeopleOfRun
from ..reading.lines import NoFrames, Results, cannot_be_read, manifest_of, results_in, summary_in
from ..reading.tables import arrow_table, columns_of, rows
from ..results.run_file import run_in
from ..sources.spec import expanded
from .frame import Frame

if TYPE_CHECKING:
    import pandas
    import pyarrow

_PANDAS = {str: "string", int: "Int64", float: "float64", bool: "boolean"}  # types that have a place for no value


class NotInstalled(FacepipeError):
    """An optional package is needed."""


def read(folder: str | os.PathLike[str]) -> Run:
    """Open what a run has left in its output folder, such as "out/clip"; raises `ResultsError` where that is none.

    Nothing is read yet, and nothing changed. The run may be under way: then its frames so far are there.
    """
    return Run(Path(expanded(os.fspath(folder))))


class Run:
    """The results of one run. They are read anew by each call, and never held as a whole."""

    def __init__(self, path: Path):
        self.path = path  # the output folder
        self._results = results_in(path)

    def __repr__(self) -> str:
        return f"facepipe.read({str(self.path)!r})"

    @property
    def ended(self) -> str | None:
        """ "finished", "stopped" by a person, or None: it is under way, or was broken off."""
        run = run_in(self.path)
        return run.ended if run else None

    @property
    def summary(self) -> dict:
        """What summary.json says, see docs/results.md; empty until the run has ended."""
        return summary_in(self.path / SUMMARY)

    def frames(self) -> Iterator[Frame]:
        """Every frame, in order; one source after the other where there are several.

        A last line that a killed process has cut off is left out. Raises `ResultsError` at a line that facepipe has not
        written.
        """
        for results in self._results:
            with suppress(NoFrames):  # Of a run that has just begun.
                yield from map(Frame.of, results)

    def people(self) -> list[dict]:
        """A row for each person, as in people.csv, whose columns docs/people.md has; what is not known is None.

        There are none for pictures, or without `render.track`. `pandas.DataFrame(run.people())` makes a data frame.
        Raises `ResultsError`.
        """
        return list(self._people().people())

    def seconds(self) -> Iterator[dict]:
        """A row for each person and second, as in seconds.csv. Raises `ResultsError`."""
        yield from self._people().seconds()

    def days(self, begins: datetime | None = None) -> list[dict]:
        """Visitors by the hour, gender and age group, as in days.csv.

        `begins`: the time of day of the first frame of a video, with its zone; cameras know it. Raises `ResultsError`.
        """
        return self._people().days(begins)

    def events(self) -> Iterator[dict]:
        """Who appeared, left, entered a zone or crossed a line: the lines of events.jsonl; one source after the other.

        Raises `NotAnEvent`, and `ResultsError` where they cannot be read.
        """
        for results in self._results:
            try:
                yield from (event for _, event in follow(results.folder))
            except OSError as error:
                raise cannot_be_read(Path(error.filename or results.folder / EVENTS), error) from error

    def to_arrow(self) -> pyarrow.Table:
        """One row for each face in each frame, with the columns of docs/results.md; needs pyarrow.

        Raises `NotInstalled` and `ResultsError`.
        """
        try:
            return arrow_table(self._with_frames())
        except ModuleNotFoundError as error:
            raise _not_installed(error, "pyarrow") from None

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a data frame; needs pandas."""
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise _not_installed(error, "pandas") from None
        results = self._with_frames()
        columns = columns_of(results)
        table = pandas.DataFrame.from_records(list(rows(results)), columns=list(columns))
        return table.astype({name: _PANDAS[kind] for name, kind in columns.items()})

    def _people(self) -> PeopleOfRun:
        return PeopleOfRun(self.path, manifest_of(self.path), self._with_frames())

    def _with_frames(self) -> list[Results]:
        return [results for results in self._results if results.has_frames]


def _not_installed(error: ModuleNotFoundError, package: str) -> Exception:
    """The sentence for an optional package that is not there; anything else that is missing is a defect of ours."""
    if (error.name or "").partition(".")[0] != package:
        return error
    return NotInstalled(f"{package} is not installed; install it with: pip install {package}.")
