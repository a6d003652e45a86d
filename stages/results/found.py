"""What was found in a picture, for the terminal of who asked about one."""

from __future__ import annotations

import json
from pathlib import Path

from ..view.overlay.labels import lines_about
from .jsonl import faces_of

FACES = 10  # that are told


def found_in(results: Path) -> list[str]:
    """A line for each face of the one picture in a results.jsonl, from left to right.

    Nothing where there are other pictures, or frames of a video, and where the picture could not be analysed.
    """
    try:
        with results.open("rb") as lines:
            record, is_one = json.loads(lines.readline()), not lines.readline()
    except (OSError, ValueError):
        return []
    faces = faces_of(record)
    is_still = record["time"] == 0 and all(face.id is None for face in faces)  # Faces of a video are followed.
    if not (is_one and is_still) or "error" in record:
        return []
    said = [", ".join(line.text for line in lines_about(face, None)) for face in faces[:FACES]]
    if len(faces) > FACES:
        said.append(f"and {len(faces) - FACES} more")
    return said
