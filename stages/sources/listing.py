"""The files of a folder or a glob, and how they are pinned: fixed when a run begins, whatever comes and goes later.

A pin is a row of name below the root, size, and time of the last change; it stands in run.json.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from ..layout import ANNOTATED, LOCK, MANIFEST, PORTRAITS, RESULTS
from .spec import is_pattern, path_of

_OF_OUTPUT = (MANIFEST, LOCK, RESULTS)  # one of them lies in every output folder

Pin = list  # [name, size, mtime_ns], or None for both where there is no such file


@dataclass(frozen=True, slots=True)
class Pinned:
    """The files that a run was begun with."""

    names: list[str]  # below the root, in the order of reading
    # How many frames below a number a file has had, from the results; None where they cannot be seen from here.
    frames_of: Callable[[str, int], int | None] = lambda file, below: None


@dataclass(frozen=True, slots=True)
class Listing:
    """The files that a folder or a glob stands for now, in natural order."""

    root: Path
    files: list[Path]

    @classmethod
    def of(cls, spec: str | int) -> Listing | None:
        """None where the source is no list. Raises `OSError` for a folder that cannot be read."""
        path = path_of(spec)
        if path is not None and os.path.isdir(path):
            return cls.of_folder(Path(path))
        return cls.of_pattern(path) if is_pattern(spec) else None

    @classmethod
    def of_folder(cls, folder: Path) -> Listing:
        """The files directly in the folder, hidden ones left alone."""
        return cls(folder, sorted(set(_files(folder, _in_folder(folder))), key=natural))

    @classmethod
    def of_pattern(cls, pattern: str) -> Listing:
        """The files that match, `**` going through folders; the root is the last folder before a wildcard."""
        root, parts = _split(pattern)
        return cls(root, sorted(set(_files(root, _matches(root, parts))), key=natural))

    def pins(self) -> list[Pin]:
        """The files as they are now."""
        return [pin(self.root, path.relative_to(self.root).as_posix()) for path in self.files]


def holds(spec: str, suffixes: Container[str]) -> bool:
    """Whether a folder or a glob stands for a file whose name ends so; looked for no further than the first.

    Raises `OSError` for a folder that cannot be read.
    """
    root, parts = _split(path_of(spec))
    found = _matches(root, parts) if is_pattern(spec) else _in_folder(root)
    return any(path.suffix.lower() in suffixes for path in _files(root, found))


def root_of(spec: str) -> Path:
    """The folder that names in pins count from."""
    path = path_of(spec)
    return Path(path) if os.path.isdir(path) and not is_pattern(spec) else _split(path)[0]


def pin(root: Path, name: str) -> Pin:
    """One file as it is now."""
    try:
        found = os.stat(root / name)
    except OSError:
        return [name, None, None]
    return [name, found.st_size, found.st_mtime_ns]


def changed_since(root: Path, pins: list[Pin]) -> str | None:
    """The name of the first file that was replaced or changed since; one that has gone is not one of them."""
    now = (pin(root, name) for name, _, _ in pins)
    return next((was[0] for was, is_ in zip(pins, now, strict=True) if is_[1] is not None and is_ != was), None)


def natural(path: Path) -> list:
    """Sorts img2 before img10, and capitals beside small letters."""
    folded = [
        [(int(p), "") if p.isdecimal() else (-1, p) for p in re.split(r"(\d+)", part.casefold())] for part in path.parts
    ]
    return [folded, str(path)]


def _split(pattern: str) -> tuple[Path, tuple[str, ...]]:
    """The last folder before a wildcard, and what has to match below it."""
    parts = Path(pattern).parts
    fixed = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:fixed]), parts[fixed:]


def _files(root: Path, found: Iterable[Path]) -> Iterator[Path]:
    """Those of them that are files, and no outputs of runs."""
    own = _Outputs(root)
    return (path for path in found if path.is_file() and not own.has(path))


def _in_folder(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _matches(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """What matches below a folder."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        while rest and rest[0] == "**":
            rest = rest[1:]
        for below in _folders(folder):
            yield from _matches(below, rest or ("*",))
    elif not glob.has_magic(part):
        yield from _matches(folder / part, rest) if rest else [folder / part]
    else:
        fits = re.compile(translate(os.path.normcase(part))).match
        for entry in _entries(folder):
            if fits(os.path.normcase(entry.name)) and (part.startswith(".") or not entry.name.startswith(".")):
                if not rest:
                    yield folder / entry.name
                elif _is_folder(entry):
                    yield from _matches(folder / entry.name, rest)


def _folders(top: Path) -> Iterator[Path]:
    """A folder and all below it, each real one once: links may lead up, and several to one place."""
    own, linked, seen = [top], [], set()
    while own or linked:
        folder = own.pop() if own else linked.pop(0)  # Links last: a file is called by its own path, if it has one.
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        yield folder
        for entry in sorted(_entries(folder), key=lambda entry: entry.name):
            if not entry.name.startswith(".") and _is_folder(entry):
                (linked if entry.is_symlink() else own).append(folder / entry.name)


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # Not allowed to look, or it has just gone: as in a shell, nothing in it matches.
        return []


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


class _Outputs:
    """What runs made of pictures and videos, which is not read again; unless a person names that very folder."""

    def __init__(self, root: Path):
        self._folders: dict[str, bool] = {}
        self._is_named = self._is_output(os.path.realpath(root))

    def has(self, path: Path) -> bool:
        return not self._is_named and self._is_output(os.path.dirname(os.path.realpath(path)))

    def _is_output(self, folder: str) -> bool:
        """Whether a real folder is, or lies in, the folder `annotated` or `portraits` of an output folder."""
        if folder not in self._folders:
            above, name = os.path.split(folder)
            is_made = name in (ANNOTATED, PORTRAITS)
            marked = is_made and any(os.path.lexists(os.path.join(above, mark)) for mark in _OF_OUTPUT)
            self._folders[folder] = marked or (above != folder and self._is_output(above))
        return self._folders[folder]
