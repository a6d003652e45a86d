"""results.jsonl: a line of JSON per frame. Of a file it has no times of day: equal runs give equal bytes."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from .. import time_of_day
from ..answers import answer_from
from ..config.schema import FACE_KEYS
from ..decimals import are_numbers, as_json, of_json
from ..frames import Face, FinishedFrame, Pose
from ..layout import LINE_BYTES
from ..protocol import limits
from .atomic import open_plain, write_all
from .errors import NotALine, OutputError, cannot_write
from .manifest import Manifest

_BEGINS = b'{"source": '
_ANGLES = ("yaw", "pitch", "roll")


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
    cut: bool = False  # it begins a shot of its video
    begins: int = 0  # where it begins in the file, in bytes
    ends: int = 0
    clock: str | None = None  # of a live source: the time of day, as in `time_of_day`
    doubtful: tuple[tuple[float, float, float, float], ...] = ()  # boxes of what may be a face, and was hidden as one

    @classmethod
    def of_json(cls, written: dict) -> Line:
        """The inverse of `to_json`; raises `KeyError`, `TypeError` and `ValueError` for what is no line."""
        return _checked(written, 0, 0)

    def to_json(self) -> dict:
        """The object that the line is; floats are rounded to four decimals, for the reader."""
        written = {"source": self.source, "frame": self.frame}
        if self.file is not None:
            written["file"] = self.file
        written["time"] = as_json(self.time)
        if self.clock is not None:
            written["clock"] = self.clock
        written |= {"width": self.width, "height": self.height}
        if self.cut:
            written["cut"] = True
        written["faces"] = sorted((face.to_json() for face in self.faces), key=lambda face: face["box"])
        if self.doubtful:
            written["doubtful"] = sorted([as_json(value) for value in box] for box in self.doubtful)
        if self.missing:
            written["missing"] = list(self.missing)
        if self.error is not None:
            written["error"] = self.error
        return written


class JsonLines:
    """Appends frames to a file. A process killed at any moment leaves whole lines: each is one write of the system."""

    def __init__(self, path: Path, append: bool = False, manifest: Manifest | None = None):
        """Open `path`, empty unless `append`; raises OutputError, and `ForeignFile` for one that is not ours."""
        self._path, self._manifest = path, manifest or Manifest(path.parent)
        try:
            goes_on = append and os.path.lexists(path)
            self._descriptor: int | None = (self._manifest.reopen if goes_on else self._manifest.create)(path)
            self.size = os.fstat(self._descriptor).st_size  # bytes, all of them whole lines
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, frame: FinishedFrame) -> None:
        """Append one line. One that does not fit on the disk leaves nothing behind, and raises OutputError."""
        text = line(frame)
        try:
            write_all(self._descriptor, text)
        except OSError as error:
            with contextlib.suppress(OSError):  # A device has no length to cut; the sentence below is what matters.
                os.ftruncate(self._descriptor, self.size)
            raise cannot_write(self._path, error) from error
        self.size += len(text)

    def check(self) -> None:
        """Raise `OutputError` where what was written was taken away."""
        if how := self.lost():
            raise OutputError(f"{self._path} {how}; these results are not whole: run it again with --replace.")

    def lost(self) -> str | None:
        """What was done to the file while it was written; None where what was written is there."""
        held = os.fstat(self._descriptor)
        if not stat.S_ISREG(held.st_mode):
            return None  # A device.
        try:
            there = os.lstat(self._path)
        except OSError:
            return "was removed or moved away while it was written"
        if (there.st_ino, there.st_dev) != (held.st_ino, held.st_dev):
            return "was replaced by another file while it was written"
        if held.st_size != self.size:
            return f"was {'cut' if held.st_size < self.size else 'written to'} by somebody else while it was written"
        return None

    def close(self) -> None:
        """Close it; raises `OutputError`, also where not all that was written is there."""
        if self._descriptor is None:
            return
        try:
            self.check()
        finally:
            self._close()

    def _close(self) -> None:
        is_there = self.lost() is None
        descriptor, self._descriptor = self._descriptor, None
        try:
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):  # A device cannot be synced.
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if is_there:
                self._manifest.complete(self._path)
        except OSError as error:  # A network's file system may say only now that it lost something.
            raise cannot_write(self._path, error) from error


def as_line(frame: FinishedFrame) -> Line:
    """What the line of a frame says; its numbers are those of the frame, rounded or not."""
    height, width = frame.picture.pixels.shape[:2]
    clock = None if frame.picture.clock is None else time_of_day.written(frame.picture.clock)
    named = frame.source, int(frame.frame), frame.picture.file, frame.picture.time
    said = frame.faces, frame.missing, frame.error, frame.picture.cut
    return Line(*named, width, height, *said, clock=clock, doubtful=tuple(frame.doubtful))


def line(frame: FinishedFrame) -> bytes:
    """The frame's line in UTF-8, with its end."""
    text = json.dumps(record(frame), ensure_ascii=False, allow_nan=False)
    # Names of files need not be valid text on Linux; what is not is written as JSON's own \udcXX and reads back so
    return text.encode("utf-8", "backslashreplace") + b"\n"


def record(frame: FinishedFrame) -> dict:
    """What a line says about a frame."""
    return as_line(frame).to_json()


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
            try:
                said = parsed(text, begins)
            except ValueError:
                raise NotALine(path, number, "no line of results") from None
            if exact and not (text.startswith(_BEGINS) and text.endswith(b"}\n")):
                raise NotALine(path, number, "not as it was written")  # Other line ends, or a mark of its encoding.
            yield said
            begins += len(text)
    return number, False


def parsed(text: bytes, begins: int = 0) -> Line:
    """What one line says, which begins at that byte of its file; raises `ValueError` for what is no line of results."""
    try:
        return _checked(json.loads(text, parse_constant=_refuse), begins, begins + len(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError("no line of results") from error


def _is_torn(text: bytes) -> bool:
    """Whether this may be the beginning of a line; after a power cut it can be zeros."""
    begins = text.startswith(_BEGINS) or _BEGINS.startswith(text) or not text.strip(b"\0")
    return len(text) < LINE_BYTES and begins


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _checked(record: dict, begins: int, ends: int) -> Line:
    faces = [_read_face(face) for face in record["faces"]]
    time, width, height = record["time"], record["width"], record["height"]
    doubtful = tuple(tuple(map(of_json, box)) for box in record.get("doubtful", ()))
    missing, error, cut = record.get("missing", []), record.get("error"), record.get("cut", False)
    if (clock := record.get("clock")) is not None:
        time_of_day.read(clock)
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
        and isinstance(cut, bool)
        and all(map(_is_face, faces))
        and all(len(box) == 4 and are_numbers(box) for box in doubtful)
    )
    if not fits:
        raise ValueError("a value is of another type")
    named = record["source"], record["frame"], record.get("file"), float(time or 0)
    return Line(*named, width, height, faces, missing, error, cut, begins, ends, clock, doubtful)


def _is_face(face: Face) -> bool:
    fits = len(face.box) == 4 and are_numbers((*face.box, face.score)) and isinstance(face.id, int | None)
    return fits and (face.landmarks is None or _has_landmarks(face))


def _has_landmarks(face: Face) -> bool:
    numbers = *(number for point in face.landmarks for number in point), face.quality
    angles = face.pose.yaw, face.pose.pitch, face.pose.roll
    return len(face.landmarks) == 5 and are_numbers((*numbers, *angles)) and isinstance(face.unsure, bool)


def _read_face(face: dict) -> Face:
    answers = {stage: answer_from(answer) for stage, answer in face.items() if stage not in FACE_KEYS}
    smoothed = {stage: answer_from(answer) for stage, answer in face.get("smoothed", {}).items()}
    read = Face(tuple(map(of_json, face["box"])), of_json(face["score"]), answers, face.get("id"), smoothed)
    if "landmarks" not in face:
        return read
    return replace(
        read,
        landmarks=tuple((of_json(x), of_json(y)) for x, y in face["landmarks"]),
        pose=Pose(*(of_json(face["pose"][name]) for name in _ANGLES)),
        quality=of_json(face["quality"]),
        unsure=face.get("unsure", False),
    )
