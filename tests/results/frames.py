"""Frames for the tests of the outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.answers import Age, Classes
from stages.frames import Face, FinishedFrame, Picture, Pose

ANSWERS = {
    "gender": Classes("woman", 0.97, {"man": 0.03, "woman": 0.97}),
    "emotion": Classes("happy", 0.91, {"angry": 0.09, "happy": 0.91}),
    "age": Age(31.2, 25.0, 38.0, "30-39"),
}


def face(x: float, y: float, side: float, **more) -> Face:
    return Face((x, y, side, side), 0.98, ANSWERS | more)


def seen(of_face: Face, quality: float = 0.8, unsure: bool = False) -> Face:
    """The same as a detector with landmarks finds it, which lie at whole tenths of the box."""
    x, y, side, _ = of_face.box
    places = (0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.3, 0.7), (0.7, 0.7)
    points = tuple((x + side * right, y + side * down) for right, down in places)
    return replace(of_face, landmarks=points, pose=Pose(12.5, -3.0, 20.0), quality=quality, unsure=unsure)


def flat(width: int, height: int, grey: int = 128) -> np.ndarray:
    return np.full((height, width, 3), grey, np.uint8)


def frame(number: int = 0, pixels: np.ndarray | None = None, faces: list[Face] | None = None, **more) -> FinishedFrame:
    """A frame of clip.mp4 at 25 frames a second; time, rate, file and cut may be given."""
    pixels = flat(64, 48) if pixels is None else pixels
    time_s, rate = more.pop("time", number / 25), more.pop("rate", 25.0)
    picture = Picture(pixels, time_s, rate, more.pop("file", None), more.pop("cut", False))
    return FinishedFrame(more.pop("source", "clip.mp4"), number, picture, faces or [], **more)
