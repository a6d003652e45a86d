"""The data set of an archive: tables of faces, people and events in Parquet, partitioned by film.

    dataset/faces/film=2024%2Fa.mp4/faces.parquet      a row for each face in each frame, as faces.parquet of a run
    dataset/people/film=2024%2Fa.mp4/people.parquet    a row for each person, as people.parquet
    dataset/events/film=2024%2Fa.mp4/events.parquet    a row for each line of events.jsonl

The columns follow from the configuration and the model cards alone. So all files of a table have the same ones with the
same types, that of a film without a face too: what reads many files takes the columns of any of them for those of all.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from urllib.parse import quote
from zlib import crc32

from ..answers import Answer
from ..config.schema import Pipeline
from ..frames import Face, Pose
from ..names import as_text, short
from ..people.events import events_of
from ..people.of_run import PeopleOfRun
from ..people.rows import columns_of, event_row, people
from ..plan import find_models, read_cards
from ..reading.lines import ResultsError, cannot_be_written, manifest_of, results_in
from ..reading.tables import Columns, Row, faces_columns, fill_parquet, rows
from ..results.atomic import is_temporary, replacing
from ..results.jsonl import Line
from ..results.manifest import Manifest
from .names import DATASET

TABLES = ("faces", "people", "events")
_NAME_BYTES = 200  # of a film's name, quoted: file systems take 255, and "film=" and temporary names need some


@dataclass(frozen=True, slots=True)
class Tables:
    """The columns of the three tables of one configuration."""

    columns: dict[str, Columns]  # by table

    @classmethod
    def of(cls, pipeline: Pipeline, folder: Path) -> Tables:
        """`folder`: from which relative paths of model cards count. Raises `ConfigError` and `CardError`."""
        from ..vision.inference.answers import answer  # numpy comes with it.

        cards = read_cards(pipeline, find_models(pipeline, folder))
        answers = {stage: answer(card, [0.5] * len(card.shown)) for stage, card in cards.items()}
        lines = _specimen(answers, pipeline.render.track)
        areas = pipeline.areas_of(None)
        columns = (
            faces_columns(lines),
            columns_of(people(lines, areas=areas, picture_of=lambda line: "annotated/a.mp4")),
            columns_of(event_row(event.to_json()) for event in events_of(lines, 1.0)),
        )
        return cls(dict(zip(TABLES, columns, strict=True)))

    def add(self, run: Path, film: str, dataset: Path) -> list[PurePosixPath]:
        """Write the tables of one film, each as a whole, in place of those that are there; returns their paths.

        `run`: the folder of its finished run; `film`: its name in the archive, any text; `dataset`: the folder of the
        data set. The paths are relative to it. The same results give the same bytes. Raises `ResultsError`.
        """
        results = [one for one in results_in(run) if one.has_frames]
        manifest = manifest_of(run)
        of_run = PeopleOfRun(run, manifest, results)
        of_tables = {"faces": rows(results), "people": of_run.people(), "events": _events(of_run, manifest)}
        paths = paths_of(film)
        for table, path in paths.items():
            _write(dataset / path, self.columns[table], _checked(of_tables[table], self.columns[table], run))
        return list(paths.values())


def has_pyarrow() -> bool:
    """Whether the data set can be written here."""
    return find_spec("pyarrow") is not None


def paths_of(film: str) -> dict[str, PurePosixPath]:
    """Where the tables of a film are in the data set, by table."""
    return {table: PurePosixPath(table, partition_of(film), f"{table}.parquet") for table in TABLES}


def table_names(film: str) -> list[str]:
    """The same in the archive."""
    return [f"{DATASET}/{path}" for path in paths_of(film).values()]


def partition_of(film: str) -> str:
    """The name of the folder of a film, `film=` and its name quoted as addresses are, which all readers undo.

    Letters of all scripts and digits stay, so that a person can read it. A name that is too long for a file system is
    cut, and marked by a hash of all of it.
    """
    quoted = _quoted(film)
    if len(quoted.encode()) > _NAME_BYTES:
        mark, kept = f"-{crc32(as_text(film).encode()):08x}", as_text(film)
        while len(_quoted(kept).encode()) > _NAME_BYTES - len(mark):
            kept = kept[:-1]
        quoted = _quoted(kept) + mark
    return f"film={quoted}"


def _quoted(film: str) -> str:
    return "".join(one if one.isalnum() else quote(one, safe="") for one in as_text(film))


def _specimen(answers: dict[str, Answer], is_tracked: bool) -> list[Line]:
    """Lines in which everything is said that can be: the tables of these have all columns."""
    box, points, smoothed = (10.0, 10.0, 20.0, 20.0), ((12.0, 12.0),) * 5, answers if is_tracked else {}
    face = Face(box, 0.9, answers, 1, smoothed, points, Pose(0.5, 0.5, 0.5), 0.5)
    clock = "2026-01-01T00:00:00.000+00:00"
    return [Line("a.mp4", frame, "a.mp4", frame / 2, 96, 64, [face], [], None, clock=clock) for frame in range(4)]


def _events(of_run: PeopleOfRun, manifest: Manifest) -> Iterator[Row]:
    """Made anew of the results: a run with `render.events: false` has no events.jsonl."""
    for source in of_run.sources:
        for _, lines in source.events(manifest):
            yield from (event_row(json.loads(line)) for line in lines)


def _checked(every: Iterable[Row], columns: Columns, run: Path) -> Iterator[Row]:
    """The rows; raises `ResultsError` for a cell that has no column, or one of another type."""
    for row in every:
        for name, cell in row.items():
            if cell is not None and not isinstance(cell, columns.get(name, ())):
                raise ResultsError(
                    f"{run} was analysed with another configuration: its {name} is {short(str(cell))}; give the"
                    " configuration of its run, or analyse it anew."
                )
        yield row


def _write(path: Path, columns: Columns, of_table: Iterable[Row]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with replacing(path) as temporary:
                fill_parquet(temporary, columns, of_table)
        except FileNotFoundError:
            if not path.is_file():
                raise
            # Another process has written the same meanwhile, and has taken this one for dead.
        _remove_abandoned(path.parent)
    except OSError as error:
        raise cannot_be_written(path, error) from error


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes have begun."""
    for path in folder.iterdir():
        if is_temporary(path):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
