"""Files that say how a run stands: read for what they are, and never waited for."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import FacepipeError
from .atomic import BINARY, NO_LINK, NO_WAIT

LINE_BYTES = 10_000_000  # of results.jsonl: the largest frame that is allowed, with 256 faces, takes a tenth
FOLDERS = 1000  # of sources in a folder of results


class DamagedState(FacepipeError):
    """A file that says how a run stands is not what the run has left. Nothing was changed."""


def open_plain(path: Path) -> BinaryIO:
    """Open a regular file for reading; raises `OSError`, also for a link, a folder and a FIFO."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link", str(path))
    descriptor = os.open(path, os.O_RDONLY | NO_LINK | NO_WAIT | BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def is_plain(path: Path) -> bool:
    """Whether a regular file is there, and no link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def what_is_whole(folder: Path, results: str) -> str:
    """What is left of the results of a run, in a few words: "results.jsonl holds 78 whole lines"."""
    paths = [folder / results, *sorted(folder.glob(f"*/{results}"))[:FOLDERS]]
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
