"""What was found in photographs, for the terminal: a line for each face, and where in the picture it is."""

from __future__ import annotations

from pathlib import Path

from ..frames import Face
from ..results.counting import count_pictures
from ..results.errors import NotALine
from ..results.jsonl import Line, lines_of

LISTED = 20  # faces and pictures without any, a line each; the others are counted
_ACROSS, _DOWN = ("left", "centre", "right"), ("top", "middle", "bottom")
_DOUBTED = "unsure, because it is too small, blurred, dark or turned away"


def found_in(results: Path) -> list[str]:
    """A line for each face of the pictures in a results.jsonl, and of several pictures one about all of them.

    Faces have numbers from left to right. Nothing where the results are of a video or camera, or cannot be read.
    """
    try:
        counted = count_pictures(results)
        if not counted or not counted[0]:
            return []
        said, faces = [], 0
        for line in lines_of(results):
            faces += len(line.faces)
            if len(said) <= LISTED:
                said += _about(line, of_several=counted[0] > 1)
    except (OSError, NotALine):
        return []
    if len(said) > LISTED:
        said = [*said[: LISTED - 1], "..."]
    return [*said, _sum(*counted, faces)] if counted[0] > 1 else said


def _sum(pictures: int, without_face: int, faces: int) -> str:
    where = f" in {pictures - without_face} of them" if faces and without_face else ""
    return f"{pictures} pictures: {faces or 'no'} face{'s' * (faces != 1)}{where}"


def _about(line: Line, of_several: bool) -> list[str]:
    name = line.source if line.file is None else line.file
    before = f"{name}: " if of_several else ""
    if line.error is not None:
        return [f"{name} was not analysed: {line.error}"]
    if not line.faces:
        return [f"{name}: no face" if of_several else f"No face was found in {name}."]
    places = _places(line)
    return [f"{before}face {n}{place}: {_said(face, line.missing)}" for n, (face, place) in enumerate(places, start=1)]


def _said(face: Face, missing: list[str]) -> str:
    if face.says_unsure:
        return _DOUBTED
    said = [answer.phrase(stage) for stage, answer in face.shown.items()] + [f"no {stage}" for stage in missing]
    x, y, width, height = face.box
    return ", ".join(said) or f"{width:.0f} x {height:.0f} pixels at {x:.0f}, {y:.0f}"


def _places(line: Line) -> list[tuple[Face, str]]:
    """Each face with where it is among several: " (left)", or " (top left)" where others are above or below it."""
    if len(line.faces) == 1:
        return [(line.faces[0], "")]
    across = [_ACROSS[_third(face.box[0] + face.box[2] / 2, line.width)] for face in line.faces]
    down = [_DOWN[_third(face.box[1] + face.box[3] / 2, line.height)] for face in line.faces]
    is_one_above_another = any(len({d for a, d in zip(across, down, strict=True) if a == side}) > 1 for side in _ACROSS)
    words = [f"{d} {a}" if is_one_above_another else a for a, d in zip(across, down, strict=True)]
    return [(face, f" ({word})") for face, word in zip(line.faces, words, strict=True)]


def _third(middle: float, size: int) -> int:
    return min(2, max(0, int(3 * middle / size)))
