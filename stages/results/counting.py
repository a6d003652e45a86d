"""What can be counted in results.jsonl without reading what it says of faces: quickly, and without NumPy."""

from __future__ import annotations

import json
from pathlib import Path

from ..layout import LINE_BYTES, PIECES
from .atomic import is_plain, open_plain

FOLDERS = 1000  # of sources in a folder of results


def count_frames(path: Path, file: str, below: int) -> int:
    """How many lines there are about this file of a source and a frame below that number.

    Quick, because faces, which are most of a line, are not read. Raises `OSError`, and `ValueError`, `KeyError` or
    `TypeError` for what is no line of results.
    """
    with path.open("rb") as lines:
        heads = (json.loads(text.partition(b', "time": ')[0] + b"}") for text in lines)
        return sum(head["file"] == file and head["frame"] < below for head in heads)


def count_pictures(path: Path) -> tuple[int, int] | None:
    """How many pictures a results.jsonl is about, and in how many of them there is no face.

    None where it is about frames of a video or camera. Quick: of a line only what has to be known is looked for.
    Raises `OSError`.
    """
    pictures = without_face = 0
    with open_plain(path) as lines:
        while (text := lines.readline(LINE_BYTES)).endswith(b"\n"):
            if b', "time": 0.0, "width": ' not in text or b', "faces": [{"id": ' in text:
                return None
            pictures += 1
            without_face += b', "faces": []' in text
    return pictures, without_face


def what_is_whole(folder: Path, results: str) -> str:
    """What is left of the results of a run, in a few words: "results.jsonl holds 78 whole lines"."""
    below = sorted(path for glob in ("*", f"{PIECES}/*", f"*/{PIECES}/*") for path in folder.glob(f"{glob}/{results}"))
    paths = [folder / results, *below[:FOLDERS]]
    held = [(path.relative_to(folder), _whole_lines(path)) for path in paths if is_plain(path)]
    return " and ".join(f"{name} holds {counted_lines(count)}" for name, count in held) or f"there is no {results}"


def counted_lines(count: int) -> str:
    return f"{count} whole line{'' if count == 1 else 's'}"


def _whole_lines(path: Path) -> int:
    count = 0
    try:
        with open_plain(path) as lines:
            while (text := lines.readline(LINE_BYTES)).endswith(b"\n"):
                count += _is_record(text)
    except OSError:
        return count
    return count


def _is_record(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
