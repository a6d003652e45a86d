"""Results as a run leaves them, made without one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.answers import Classes
from stages.frames import Face, FinishedFrame
from stages.results.jsonl import line
from tests.results.frames import ANSWERS, face, flat, frame
from tests.sinks.recording import recording


def followed(number: int, x: float = 10.0, emotion: str = "happy", side: float = 20.0, **more) -> Face:
    """A face with an id, of which all is said that can be."""
    scores = {"angry": 0.1, "happy": 0.1, "sad": 0.1} | {emotion: 0.8}
    answers = ANSWERS | {"emotion": Classes(emotion, 0.8, scores)} | more
    return replace(face(x, 10, side), answers=answers, id=number, smoothed=dict(answers))


def between(face: Face, *, carried_on: bool = True) -> Face:
    """The same in a frame that emotion alone is asked about."""
    kept = face.smoothed if carried_on else {"emotion": face.smoothed["emotion"]}
    return replace(face, answers={"emotion": face.answers["emotion"]}, smoothed=kept)


def written(folder: Path, frames: Iterable[FinishedFrame], torn: bytes = b"") -> Path:
    """The folder with a results.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.jsonl").write_bytes(b"".join(map(line, frames)) + torn)
    return folder


def said(folder: Path, blur: str = "none") -> Path:
    """The folder with a run.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"inputs": {"render.blur": blur}}))
    return folder


def recorded(folder: Path, frames: Iterable[FinishedFrame], **options) -> Path:
    """The folder with annotated videos and pictures too: grey ones, the face a white square with a black edge."""
    recorder = recording(folder, **options)
    for one in frames:
        recorder.write(one, picture_of(one))
    recorder.close()
    return said(folder)


def picture_of(one: FinishedFrame) -> np.ndarray:
    pixels = flat(96, 64, grey=60)
    for of_face in one.faces:
        x, y, width, height = map(round, of_face.box)
        pixels[y : y + height, x : x + width] = 230
        pixels[y + height // 2 :, x : x + width // 2][: height // 2] = 20
    return pixels


def still(number: int, file: str | None = None, **answers) -> FinishedFrame:
    """A picture of a folder, with one face."""
    file = f"{number}.png" if file is None else file
    return frame(number, flat(96, 64), [face(30, 10, 40, **answers)], rate=None, time=0.0, file=file, source="shots")


def film(number_of_frames: int, *faces: Face, **more) -> list[FinishedFrame]:
    return [frame(number, flat(96, 64), list(faces), **more) for number in range(number_of_frames)]
