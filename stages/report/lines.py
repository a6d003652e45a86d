"""Reads results.jsonl and what lies beside it, line by line, and says in a sentence what is wrong with it."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.core import limits
from stages.core.errors import FacepipeError, way_out
from stages.core.frames import Age, Answer, Classes, Face, Value
from stages.outputs.jsonl import faces_of
from stages.outputs.restore import LOSSES, RESULTS

LINE_BYTES = 10_000_000  # the largest frame that is allowed, with 256 faces, takes a tenth
FOLDERS = 1000  # of sources in a folder of results


class ResultsError(FacepipeError):
    """There are no results, or what lies there is something else."""


def cannot_be_written(path: Path, error: OSError) -> ResultsError:
    """The sentence for what the system says about a file that was to be made of results."""
    ways = {errno.ENOSPC: "make room there", errno.EDQUOT: "make room there", errno.EISDIR: "move that folder away"}
    way = ways.get(error.errno) or way_out(error, "copy the results to where you may write")
    return ResultsError(f"{path} cannot be written: {error.strerror}; {way}.")


def cannot_be_read(path: Path, error: OSError) -> ResultsError:
    """The sentence for what the system says about a file of the results."""
    way = way_out(error, "copy the results to where you may read them")
    return ResultsError(f"{path} cannot be read: {error.strerror}; {way}.")


@dataclass(frozen=True, slots=True)
class Line:
    """What a line of results.jsonl says about a frame."""

    source: str
    frame: int
    file: str | None  # of a folder
    time: float  # seconds; 0.0 where the line has none
    width: int  # pixels
    height: int
    faces: list[Face]
    missing: list[str]  # stages whose answer was given up
    error: str | None  # why the frame was not analysed


class Results:
    """The lines of one source. They may be read any number of times, and are never held."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / RESULTS
        self.is_torn = False  # found out by reading: the last line breaks off
        if not self.path.is_file():
            raise ResultsError(f"{folder} has no {RESULTS}; write the folder that a run has left, such as out.")

    def __iter__(self) -> Iterator[Line]:
        """Every whole line; raises `ResultsError` at one that is not what facepipe writes, and where there is none."""
        number = 0
        try:
            with self.path.open("rb") as lines:
                while text := lines.readline(LINE_BYTES):
                    if not text.endswith(b"\n"):
                        self._break_off(number, text)
                        break
                    number += 1
                    yield self._line(number, text)
        except OSError as error:
            raise cannot_be_read(self.path, error) from error
        if number == 0:
            raise ResultsError(f"{self.path} holds no frame: the run ended before its first one; run it again.")

    def _break_off(self, number: int, text: bytes) -> None:
        """A process that was killed while it wrote leaves the beginning of a line."""
        if len(text) >= LINE_BYTES or (number == 0 and not text.startswith(b'{"source": ')):
            raise self._foreign(number + 1)
        self.is_torn = True

    def _line(self, number: int, text: bytes) -> Line:
        try:
            return _checked(json.loads(text, parse_constant=_refuse))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            raise self._foreign(number) from None

    def _foreign(self, number: int) -> ResultsError:
        return ResultsError(f"{self.path}:{number} is no line of results; write a folder that facepipe has left.")


def results_in(folder: Path) -> list[Results]:
    """Of every source in the folder of a run; raises `ResultsError` where there are none."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "is not there"
        raise ResultsError(f"{folder} {what}; write the folder that a run has left, such as out.")
    if (folder / RESULTS).is_file():
        return [Results(folder)]
    each = sorted(path.parent for path in folder.glob(f"*/{RESULTS}"))[:FOLDERS]
    return [Results(path) for path in each] or [Results(folder)]


@dataclass(frozen=True, slots=True)
class Loss:
    """What is not in the results, and why."""

    what: str  # "dropped" | "given up"
    first: int  # frames, both included
    last: int
    stage: str
    reason: str


def losses_of(folder: Path) -> Iterator[Loss]:
    """The lines of account.jsonl; none where nothing was lost. A torn last line is left out."""
    path = folder / LOSSES
    if not path.is_file():
        return
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                if not text.endswith(b"\n"):
                    return
                yield _loss(f"{path}:{number}", text)
    except OSError as error:
        raise cannot_be_read(path, error) from error


def _loss(where: str, text: bytes) -> Loss:
    try:
        loss = Loss(**json.loads(text))
        if not all(isinstance(said, str) for said in (loss.what, loss.stage, loss.reason)):
            raise TypeError("a name is no text")
        if not all(isinstance(frame, int) and 0 <= frame <= limits.COUNT for frame in (loss.first, loss.last)):
            raise TypeError("a frame is no number")
    except (ValueError, TypeError, RecursionError):
        raise ResultsError(f"{where} is no line of an account; delete the file.") from None
    return loss


def said_in(path: Path) -> dict:
    """What summary.json or run.json says; nothing where the run was broken off before it was written."""
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def summary_in(path: Path) -> dict:
    """What summary.json says, if it is one."""
    said = said_in(path)
    sources, notes, failure = said.get("sources", []), said.get("notes", []), said.get("failure")
    counts = [said.get(name, {}) for name in ("busy", "restarts", "replicas")]
    fits = (
        isinstance(sources, list)
        and all(map(_is_account, sources))
        and isinstance(notes, list)
        and all(isinstance(text, str) for text in [*notes, failure or ""])
        and all(map(_is_count, counts))
    )
    return said if fits else {}


def _is_account(source: object) -> bool:
    if not isinstance(source, dict) or not isinstance(source.get("source", ""), str):
        return False
    return _is_count(source.get("latency_ms", {})) and _is_count({"seconds": source.get("seconds", 0.0)})


def _is_count(numbers: object) -> bool:
    return isinstance(numbers, dict) and all(
        isinstance(value, int | float) and abs(value) < 1e12 for value in numbers.values()
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _checked(record: dict) -> Line:
    faces = faces_of(record)
    time, width, height = record["time"], record["width"], record["height"]
    missing, error = record.get("missing", []), record.get("error")
    fits = (
        isinstance(record["source"], str)
        and isinstance(record["frame"], int)
        and 0 <= record["frame"] <= limits.COUNT
        and isinstance(record.get("file"), str | None)
        and (time is None or _are_numbers((time,)))
        and isinstance(width, int)
        and isinstance(height, int)
        and 0 < width * height <= limits.PICTURE_PIXELS
        and width > 0
        and isinstance(missing, list)
        and all(isinstance(stage, str) for stage in missing)
        and isinstance(error, str | None)
        and all(map(_is_face, faces))
    )
    if not fits:
        raise ValueError("a value is of another type")
    return Line(
        record["source"], record["frame"], record.get("file"), float(time or 0), width, height, faces, missing, error
    )


def _is_face(face: Face) -> bool:
    answers = all(map(_is_answer, face.answers.values())) and all(map(_is_answer, face.smoothed.values()))
    return len(face.box) == 4 and _are_numbers((*face.box, face.score)) and answers and isinstance(face.id, int | None)


def _is_answer(answer: Answer) -> bool:
    match answer:
        case Classes(label, confidence, scores):
            return isinstance(label, str) and _are_numbers((confidence, *scores.values()))
        case Age(years, low, high, group):
            return isinstance(group, str) and _are_numbers((years, low, high))
        case Value(value):
            return _are_numbers((value,))


def _are_numbers(values: tuple) -> bool:
    """Of a size that pictures, probabilities and times have; or NaN, which is written as null. Else `TypeError`, too.

    By their sum: half of the time of a report went into looking at each.
    """
    return not abs(sum(values)) >= 1e12
