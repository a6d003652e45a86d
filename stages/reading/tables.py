"""Tables for spreadsheets and data frames: one row for each face in each frame."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..answers import Answer
from ..frames import Face
from ..results.manifest import Manifest
from .lines import Line, Results, ResultsError, cannot_be_written
from .order import By, cells_to_sort, in_order, refuse_unknown

if TYPE_CHECKING:
    import pyarrow

ROWS = 20_000  # written to a Parquet file at once: what is held in memory, as columns
BATCH = 1_000  # and of these as rows
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how a text begins that a spreadsheet may run, says OWASP
SMOOTHED = "smoothed_"  # before the names of columns of answers over time
SORTED_ROWS = 1_000_000  # held to be sorted, 0.5 kB each; no more fit into a spreadsheet either
PLACE = {
    "source": str, "file": str, "frame": int, "time": float, "clock": str, "id": int,
    "box_x": float, "box_y": float, "box_width": float, "box_height": float, "score": float,
}  # fmt: skip

# Where there are landmarks.
POINTS = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")
LANDMARKS = {
    **{f"{point}_{axis}": float for point in POINTS for axis in "xy"},
    "pose_yaw": float, "pose_pitch": float, "pose_roll": float, "quality": float, "unsure": bool,
}  # fmt: skip

Columns = dict[str, type]  # in the order of the table
Row = dict[str, object]  # by column; what is not known is None or not there


def write_csv(path: Path, sources: list[Results], manifest: Manifest, order: Sequence[By] = ()) -> int:
    """One table of all faces of all sources; returns the number of rows. Raises `ResultsError`.

    `order`: empty for that of the frames, in which no rows are held in memory.
    """
    columns = columns_of(sources)
    return write_csv_rows(path, columns, _ordered(sources, columns, order), manifest)


def write_csv_rows(path: Path, columns: Columns, rows: Iterable[Row], manifest: Manifest) -> int:
    """A table in UTF-8, with a heading; returns the number of rows. Raises `ResultsError`."""
    count = 0
    with (
        _whole(path, manifest) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(map(_as_text, columns))
        for row in rows:
            table.writerow([_as_text(row.get(name)) for name in columns])
            count += 1
    return count


def need_pyarrow() -> None:
    """Raise `ModuleNotFoundError` where Parquet cannot be written: before the hour that another table may take."""
    from pyarrow import parquet  # noqa: F401


def write_parquet(path: Path, sources: list[Results], manifest: Manifest, order: Sequence[By] = ()) -> int:
    """The same in Apache Parquet, with types. Needs pyarrow."""
    columns = columns_of(sources)
    return write_parquet_rows(path, columns, _ordered(sources, columns, order), manifest)


def write_parquet_rows(path: Path, columns: Columns, rows: Iterable[Row], manifest: Manifest) -> int:
    """As `write_csv_rows`, in Apache Parquet, with types. Needs pyarrow."""
    with _whole(path, manifest) as temporary:
        return fill_parquet(temporary, columns, rows)


def fill_parquet(path: Path, columns: Columns, rows: Iterable[Row]) -> int:
    """Write rows to a Parquet file, in groups of `ROWS`; returns how many. Needs pyarrow; raises `OSError`.

    The same rows give the same bytes.
    """
    import pyarrow
    from pyarrow import parquet

    schema = _schema(columns)
    every, count = iter(rows), 0
    with parquet.ParquetWriter(str(path), schema, compression="zstd") as table:
        while group := list(_batches(islice(every, ROWS), schema)):
            some = pyarrow.Table.from_batches(group, schema)
            table.write_table(some)
            count += some.num_rows
    return count


def _batches(every: Iterator[Row], schema: pyarrow.Schema) -> Iterator[pyarrow.RecordBatch]:
    """The rows as columns, a few at a time: a row as a dictionary takes ten times as much."""
    import pyarrow

    while some := list(islice(every, BATCH)):
        yield pyarrow.RecordBatch.from_pylist(some, schema)


def arrow_table(sources: list[Results]) -> pyarrow.Table:
    """The same in memory. Needs pyarrow."""
    import pyarrow

    schema = _schema(columns_of(sources))
    return pyarrow.Table.from_batches(_batches(rows(sources), schema), schema)


def columns_of(sources: list[Results]) -> Columns:
    """The columns that the rows have; found by reading all of them, for the last line may have an answer of its own."""
    return faces_columns(_lines(sources))


def faces_columns(lines: Iterable[Line]) -> Columns:
    """The same of lines."""
    raw: dict[str, Columns] = {}
    smoothed: dict[str, Columns] = {}
    fullest: tuple[str, ...] = ()  # the stages of a frame that all are asked about: it tells their order
    has_landmarks = has_clock = False
    for line in lines:
        has_clock |= line.clock is not None
        for face in line.faces:
            has_landmarks |= face.landmarks is not None
            for known, answers in ((raw, face.answers), (smoothed, face.smoothed)):
                fullest = max(fullest, tuple(answers), key=len)
                for stage, answer in answers.items():
                    if stage not in known or len(known[stage]) < len(answer.columns()):
                        known.setdefault(stage, {}).update(_columns(stage, answer))
    place = {name: kind for name, kind in PLACE.items() if name != "clock" or has_clock}
    columns = place | (LANDMARKS if has_landmarks else {})
    in_order = dict.fromkeys((*fullest, *raw, *smoothed))
    for stage in in_order:
        columns |= raw.get(stage, {})
    for stage in in_order:
        columns |= {SMOOTHED + name: kind for name, kind in smoothed.get(stage, {}).items()}
    return columns


def rows(sources: list[Results]) -> Iterator[Row]:
    """Every face of every frame; what was not said is not there."""
    for line in _lines(sources):
        for face in line.faces:
            yield row_of(line.source, line.file, line.frame, line.time, face, line.clock)


def _ordered(sources: list[Results], columns: Columns, order: Sequence[By]) -> Iterable[dict[str, object]]:
    """The rows as `order` says."""
    if not order:
        return rows(sources)
    refuse_unknown(order, columns)
    held = []
    for row in rows(sources):
        if len(held) == SORTED_ROWS:
            raise ResultsError(f"there are more than {SORTED_ROWS:,} rows, which are not sorted; leave out --sort.")
        held.append((cells_to_sort(order, row), msgspec.msgpack.encode(row)))  # A dictionary takes five times as much.
    return map(msgspec.msgpack.decode, in_order(order, held))


def _lines(sources: list[Results]) -> Iterator[Line]:
    return (line for source in sources for line in source)


def row_of(source: str, file: str | None, frame: int, time: float, face: Face, clock: str | None = None) -> Row:
    """A row of the table, by the names of its columns."""
    place = (source, file, frame, time, clock, face.id, *map(_known, face.box), _known(face.score))
    row = dict(zip(PLACE, place, strict=True))
    if face.landmarks is not None:
        numbers = *(number for point in face.landmarks for number in point), face.pose.yaw, face.pose.pitch
        numbers = *map(_known, (*numbers, face.pose.roll, face.quality)), face.unsure
        row |= zip(LANDMARKS, numbers, strict=True)
    for stage, answer in face.answers.items():
        row |= cells_of(stage, answer)
    for stage, answer in face.smoothed.items():
        row |= {SMOOTHED + name: value for name, value in cells_of(stage, answer).items()}
    return row


def cells_of(stage: str, answer: Answer) -> Row:
    """What a stage said about a face, by the names of the columns."""
    name = f"{stage}_answer" if stage in PLACE or stage in LANDMARKS else stage
    return {name + after: cell if isinstance(cell, str) else _known(cell) for after, cell in answer.columns().items()}


def _columns(stage: str, answer: Answer) -> Columns:
    return {name: str if isinstance(cell, str) else float for name, cell in cells_of(stage, answer).items()}


def _as_text(cell: object) -> object:
    """With an apostrophe before a text that a spreadsheet would run, such as the name of a file."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _known(value: float) -> float | None:
    return float(value) if value == value else None


def _schema(columns: Columns) -> pyarrow.Schema:
    import pyarrow

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    return pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])


@contextmanager
def _whole(path: Path, manifest: Manifest) -> Iterator[Path]:
    """A temporary file that becomes `path` when all has been written."""
    try:
        with manifest.replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise cannot_be_written(path, error) from error
