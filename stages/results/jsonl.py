"""results.jsonl: a line of JSON per frame, without times of day and durations, so that equal runs give equal bytes."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..answers import answer_from
from ..config.schema import FACE_KEYS
from ..decimals import as_json, of_json
from ..frames import Face, FinishedFrame, Pose
from .errors import OutputError, cannot_write
from .manifest import Manifest

LINE_BYTES = 10_000_000  # enough for any line of ours


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

    def write(self, frame: FinishedFrame, drawn: np.ndarray | None = None) -> None:
        """Append one line. One that does not fit on the disk leaves nothing behind, and raises OutputError."""
        text = line(frame)
        try:
            written = os.write(self._descriptor, text)
            while written < len(text):  # A disk that is nearly full takes a part; the next write says why.
                written += os.write(self._descriptor, text[written:])
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


def last_time(results: Path) -> float | None:
    """The time that the last whole line says; None where there is none. Raises OutputError."""
    try:
        with results.open("rb") as lines:
            lines.seek(-min(LINE_BYTES, lines.seek(0, os.SEEK_END)), os.SEEK_CUR)
            whole = lines.read().rpartition(b"\n")[0]
    except OSError as error:
        raise cannot_write(results, error) from error
    return json.loads(whole.rpartition(b"\n")[2])["time"] if whole else None


def line(frame: FinishedFrame) -> bytes:
    """The frame's line in UTF-8, with its end."""
    text = json.dumps(record(frame), ensure_ascii=False, allow_nan=False)
    # Names of files need not be valid text on Linux; what is not is written as JSON's own \udcXX and reads back so
    return text.encode("utf-8", "backslashreplace") + b"\n"


def record(frame: FinishedFrame) -> dict:
    """What a line says about a frame; floats are rounded to four decimals, for the reader."""
    height, width = frame.picture.pixels.shape[:2]
    written = {"source": frame.source, "frame": int(frame.frame)}
    if frame.picture.file is not None:
        written["file"] = frame.picture.file
    written |= {"time": as_json(frame.picture.time), "width": width, "height": height}
    written["faces"] = sorted(map(_face, frame.faces), key=lambda face: face["box"])
    if frame.missing:
        written["missing"] = list(frame.missing)
    if frame.error is not None:
        written["error"] = frame.error
    return written


def faces_of(record: dict) -> list[Face]:
    """The faces of a line that was read: what `record` was given, but for what rounding took away."""
    return [_read_face(face) for face in record["faces"]]


def _face(face: Face) -> dict:
    written = {} if face.id is None else {"id": face.id}
    written |= {"box": [as_json(value) for value in face.box], "score": as_json(face.score)}
    if face.landmarks is not None:
        written["landmarks"] = [[as_json(x), as_json(y)] for x, y in face.landmarks]
    if face.pose is not None:
        written["pose"] = {name: as_json(getattr(face.pose, name)) for name in _ANGLES}
    if face.quality is not None:
        written["quality"] = as_json(face.quality)
    if face.unsure:
        written["unsure"] = True
    written |= {stage: answer.to_json() for stage, answer in face.answers.items()}
    if face.smoothed:
        written["smoothed"] = {stage: answer.to_json() for stage, answer in face.smoothed.items()}
    return written


_ANGLES = ("yaw", "pitch", "roll")


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
