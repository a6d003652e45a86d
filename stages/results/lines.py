"""Reads results.jsonl and account.jsonl line by line, and says which line is not what facepipe writes."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..decimals import are_numbers
from ..errors import FacepipeError
from ..frames import Face
from ..protocol import limits
from .jsonl import faces_of
from .reading import LINE_BYTES, open_plain

_BEGINS = b'{"source": '


class NotALine(FacepipeError):
    """A line that facepipe has not written."""

    def __init__(self, path: Path, number: int, what: str):
        super().__init__(f"{path}:{number} is {what}.")
        self.path, self.number, self.what = path, number, what


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
    begins: int = 0  # where it begins in the file, in bytes
    ends: int = 0


@dataclass(frozen=True, slots=True)
class DropEntry:
    """What is not in the results, and why."""

    what: str  # "dropped" | "given up"
    first: int  # frames, both included
    last: int
    stage: str
    reason: str


def lines_of(
    path: Path, begins: int = 0, number: int = 0, exact: bool = False
) -> Generator[Line, None, tuple[int, bool]]:
    """Every whole line from a byte on, before which there are `number` lines; `exact`: as a run writes it.

    Returns how many lines there are, and whether the beginning of another one follows: a process that is killed while
    it writes leaves that. Raises `NotALine` and `OSError`.
    """
    with open_plain(path) as lines:
        lines.seek(begins)
        while text := lines.readline(LINE_BYTES):
            if not text.endswith(b"\n"):
                if not _is_torn(text):
                    raise NotALine(path, number + 1, "no line of results")
                return number, True
            number += 1
            line = _line(path, number, text, begins, begins + len(text))
            if exact and not (text.startswith(_BEGINS) and text.endswith(b"}\n")):
                raise NotALine(path, number, "not as it was written")  # Other line ends, or a mark of its encoding.
            yield line
            begins += len(text)
    return number, False


def drops_in(path: Path) -> Iterator[DropEntry]:
    """The lines of an account.jsonl, none where nothing was lost; a torn last one is left out.

    Raises `NotALine` and `OSError`.
    """
    try:
        lines = open_plain(path)
    except FileNotFoundError:
        return
    with lines:
        number = 0
        while (text := lines.readline(LINE_BYTES)).endswith(b"\n"):
            number += 1
            yield _drop_entry(path, number, text)
        if len(text) >= LINE_BYTES:
            raise NotALine(path, number + 1, "no line of an account")


def _is_torn(text: bytes) -> bool:
    """Whether this may be the beginning of a line; after a power cut it can be zeros."""
    begins = text.startswith(_BEGINS) or _BEGINS.startswith(text) or not text.strip(b"\0")
    return len(text) < LINE_BYTES and begins


def _line(path: Path, number: int, text: bytes, begins: int, ends: int) -> Line:
    try:
        return _checked(json.loads(text, parse_constant=_refuse), begins, ends)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise NotALine(path, number, "no line of results") from None


def _drop_entry(path: Path, number: int, text: bytes) -> DropEntry:
    try:
        loss = DropEntry(**json.loads(text))
        if not all(isinstance(said, str) for said in (loss.what, loss.stage, loss.reason)):
            raise TypeError("a name is no text")
        if not all(isinstance(frame, int) and 0 <= frame <= limits.COUNT for frame in (loss.first, loss.last)):
            raise TypeError("a frame is no number")
    except (ValueError, TypeError, RecursionError):
        raise NotALine(path, number, "no line of an account") from None
    return loss


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _checked(record: dict, begins: int, ends: int) -> Line:
    faces = faces_of(record)
    time, width, height = record["time"], record["width"], record["height"]
    missing, error = record.get("missing", []), record.get("error")
    fits = (
        isinstance(record["source"], str)
        and isinstance(record["frame"], int)
        and 0 <= record["frame"] <= limits.COUNT
        and isinstance(record.get("file"), str | None)
        and (time is None or are_numbers((time,)))
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
    named = record["source"], record["frame"], record.get("file"), float(time or 0)
    return Line(*named, width, height, faces, missing, error, begins, ends)


def _is_face(face: Face) -> bool:
    fits = len(face.box) == 4 and are_numbers((*face.box, face.score)) and isinstance(face.id, int | None)
    return fits and (face.landmarks is None or _has_landmarks(face))


def _has_landmarks(face: Face) -> bool:
    numbers = *(number for point in face.landmarks for number in point), face.quality
    angles = face.pose.yaw, face.pose.pitch, face.pose.roll
    return len(face.landmarks) == 5 and are_numbers((*numbers, *angles)) and isinstance(face.unsure, bool)
