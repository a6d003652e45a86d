"""results.jsonl: a line of JSON per frame, without times of day and durations, so that equal runs give equal bytes."""

from __future__ import annotations

import contextlib
import json
import math
import os
from pathlib import Path

import numpy as np

from stages.core.frames import Age, Classes, Face, FinishedFrame, Value
from stages.outputs import cannot_write

_DECIMALS = 4


class JsonLines:
    """Appends frames to a file. A process killed at any moment leaves whole lines: each is one write of the system."""

    def __init__(self, path: Path, append: bool = False):
        """Open `path`, empty unless `append`; raises OutputError."""
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if append else os.O_TRUNC) | getattr(os, "O_BINARY", 0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor: int | None = os.open(path, flags, 0o666)
            self._size = os.fstat(self._descriptor).st_size  # bytes, all of them whole lines
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
                os.ftruncate(self._descriptor, self._size)
            raise cannot_write(self._path, error) from error
        self._size += len(text)

    def close(self) -> None:
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            os.close(descriptor)
        except OSError as error:  # A network's file system may say only now that it lost something.
            raise cannot_write(self._path, error) from error


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
    written |= {"time": _rounded(frame.picture.time), "width": width, "height": height}
    written["faces"] = [_face(face) for face in sorted(frame.faces, key=lambda face: tuple(face.box))]
    if frame.missing:
        written["missing"] = list(frame.missing)
    if frame.error is not None:
        written["error"] = frame.error
    return written


def _face(face: Face) -> dict:
    box = [_rounded(value) for value in face.box]
    return {"box": box, "score": _rounded(face.score)} | {stage: _answer(a) for stage, a in face.answers.items()}


def _answer(answer: Classes | Age | Value) -> dict:
    match answer:
        case Classes(label, confidence, scores):
            rounded = {name: _rounded(score) for name, score in scores.items()}
            return {"label": label, "confidence": _rounded(confidence), "scores": rounded}
        case Age(years, low, high, group):
            return {"years": _rounded(years), "low": _rounded(low), "high": _rounded(high), "group": group}
        case Value(value):
            return {"value": _rounded(value)}
    raise TypeError(f"no way to write an answer of type {type(answer).__name__}")


def _rounded(value: float) -> float | None:
    """Four decimals, and no negative zero. JSON knows neither NaN nor infinity: what is not a number becomes null."""
    value = float(value)
    return round(value, _DECIMALS) + 0.0 if math.isfinite(value) else None
