"""Locks that the operating system gives back when their holder dies, however it dies."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there the port itself is what can be had only once.
    fcntl = None


_OURS = re.compile(r"facepipe ([0-9]+)\n")  # what a lock file says: its holder


class Taken(Exception):
    """Somebody else holds the lock."""

    def __init__(self, holder: str):
        super().__init__(holder)
        self.holder = holder  # "process 1234", "another process" where it cannot be told, or a file that is no lock


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, and remove it afterwards; raises `Taken`, also for a file of that name that is somebody's."""
    if fcntl is None:
        yield
        return
    descriptor = _lock(path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"facepipe {os.getpid()}\n".encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)  # Before it is given back: afterwards it may be somebody else's.
        os.close(descriptor)


def _lock(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _take(descriptor)
            if _is_still(path, descriptor):
                if not _is_ours(descriptor):
                    raise Taken(f"{path}, a file of somebody's")
                return descriptor
        except BlockingIOError:
            holder = _OURS.fullmatch(os.pread(descriptor, 40, 0).decode(errors="replace"))
            os.close(descriptor)
            raise Taken(f"process {holder[1]}" if holder else "another process") from None
        except (OSError, Taken):
            os.close(descriptor)
            raise
        # Its holder removed it between our opening and our locking: lock the file that is there now.
        os.close(descriptor)


def _is_ours(descriptor: int) -> bool:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return False
    # Killed before it had said who it is, a holder leaves an empty file; a power cut leaves zeros.
    said = os.pread(descriptor, 40, 0).strip(b"\0").decode(errors="replace")
    return not said or bool(_OURS.fullmatch(said))


def _take(descriptor: int) -> None:
    """Whoever looks whether a dead process has left something holds its lock for a moment: ask again."""
    for wait_s in (0.02, 0.1, 0):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait_s:
                raise
        time.sleep(wait_s)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
