"""Which files in an output folder were made by facepipe: only these are ever replaced or deleted.

What it knows is in a journal (`Journal`), to which several processes of a run can add.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path

from ..layout import PIECES
from .atomic import BINARY, NO_LINK, create, is_temporary, sync_file, sync_folder, temporary_beside, write_all
from .errors import ForeignFile
from .journal import Journal, identity_of


class Manifest:
    """The manifest of one output folder. Paths given to it are absolute or relative to the current folder."""

    def __init__(self, folder: Path):
        """Nothing is read or written yet; raises `ForeignFile` later where the manifest is not one of this user."""
        self.folder, self._journal = folder, Journal(folder)

    @classmethod
    def over(cls, results: Path) -> Manifest:
        """The one that knows this file: of its folder, or of one above.

        Above it is where a run had several sources, and for a piece of the results. Where none knows it, because the
        run was copied without the times of its files: that of the folder that holds the pieces, or else of its own.
        """
        own, folder = cls(results.parent), os.path.abspath(results.parent)
        in_pieces = os.path.basename(os.path.dirname(folder)) == PIECES
        above = [cls(one) for one in Path(folder).parents[: 3 if in_pieces else 1]]
        otherwise = above[1] if in_pieces and not own.exists() else own
        return next((one for one in above if not own.exists() and one.is_ours(results)), otherwise)

    def exists(self) -> bool:
        return self._journal.exists()

    @property
    def damage(self) -> str | None:
        """What is wrong with it, for a sentence that begins with its name; a kill leaves one line torn, too."""
        return self._journal.damage

    def files(self) -> list[Path]:
        """Every file that facepipe has made here and that is unchanged, in the order in which they were made."""
        self._journal.refresh()
        is_inside = cache(self._is_inside)  # Asked for a hundred thousand pictures in one folder.
        return [path for name in self._journal.entries if self._is_ours(name, path := self.folder / name, is_inside)]

    def made(self) -> set[str]:
        """The names of every file that facepipe has made here, whatever has become of it; raises `ForeignFile`."""
        self._journal.refresh()
        return set(self._journal.entries)

    def changed(self) -> list[Path]:
        """Every file that facepipe has made here and that was changed or replaced since."""
        ours = set(self.files())
        return [
            path for name in self._journal.entries if (path := self.folder / name) not in ours and os.path.lexists(path)
        ]

    def foreign_in(self, folder: Path) -> Iterator[Path]:
        """Every file below a folder whose name facepipe has never made here."""
        self._journal.refresh()
        for above, _, names in os.walk(folder):
            yield from (path for name in names if self._name(path := Path(above, name)) not in self._journal.entries)

    def is_ours(self, path: Path) -> bool:
        """Whether facepipe has made this file and it was not changed since; False where there is none."""
        self._journal.refresh()
        return self._is_ours(self._name(path), path, self._is_inside)

    def has_made(self, path: Path) -> bool:
        """Whether facepipe has made a file of this name, whatever has become of it."""
        self._journal.refresh()
        return self._name(path) in self._journal.entries

    def _is_ours(self, name: str | None, path: Path, is_inside: Callable[[Path], bool]) -> bool:
        entry = None if name is None else self._journal.entries.get(name)
        try:
            return entry is not None and is_inside(path.parent) and entry.fits(path)
        except (OSError, ValueError):  # There is none, or its name cannot be one.
            return False

    def create(self, path: Path, mode: int = 0o666) -> int:
        """Create a file of ours that grows, and return its descriptor for writing; `complete` when it is closed.

        A file of ours that has this name is deleted first, and the folders are made that it lies in. Raises
        `ForeignFile` where a foreign file has it, and `OSError`.
        """
        self.make_way(path)
        self.make_folders(path.parent)
        self._journal.append({"opens": self._name(path)})
        descriptor = create(path, mode)
        self._journal.append({"opened": self._name(path), "inode": os.fstat(descriptor).st_ino})
        return descriptor

    def reopen(self, path: Path) -> int:
        """Open a file of ours, to append to it, and return its descriptor; raises `ForeignFile` and `OSError`."""
        self.opens_again(path)
        return os.open(path, os.O_WRONLY | os.O_APPEND | NO_LINK | BINARY)

    def opens_again(self, path: Path) -> None:
        """Note that a file of ours will be changed; raises `ForeignFile` and `OSError`."""
        self.refuse_foreign(path)
        inode = os.lstat(path).st_ino
        if self._journal.entries[self._name(path)].inode != inode:
            self._journal.append({"opened": self._name(path), "inode": inode})

    def complete(self, path: Path) -> None:
        """Note that a file that was opened is whole: from now on a change to it is not ours.

        Raises `ForeignFile` where another one is in its place, and `OSError`.
        """
        self.refuse_foreign(path)
        self._journal.append({"made": self._name(path), **identity_of(os.lstat(path))})

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
        self._journal.append({"folder": self._name(folder)}, durable=False)

    def move_folder(self, folder: Path, to: Path) -> None:
        """Give a folder another name within the same one; what is ours in it stays ours. Raises `OSError`."""
        self._journal.append({"moves": self._name(folder), "to": self._name(to)})
        os.rename(folder, to)

    def remove_folders(self, within: Path | None = None) -> None:
        """Remove the folders that were made here and are empty; `within`: only this one and those below it."""
        self._journal.refresh()
        for name in sorted(self._journal.folders, key=lambda name: -name.count("/")):
            if within is not None and not (self.folder / name).is_relative_to(within):
                continue
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
        self._journal.append({"opens": self._name(temporary)}, durable=False)
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
        entry = identity_of(os.lstat(made))
        was = {"was": list(identity_of(os.lstat(path)).values())} if os.path.lexists(path) else {}
        self._journal.append({"made": self._name(path), **entry, "from": self._name(made), **was})
        os.replace(made, path)

    def make_way(self, path: Path) -> None:
        """Delete a file of ours that has this name; raises `ForeignFile` where a foreign file has it."""
        self.refuse_foreign(path)
        self.remove(path)

    def remove(self, path: Path) -> bool:
        """Delete a file if it is ours; returns whether it was. Raises `OSError`."""
        if not self.is_ours(path):
            return False
        os.unlink(path)
        self._journal.append({"gone": self._name(path)})
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
        self._journal.append({"gone": self._name(path)})
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
