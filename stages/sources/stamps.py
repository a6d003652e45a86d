"""By what it is noticed that a source is another one than when the run was begun: size and time of its files.

A run's `inputs`, which stand in run.json, hold the stamp of each source; what is read from there may be anything.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..names import as_text, names_apart
from .listing import Listing, pin, root_of
from .listing import changed_since as changed_pin
from .spec import path_of
from .urls import public


def stamp(spec: str | int) -> list | None:
    """Size and time of a source's file, by which it is noticed that it is another one now; None where it has none.

    Of a folder or a glob a row for each of its files: which ones are read, and in which order, is fixed by it.
    """
    path = path_of(spec)
    if path is None:
        return None
    try:
        if (listing := Listing.of(spec)) is not None:
            return listing.pins()
        found = os.stat(path)
    except (OSError, ValueError):  # What opening the source will complain of.
        return None
    return [found.st_size, found.st_mtime_ns]


def input_of(name: str | None, spec: str | int) -> str:
    """What a source is called in `Settings.inputs`."""
    return f"source {name or public(spec)}"


def is_pinned(stamped: object) -> bool:
    """Whether this is the stamp of several files."""
    return (
        isinstance(stamped, list) and stamped != [] and all(isinstance(row, list) and len(row) == 3 for row in stamped)
    )


def apart_in(inputs: dict, name: str | None = None) -> frozenset[str]:
    """Of the files that a source was begun with those that `names_apart` says; `name`: that of one of several sources.

    What `inputs` holds may be read from a file.
    """
    _, stamped = source_in(inputs, name)
    rows = stamped if is_pinned(stamped) else []
    return names_apart(as_text(row[0]) for row in rows if isinstance(row[0], str))


def source_in(inputs: dict, name: str | None = None) -> tuple[object, object]:
    """Which source a run was begun with, and its stamp; None where nothing says so. As `apart_in`."""
    sources = [said for key, said in inputs.items() if key.startswith("source ")]
    said = inputs.get(input_of(name, "")) or (sources[0] if len(sources) == 1 else None)
    return (said[0], said[1]) if isinstance(said, list) and len(said) == 2 else (None, None)


def unchanged_file(inputs: dict, name: str | None, file: str | None) -> Path | None:
    """The file that a frame came from, if it is there and as it was when the run was begun; `file`: of a folder."""
    spec, stamped = source_in(inputs, name)
    path = path_of(spec) if isinstance(spec, str) else None
    if path is None or not isinstance(stamped, list):
        return None
    try:
        if file is None:
            found = os.stat(path)
            return Path(path) if stamped == [found.st_size, found.st_mtime_ns] else None
        # Only this one: to list a folder anew can take minutes, and what run.json calls one may be a whole disk.
        row = next((row for row in stamped if is_pinned([row]) and as_text(str(row[0])) == file), None)
        root = root_of(spec)
        return root / row[0] if row is not None and pin(root, row[0]) == row else None
    except (OSError, ValueError):
        return None


def changed_since(spec: str | int, stamped: list | None) -> str | None:
    """What of a source is another file now than when it was stamped, and none that has gone or come; None: nothing."""
    if is_pinned(stamped):
        root = root_of(spec)
        name = changed_pin(root, stamped)
        return None if name is None else str(root / name)
    return None if stamped is None or stamped == stamp(spec) else str(spec)
