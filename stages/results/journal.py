"""The journal behind a manifest.

`.facepipe.manifest` is a journal, a line of JSON each, appended in one write of the system and synced, so that several
processes of a run can add to it and a crash costs at most the line that was being written:

    {"opens": "results.jsonl"}                                  it will be created, and nothing had that name
    {"opened": "results.jsonl", "inode": 4711}                  it was, and is written to
    {"made": "results.jsonl", "size": 1022, "mtime_ns": ...}    it is complete; changed since, it is not ours
    {"made": "run.json", ..., "from": ".run.json.1f.part"}      that file gets the name now; `was`: what had it before
    {"gone": "results.jsonl"}                                   it was deleted
    {"folder": "annotated"}                                     this folder was not there, and is made
    {"moves": ".clip.mp4.parts", "to": ".clip.mp4.done"}        this folder gets that name, with all that is in it

The newest line about a path counts. A complete file is recognised by size and time of its last change, which survive
moving and copying the folder (`cp -a`, `rsync -a`); a file that was being written when a process died, by its inode.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..layout import MANIFEST
from .atomic import BINARY, NO_LINK, NO_WAIT, is_temporary, write_all
from .errors import ForeignFile

LINE_BYTES = 100_000
KINDS = ("opens", "opened", "made", "gone", "folder", "moves")


@dataclass(frozen=True, slots=True)
class Entry:
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


class Journal:
    """What is known of the files in one folder, by their paths relative to it, with slashes."""

    def __init__(self, folder: Path):
        self._folder, self._path = folder, folder / MANIFEST
        self.entries: dict[str, Entry] = {}
        self.folders: dict[str, None] = {}  # that were made here, in order
        self._size = self._read_to = self._lines = 0  # bytes and lines
        self._unreadable: int | None = None  # the first line that says nothing

    def exists(self) -> bool:
        return os.path.lexists(self._path)

    @property
    def damage(self) -> str | None:
        """What is wrong with it, for a sentence that begins with its name; a kill leaves one line torn, too."""
        self.refresh()
        if self.exists() and not self._size:
            return "is empty"
        if self._unreadable is not None:
            return f"is damaged (line {self._unreadable} says nothing)"
        return None if self._read_to >= self._size else f"is cut off in line {self._lines + 1}"

    def append(self, entry: dict, durable: bool = True) -> None:
        """Add a line; `durable`: it is on the disk when this returns. Raises `OSError`."""
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

    def refresh(self) -> None:
        """Read what this process and others have added; raises `ForeignFile` where it is not to be believed."""
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
        self.entries, self.folders, self._unreadable = {}, {}, None
        self._size = self._read_to = self._lines = 0

    def _refuse_of_others(self, found: os.stat_result) -> None:
        # It decides what is deleted: another user who can write it could have any file deleted.
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
                self.folders[name] = None
                return True
            if kind == "moves":
                self._take_move(name, entry["to"])
                return True
            self.entries.pop(name, None)
            if "from" in entry and not os.path.lexists(self._folder / entry["from"]):
                self.entries.pop(entry["from"], None)  # Else a kill came before the file got its name.
            if kind == "opens":
                self.entries[name] = Entry()
            elif kind == "opened":
                self.entries[name] = Entry(inode=int(entry["inode"]))
            elif kind == "made":
                identities = (entry["size"], entry["mtime_ns"]), entry.get("was")
                self.entries[name] = Entry(identities=tuple(tuple(map(int, i)) for i in identities if i))
        except (ValueError, KeyError, TypeError, RecursionError):
            return False  # A line that was torn and then continued: what it said is not known.
        return True

    def _take_move(self, folder: str, to: object) -> None:
        """What is in a folder has two names from now on: whether it has moved is seen by where it is."""
        if not _is_plain(to):
            return
        for names in (self.entries, self.folders):
            inside = [name for name in names if name == folder or name.startswith(f"{folder}/")]
            names.update({to + name.removeprefix(folder): names[name] for name in inside})


def identity_of(found: os.stat_result) -> dict[str, int]:
    """By what a complete file is recognised, as a line has it."""
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _is_plain(name: object) -> bool:
    """Whether a name in a manifest stays inside its folder."""
    return isinstance(name, str) and not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
