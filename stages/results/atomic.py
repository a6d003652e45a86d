"""Files at the level of the system: opened for what they are, never through a link, and made durable."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BINARY = getattr(os, "O_BINARY", 0)
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO without a writer must not wait


def open_plain(path: Path) -> BinaryIO:
    """Open a regular file for reading; raises `OSError`, also for a link, a folder and a FIFO."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link", str(path))
    descriptor = os.open(path, os.O_RDONLY | NO_LINK | NO_WAIT | BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def look_into(folder: Path) -> None:
    """Raise `OSError` where this is no folder, or one whose files this process may not look at.

    `Path.exists` and `Path.is_dir` do not tell these apart: for what is not there they return False, and for what may
    not be looked at they raise.
    """
    os.stat(os.path.join(folder, "."))


def is_plain(path: Path) -> bool:
    """Whether a regular file is there, and no link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def create(path: Path, mode: int = 0o666) -> int:
    """Create a file that is not there yet, for appending, and return its descriptor.

    Raises `FileExistsError` where anything has that name, a symbolic link that leads nowhere included.
    """
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | NO_LINK | BINARY, mode)


def make_private_folder(path: Path) -> None:
    """Make a folder that its owner alone may enter, if it is not there; raises `OSError`, also for a link."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link", str(path))


def temporary_beside(path: Path) -> Path:
    """A name that nothing has, in the same folder; names that are as long as a file system allows are shortened."""
    return path.with_name(f".{path.name[:60]}.{uuid.uuid4().hex[:12]}.part")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file to write to, which gets the name `path` at the end, or is gone if that is an exception.

    For folders that have no manifest, whoever else writes there. Raises `OSError`.
    """
    temporary = temporary_beside(path)
    try:
        os.close(create(temporary))
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    sync_folder(path.parent)


def is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".part")


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it: a disk that is nearly full takes a part, and the next write says why."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_file(path: Path) -> None:
    """Make the content of a closed file durable; raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | NO_LINK | BINARY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where the system knows such a thing: Windows and some network disks do not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
