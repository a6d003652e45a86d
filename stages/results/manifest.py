"""Which files in an output folder were made by facepipe: only these are ever replaced or deleted.

`.facepipe.manifest` is a journal, a line of JSON each, appended in one write of the system and synced, so that several
processes of a run can add to it and a crash costs at most the line that was being written:

    {"opens": "results.jsonl"}                                  it will be created, and nothing had that name
    {"opened": "results.jsonl", "inode": 4711}                  it was, and is written to
    {"made": "results.jsonl", "size": 1022, "mtime_ns": ...}    it is complete; changed since, it is somebody else's
    {"made": "run.json", ..., "from": ".run.json.1f.part"}      that file gets the name now; `was`: what had it before
    {"gone": "results.jsonl"}                                   it was deleted
    {"folder": "annotated"}                                     this folder was not there, and is made
    {"moves": ".clip.mp4.parts", "to": ".clip.mp4.done"}        this folder gets that name, with all that is in it

The newest line about a path counts. A complete file is recognised by size and time of its last change, which survive
moving and copying the folder (`cp -a`, `rsync -a`); a file that was being written when a process died, by its inode.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path, PurePosixPath

from ..errors import FacepipeError
from ..layout import MANIFEST
from .atomic import (
    BINARY,
    NO_LINK,
    NO_WAIT,
    create,
    is_temporary,
    sync_file,
    sync_folder,
    temporary_beside,
    write_all,
)

LINE_BYTES = 100_000
KINDS = ("opens", "opened", "made", "gone", "folder", "moves")


class ForeignFile(FacepipeError):
    """A file in the output folder was not made by facepipe, or was changed since, and would have to be replaced."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """The newest line about a path. With neither inode nor identities, the file was about to be created."""

    inode: int | None = None
    identities: tuple[tuple[int, int], ...] = ()  # size and mtime_ns that a complete file may have

    def fits(self, path: Path) -> bool:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return False
        if self.identities:
            return (found.st_size, found.st_mtime_ns) in self.identities
        if self.inode is not None:
            return found.st_ino == self.inode
        return found.st_size == 0 or is_temporary(path)


class Manifest:
    """The manifest of one output folder. Paths given to it are absolute or relative to the current folder."""

    def __init__(self, folder: Path):
        """Nothing is read or written yet; raises `ForeignFile` later where the manifest is not one of this user."""
        self.folder = folder
        self._path = folder / MANIFEST
        self._entries: dict[str, _Entry] = {}
        self._folders: dict[str, None] = {}  # that were made here, in order
        self._size = self._read_to = self._lines = 0  # bytes and lines of the journal
        self._unreadable: int | None = None  # the first line that says nothing

    @classmethod
    def over(cls, results: Path) -> Manifest:
        """The one that knows this file: of its folder, or of the one above, where a run had several sources."""
        above = cls(results.parent.parent)
        return above if not cls(results.parent).exists() and above.is_ours(results) else cls(results.parent)

    def exists(self) -> bool:
        return os.path.lexists(self._path)

    @property
    def damage(self) -> str | None:
        """What is wrong with it, for a sentence that begins with its name; a kill leaves one line torn, too."""
        self._refresh()
        if self.exists() and not self._size:
            return "is empty"
        if self._unreadable is not None:
            return f"is damaged (line {self._unreadable} says nothing)"
        return None if self._read_to >= self._size else f"is cut off in line {self._lines + 1}"

    def files(self) -> list[Path]:
        """Every file that facepipe has made here and that is unchanged, in the order in which they were made."""
        self._refresh()
        is_inside = cache(self._is_inside)  # Asked for a hundred thousand pictures in one folder.
        return [path for name in self._entries if self._is_ours(name, path := self.folder / name, is_inside)]

    def changed(self) -> list[Path]:
        """Every file that facepipe has made here and that somebody has changed or replaced since."""
        ours = set(self.files())
        return [path for name in self._entries if (path := self.folder / name) not in ours and os.path.lexists(path)]

    def foreign_in(self, folder: Path) -> Iterator[Path]:
        """Every file below a folder whose name facepipe has never made here."""
        self._refresh()
        for above, _, names in os.walk(folder):
            yield from (path for name in names if self._name(path := Path(above, name)) not in self._entries)

    def is_ours(self, path: Path) -> bool:
        """Whether facepipe has made this file, and nobody has changed it since; False where there is none."""
        self._refresh()
        return self._is_ours(self._name(path), path, self._is_inside)

    def has_made(self, path: Path) -> bool:
        """Whether facepipe has made a file of this name, whatever has become of it."""
        self._refresh()
        return self._name(path) in self._entries

    def _is_ours(self, name: str | None, path: Path, is_inside: Callable[[Path], bool]) -> bool:
        entry = None if name is None else self._entries.get(name)
        try:
            return entry is not None and is_inside(path.parent) and entry.fits(path)
        except (OSError, ValueError):  # There is none, or its name cannot be one.
            return False

    def create(self, path: Path, mode: int = 0o666) -> int:
        """Create a file of ours that grows, and return its descriptor for writing; `complete` when it is closed.

        A file of ours that has this name is deleted first, and the folders are made that it lies in. Raises
        `ForeignFile` where somebody else's has it, and `OSError`.
        """
        self.make_way(path)
        self.make_folders(path.parent)
        self._append({"opens": self._name(path)})
        descriptor = create(path, mode)
        self._append({"opened": self._name(path), "inode": os.fstat(descriptor).st_ino})
        return descriptor

    def reopen(self, path: Path) -> int:
        """Open a file of ours, to append to it, and return its descriptor; raises `ForeignFile` and `OSError`."""
        self.opens_again(path)
        return os.open(path, os.O_WRONLY | os.O_APPEND | NO_LINK | BINARY)

    def opens_again(self, path: Path) -> None:
        """Note that a file of ours will be changed; raises `ForeignFile` and `OSError`."""
        self.refuse_foreign(path)
        inode = os.lstat(path).st_ino
        if self._entries[self._name(path)].inode != inode:
            self._append({"opened": self._name(path), "inode": inode})

    def complete(self, path: Path) -> None:
        """Note that a file that was opened is whole: from now on a change to it is not ours.

        Raises `ForeignFile` where somebody has put another one in its place, and `OSError`.
        """
        self.refuse_foreign(path)
        self._append({"made": self._name(path), **_identity(os.lstat(path))})

    def make_folders(self, folder: Path) -> None:
        """Make a folder, and those above it, where they are not there; raises `ForeignFile` and `OSError`."""
        if os.path.abspath(folder) == os.path.abspath(self.folder):
            folder.mkdir(parents=True, exist_ok=True)
            return
        self.make_folders(folder.parent)
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise
            return
        self._append({"folder": self._name(folder)}, durable=False)

    def move_folder(self, folder: Path, to: Path) -> None:
        """Give a folder another name within the same one; what is ours in it stays ours. Raises `OSError`."""
        self._append({"moves": self._name(folder), "to": self._name(to)})
        os.rename(folder, to)

    def remove_folders(self) -> None:
        """Remove the folders that were made here and are empty."""
        self._refresh()
        for name in sorted(self._folders, key=lambda name: -name.count("/")):
            with contextlib.suppress(OSError):  # It holds something else, or is gone.
                os.rmdir(self.folder / name)

    def write(self, path: Path, content: bytes, durable: bool = True) -> None:
        """Create or replace a file of ours as a whole; raises `ForeignFile` and `OSError`, the old file stays then."""
        with self.replacing(path, durable) as temporary, temporary.open("wb", buffering=0) as file:
            write_all(file.fileno(), content)

    @contextlib.contextmanager
    def replacing(self, path: Path, durable: bool = True) -> Iterator[Path]:
        """An empty file to write to, which replaces a file of ours at the end, or is gone if that is an exception.

        Raises `ForeignFile` and `OSError`.
        """
        self.refuse_foreign(path)
        self.make_folders(path.parent)
        temporary = temporary_beside(path)
        self._append({"opens": self._name(temporary)}, durable=False)
        try:
            os.close(create(temporary))
            yield temporary
            if durable:
                sync_file(temporary)
            self.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        if durable:
            sync_folder(path.parent)

    def rename(self, made: Path, path: Path) -> None:
        """Give a complete file its name, in place of a file of ours that has it; raises `ForeignFile`, `OSError`."""
        self.refuse_foreign(path)
        # Said before it happens, with what is there until then: killed in between, either file is known.
        entry = _identity(os.lstat(made))
        was = {"was": list(_identity(os.lstat(path)).values())} if os.path.lexists(path) else {}
        self._append({"made": self._name(path), **entry, "from": self._name(made), **was})
        os.replace(made, path)

    def make_way(self, path: Path) -> None:
        """Delete a file of ours that has this name; raises `ForeignFile` where somebody else's has it."""
        self.refuse_foreign(path)
        self.remove(path)

    def remove(self, path: Path) -> bool:
        """Delete a file if it is ours; returns whether it was. Raises `OSError`."""
        if not self.is_ours(path):
            return False
        os.unlink(path)
        self._append({"gone": self._name(path)})
        return True

    def remove_temporaries(self, folder: Path) -> None:
        """Delete what processes that were killed while they wrote a file have left in a folder and those below it."""
        for path in self.files():
            if is_temporary(path) and path.is_relative_to(folder):
                self.remove(path)

    def set_aside(self, path: Path) -> Path | None:
        """Give another name to a file that was made here and changed since; one that holds nothing is deleted.

        Returns the new path, None where there is none. Raises `OSError`.
        """
        if not self.has_made(path) or not os.path.lexists(path) or self.is_ours(path):
            return None
        if size := os.lstat(path).st_size:
            names = (f"{path.stem}-changed{f'-{n}' if n > 1 else ''}{path.suffix}" for n in count(1))
            kept = next(kept for name in names if not os.path.lexists(kept := path.with_name(name)))
            os.rename(path, kept)
        else:
            os.unlink(path)
        self._append({"gone": self._name(path)})
        return kept if size else None

    def refuse_foreign(self, path: Path) -> None:
        """Raise `ForeignFile` where `path` is there and not ours."""
        if self._name(path) is None or not self._is_inside(path.parent):
            raise ForeignFile(f"{path} leads out of {self.folder} by a link; remove it, or write to another folder.")
        if os.path.lexists(path) and not self.is_ours(path):
            raise ForeignFile(
                f"{path} was not written by facepipe, or was changed since; move it away, or write to another folder."
            )

    def _name(self, path: Path) -> str | None:
        """The path relative to the folder, with slashes; None for one outside."""
        relative = os.path.relpath(os.path.abspath(path), os.path.abspath(self.folder)).replace(os.sep, "/")
        return None if relative == ".." or relative.startswith("../") else relative

    def _is_inside(self, folder: Path) -> bool:
        """Whether no link on the way to a folder leads out of this one."""
        return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self.folder))

    def _append(self, entry: dict, durable: bool = True) -> None:
        text = json.dumps(entry).encode() + b"\n"
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | NO_LINK | BINARY
        descriptor = os.open(self._path, flags, 0o644)
        try:
            if os.fstat(descriptor).st_size:
                os.lseek(descriptor, -1, os.SEEK_END)
                if os.read(descriptor, 1) != b"\n":  # The torn line of a process that was killed.
                    text = b"\n" + text
            write_all(descriptor, text)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _refresh(self) -> None:
        """Read what this process and others have added."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | NO_LINK | NO_WAIT | BINARY)
        except (FileNotFoundError, NotADirectoryError):
            self._forget()
            return
        except OSError as error:
            raise ForeignFile(f"{self._path} cannot be read: {error.strerror}; write to another folder.") from None
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise ForeignFile(f"{self._path} is no regular file; move it away, or write to another folder.")
        with os.fdopen(descriptor, "rb") as lines:
            self._refuse_of_others(found)
            if found.st_size < self._read_to:  # Deleted meanwhile, and begun anew.
                self._forget()
            self._size = found.st_size
            lines.seek(self._read_to)
            while (line := lines.readline(LINE_BYTES)).endswith(b"\n") or len(line) == LINE_BYTES:
                self._read_to += len(line)
                self._lines += 1
                if not self._take(line) and self._unreadable is None:
                    self._unreadable = self._lines

    def _forget(self) -> None:
        self._entries, self._folders, self._unreadable = {}, {}, None
        self._size = self._read_to = self._lines = 0

    def _refuse_of_others(self, found: os.stat_result) -> None:
        # It decides what is deleted: one that somebody else can write would delete what they like.
        if hasattr(os, "geteuid") and found.st_uid not in (os.geteuid(), 0):
            raise ForeignFile(
                f"{self._path} belongs to another user, so what it says of this folder is not believed; write to"
                " another folder."
            )

    def _take(self, line: bytes) -> bool:
        """Heed a line; returns whether it says anything."""
        try:
            entry = json.loads(line)
            [(kind, name)] = [(k, entry[k]) for k in KINDS if k in entry]
            if not _is_plain(name):
                return False
            if kind == "folder":
                self._folders[name] = None
                return True
            if kind == "moves":
                self._take_move(name, entry["to"])
                return True
            self._entries.pop(name, None)
            if "from" in entry and not os.path.lexists(self.folder / entry["from"]):
                self._entries.pop(entry["from"], None)  # Else a kill came before the file got its name.
            if kind == "opens":
                self._entries[name] = _Entry()
            elif kind == "opened":
                self._entries[name] = _Entry(inode=int(entry["inode"]))
            elif kind == "made":
                identities = (entry["size"], entry["mtime_ns"]), entry.get("was")
                self._entries[name] = _Entry(identities=tuple(tuple(map(int, i)) for i in identities if i))
        except (ValueError, KeyError, TypeError, RecursionError):
            return False  # A line that was torn and gone on with: of what it said nothing is known.
        return True

    def _take_move(self, folder: str, to: object) -> None:
        """What is in a folder has two names from now on: whether it has moved is seen by where it is."""
        if not _is_plain(to):
            return
        for names in (self._entries, self._folders):
            inside = [name for name in names if name == folder or name.startswith(f"{folder}/")]
            names.update({to + name.removeprefix(folder): names[name] for name in inside})


def _identity(found: os.stat_result) -> dict[str, int]:
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _is_plain(name: object) -> bool:
    """Whether a name in a manifest stays inside its folder."""
    return isinstance(name, str) and not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
