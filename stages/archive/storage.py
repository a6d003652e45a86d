"""Where an archive is kept: a folder, or an address of fsspec such as s3://bucket/results.

A file appears under its name only when it is whole. Names are relative to the root, with `/` between their parts.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..dependencies import missing
from ..errors import FacepipeError, reason, way_out
from ..layout import MANIFEST as JOURNAL
from ..locks import Taken, locked
from ..results.atomic import is_temporary, replacing, sync_file, sync_folder
from ..results.errors import ForeignFile
from ..results.manifest import Manifest
from ..sources.spec import expanded, path_of
from ..sources.urls import is_url, public, public_path
from .names import LOCK

WILD = "*?["  # what makes a pattern of a name
_COLONS = "\0\0"
_NEW = "new-"

# With these a file is put as a whole under its name; with all others it gets its name when it is whole.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "memory"}


class StorageError(FacepipeError):
    """A place cannot be read or written; what is there stays as it is."""


class StorageFull(StorageError):
    """A disk is full, or a quota used up."""


class NameRefused(StorageError):
    """A file cannot have this name where it is to be written: it is too long, or has characters that cannot be."""


class Storage(ABC):
    """The files below one root. Can be sent to other machines. Its methods raise `StorageError`."""

    address: str  # as a person may see it
    folder: Path | None = None  # where it is, if that is a folder of this machine

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The content of a file; None where it is not there."""

    def read_all(self, names: Sequence[str]) -> dict[str, bytes]:
        """The contents of several files, of those that are there."""
        found = ((name, self.read(name)) for name in names)
        return {name: content for name, content in found if content is not None}

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Put a file under its name, in place of one that is there."""

    @abstractmethod
    def names(self, below: str = "") -> Iterator[str]:
        """All files below a name, without those that are not whole."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; where nothing is there, nothing happens."""

    @abstractmethod
    @contextmanager
    def new_run(self, name: str, work: str) -> Iterator[Path]:
        """A folder on this machine to write a run into, which gets this name at the end, if all went well.

        Of a folder that has the name, what facepipe has made is replaced, and all other files stay. Killed meanwhile,
        it is written once more. `work`: a folder in which it may lie until then. Raises `ForeignFile` where a file of
        the run would replace one that facepipe has not made.
        """

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it against other drivers, where that can be done; raises `StorageError` where another one has it."""
        yield

    @abstractmethod
    def add(self, path: Path, name: str) -> None:
        """Put a copy of a file of this machine under this name."""


def storage_at(address: str) -> Storage:
    """The storage at a path or an address; raises `StorageError` for an address of a kind that is not known here."""
    path = path_of(address) or (None if is_url(address) else expanded(address))
    return _Folder(Path(os.path.abspath(path))) if path is not None else _Remote(address)


@contextmanager
def in_a_sentence(what: str, *otherwise: str) -> Iterator[None]:
    """Raise `StorageError` in place of what a file system raises; `what` was being done, such as "read x"."""
    try:
        yield
    except (FacepipeError, KeyboardInterrupt):
        raise
    except Exception as error:  # Those of fsspec raise what their libraries do, of which OSError is only the usual one.
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] in ("builtins", "stages"):
            raise  # A defect of ours.
        remedy = way_out(error, *(otherwise or ("look at the address, and at the rights to it",)))
        kind = _KINDS.get(getattr(error, "errno", None), StorageError)
        raise kind(f"cannot {what}: {reason(error)}; {remedy}.") from error


_KINDS = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), StorageFull)
_KINDS |= dict.fromkeys((errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL), NameRefused)


class _Folder(Storage):
    """A folder of this machine, or one that all machines of a cluster have under the same path."""

    def __init__(self, root: Path):
        self.root, self.folder, self.address = root, root, str(root)

    def read(self, name: str) -> bytes | None:
        with in_a_sentence(f"read {self.root / name}"):
            try:
                return (self.root / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        with in_a_sentence(f"write {path}"), _replacing(path) as temporary:
            temporary.write_bytes(content)

    def names(self, below: str = "") -> Iterator[str]:
        top = self.root / below
        with in_a_sentence(f"list {top}"):
            for folder, folders, files in os.walk(top):
                folders[:] = [each for each in folders if not is_temporary(Path(each))]
                inside = PurePosixPath(os.path.relpath(folder, self.root))
                yield from (str(inside / file) for file in files if not is_temporary(Path(file)))

    def remove(self, name: str) -> None:
        with in_a_sentence(f"remove {self.root / name}"):
            _remove(self.root / name)

    @contextmanager
    def new_run(self, name: str, work: str) -> Iterator[Path]:
        path, above = self.root / name, self.root / work
        temporary = above / f"{_NEW}{uuid.uuid4().hex[:12]}"
        with in_a_sentence(f"write {path}"):
            above.mkdir(parents=True, exist_ok=True)
            for left in above.iterdir():  # By a process that was killed: with annotated videos it may be much.
                if left.name.startswith(_NEW):
                    shutil.rmtree(left, ignore_errors=True)
            temporary.mkdir()
        try:
            yield temporary
            with in_a_sentence(f"write {path}"):
                for each in files_below(temporary).values():
                    sync_file(each)
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    _replace_run(path, temporary)
                elif os.path.lexists(path):
                    raise ForeignFile(f"{path} is no folder; move it away, and start the command again.")
                else:
                    os.rename(temporary, path)
                sync_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        lock = self.root / LOCK
        made = [folder for folder in (lock.parent, self.root) if not folder.exists()]
        with in_a_sentence(f"write {lock}"):
            lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with locked(lock):
                yield
        except Taken as taken:
            raise StorageError(
                f"{taken.holder} is making the archive in {self.address}; wait for its end, or end it."
            ) from None
        finally:
            with contextlib.suppress(OSError):  # Where nothing has come of it, nothing is left.
                for folder in made:
                    folder.rmdir()

    def add(self, path: Path, name: str) -> None:
        with in_a_sentence(f"write {self.root / name}"), _replacing(self.root / name) as temporary:
            shutil.copyfile(path, temporary)


class _Remote(Storage):
    """An address of fsspec."""

    def __init__(self, address: str):
        self._given, self.address = address, shown(address)
        self._connect()

    def __reduce__(self):
        return type(self), (self._given,)

    def read(self, name: str) -> bytes | None:
        with in_a_sentence(f"read {self._shown(name)}"):
            try:
                return self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None

    def read_all(self, names: Sequence[str]) -> dict[str, bytes]:
        with in_a_sentence(f"read {self._shown('')}"):
            # `cat` takes some names for patterns, as `rm` does.
            paths = {self._path(name).lstrip("/"): name for name in names if not set(name).intersection(WILD)}
            found = self._files.cat([self._path(name) for name in paths.values()], on_error="omit") if paths else {}
        others = [name for name in names if name not in paths.values()]
        return {paths[path.lstrip("/")]: content for path, content in found.items()} | super().read_all(others)

    def write(self, name: str, content: bytes) -> None:
        with in_a_sentence(f"write {self._shown(name)}"), self._replacing(name) as path:
            self._files.pipe_file(path, content)

    def names(self, below: str = "") -> Iterator[str]:
        with in_a_sentence(f"list {self._shown(below)}"):
            self._files.invalidate_cache()
            found = self._files.find(self._path(below))
        for path in found:
            if not is_temporary(Path(path)):
                yield str(PurePosixPath(path).relative_to(PurePosixPath(self._root)))

    def remove(self, name: str) -> None:
        with in_a_sentence(f"remove {self._shown(name)}"):
            self._files.invalidate_cache()
            # `rm` takes a name for a pattern: that of a film such as [1].mp4, or *.mp4, means others.
            found = self._files.find(self._path(name), withdirs=True, detail=True)
            for path in sorted(found, reverse=True):
                if found[path]["type"] != "directory":
                    self._files.rm_file(path)
                elif not self._puts_whole:
                    self._files.rmdir(path)

    @contextmanager
    def new_run(self, name: str, work: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="facepipe-archive-") as folder:
            yield Path(folder)
            there = {each.removeprefix(f"{name}/") for each in self.names(name)}
            made, new = self._made_in(name), files_below(Path(folder))
            refuse_foreign(self._shown(name), new, there, made)
            for each in sorted(there & (made - new.keys())):
                self.remove(f"{name}/{each}")
            for each, path in new.items():
                self.add(path, f"{name}/{each}")

    def _made_in(self, name: str) -> set[str]:
        """The names of what facepipe has made in a folder."""
        with tempfile.TemporaryDirectory(prefix="facepipe-archive-") as copy:
            if (content := self.read(f"{name}/{JOURNAL}")) is not None:
                Path(copy, JOURNAL).write_bytes(content)
            return Manifest(Path(copy)).made()

    def add(self, path: Path, name: str) -> None:
        with in_a_sentence(f"write {self._shown(name)}"), self._replacing(name) as place:
            self._files.put_file(str(path), place)

    def _connect(self) -> None:
        with in_a_sentence(f"use {self.address}"):
            self._files, self._root = opened(self._given)
        self._puts_whole = bool(_OBJECT_STORES.intersection(_protocols(self._files)))

    @contextmanager
    def _replacing(self, name: str) -> Iterator[str]:
        path = self._path(name)
        if self._puts_whole:
            yield path
            return
        above, _, last = path.rpartition("/")
        temporary = f"{above}/.{last[:60]}.{uuid.uuid4().hex[:12]}.part"
        self._files.makedirs(above, exist_ok=True)
        try:
            yield temporary
            self._files.mv(temporary, path)
        except BaseException:
            with contextlib.suppress(Exception):  # The first error is the one to tell.
                self._files.rm_file(temporary)
            raise

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _shown(self, name: str) -> str:
        return f"{self.address.rstrip('/')}/{name}"


def shown(address: str) -> str:
    """A path or an address as a person may see it, without user and password."""
    scheme, _, place = address.partition(":///")
    return f"{scheme}:///{public_path(place)}" if place and is_url(address) else public(address)


def opened(address: str) -> tuple:
    """fsspec's file system for an address, and the path in it without a `/` at its end.

    Raises `StorageError` where the package for it is not installed, or there is none.
    """
    try:
        from fsspec.core import url_to_fs

        # fsspec takes what is behind :: for another address.
        is_name = "://" in address.partition("::")[0]
        files, path = url_to_fs(address.replace("::", _COLONS) if is_name else address)
    except ImportError as error:  # fsspec names the package that it needs, and wraps the error that does.
        cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
        raise StorageError(missing(cause) or f"{shown(address)} cannot be used: {reason(error)}.") from error
    except ValueError as error:
        raise StorageError(
            f"{shown(address)} cannot be used: {reason(error)}; write a path, or an address such as s3://BUCKET/FOLDER."
        ) from error
    return files, path.rstrip("/").replace(_COLONS, "::")


def _protocols(files) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """As `replacing`, in a folder that is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        yield temporary


def files_below(folder: Path) -> dict[str, Path]:
    """The files in a folder by their names below it: the journal first, which tells of the others whose they are."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: found[name] for name in sorted(found, key=lambda name: name != JOURNAL)}


def refuse_foreign(folder: str, new: Iterable[str], there: Container[str], made: Container[str]) -> None:
    """Raise `ForeignFile` where one of the new names is there, and facepipe has not made it."""
    if foreign := next((each for each in new if each in there and each not in made and each != JOURNAL), None):
        raise ForeignFile(f"{folder}/{foreign} was not written by facepipe; move it away, and start the command again.")


def _replace_run(folder: Path, new_run: Path) -> None:
    """Put a run in place of what facepipe has made in a folder."""
    manifest, new = Manifest(folder), files_below(new_run)
    made = manifest.made()
    for path in (folder, *(folder / each for each in new.keys() | made)):
        if path.is_symlink() or (path.parent != folder and path.parent.is_symlink()):
            raise ForeignFile(f"{path} is a link, or lies behind one; move it away, and start the command again.")
    refuse_foreign(str(folder), new, {each for each in new if os.path.lexists(folder / each)}, made)
    for each in made - new.keys():
        (folder / each).unlink(missing_ok=True)
    manifest.remove_folders()
    for each, path in new.items():
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, folder / each)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
