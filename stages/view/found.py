"""The faces of a single picture, for the terminal."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ..results.errors import NotALine
from ..results.jsonl import lines_of
from .overlay.labels import lines_about

FACES = 10  # that are listed


def found_in(results: Path) -> list[str]:
    """A line for each face of the one picture in a results.jsonl, from left to right.

    Nothing where there are other pictures, or frames of a video, and where the picture could not be analysed.
    """
    try:
        lines = list(islice(lines_of(results), 2))
    except (OSError, NotALine):
        return []
    is_still = len(lines) == 1 and lines[0].time == 0 and all(face.id is None for face in lines[0].faces)
    if not is_still or lines[0].error is not None:  # Faces of a video are followed.
        return []
    faces = lines[0].faces
    said = [", ".join(line.text for line in lines_about(face, None)) for face in faces[:FACES]]
    if len(faces) > FACES:
        said.append(f"and {len(faces) - FACES} more")
    return said
