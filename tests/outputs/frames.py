"""Frames for the tests of the outputs."""

from __future__ import annotations

import numpy as np

from stages.core.frames import Age, Classes, Face, FinishedFrame, Picture

ANSWERS = {
    "gender": Classes("woman", 0.97, {"man": 0.03, "woman": 0.97}),
    "emotion": Classes("happy", 0.91, {"angry": 0.09, "happy": 0.91}),
    "age": Age(31.2, 25.0, 38.0, "30-39"),
}


def face(x: float, y: float, side: float, **more) -> Face:
    return Face((x, y, side, side), 0.98, ANSWERS | more)


def flat(width: int, height: int, grey: int = 128) -> np.ndarray:
    return np.full((height, width, 3), grey, np.uint8)


def frame(number: int = 0, pixels: np.ndarray | None = None, faces: list[Face] | None = None, **more) -> FinishedFrame:
    """A frame of clip.mp4 at 25 frames a second; time, rate and file may be given."""
    pixels = flat(64, 48) if pixels is None else pixels
    picture = Picture(pixels, more.pop("time", number / 25), more.pop("rate", 25.0), more.pop("file", None))
    return FinishedFrame(more.pop("source", "clip.mp4"), number, picture, faces or [], **more)
