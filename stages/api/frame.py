"""One frame of a run, as a program is given it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..frames import Face
from ..results.jsonl import Line


@dataclass(frozen=True, slots=True, eq=False)  # eq: arrays do not compare to one bool
class Frame:
    """One picture, or one frame of a video, camera or stream, with its faces."""

    source: str  # the name of the source
    frame: int  # counts from 0 within the source
    file: str | None  # of a folder: which file, relative to it; None where the source is one file or live
    time: float  # seconds from the start of its video, or since the camera was opened; 0.0 for a picture
    clock: str | None  # of a live source: the time of day, ISO 8601 with its zone
    width: int  # pixels
    height: int  # pixels
    cut: bool  # it begins a shot of its video
    faces: list[Face]  # from left to right
    missing: list[str]  # stages whose answers were given up
    error: str | None  # why the frame could not be analysed
    image: np.ndarray | None = None  # uint8 (H, W, 3) BGR as it was read; of `stream` with `images=True`

    @classmethod
    def of(cls, line: Line, image: np.ndarray | None = None) -> Frame:
        """From what a line of results.jsonl says."""
        return cls(**{name: getattr(line, name) for name in _SAID}, image=image)

    def to_json(self) -> dict:
        """The object that is its line in results.jsonl."""
        return Line(**{name: getattr(self, name) for name in _SAID}).to_json()


_SAID = tuple(name for name in Frame.__dataclass_fields__ if name != "image")
