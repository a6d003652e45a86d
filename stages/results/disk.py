"""Whether a file system answers: on one that is frozen, or whose server is gone, every change waits for ever."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

KILLED_S = 0.1  # what a process that was killed takes to end, unless it waits for a disk
# What the folder will lie in, where it is not there yet. Its times stay as they are: it may be a person's own.
_CHANGE = """import os, sys
path = sys.argv[1]
while not os.path.lexists(path) and os.path.dirname(path) != path: path = os.path.dirname(path)
found = os.stat(path)
os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))"""


def can_be_changed(folder: Path, within_s: float) -> bool:
    """Whether a change of this folder, an absolute path, comes to an end in time, be it an error.

    Tried in a process of its own, which no kill might end: no thread of this one may wait for a disk.
    """
    try:
        trial = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CHANGE, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return True  # No room for another process: that says nothing about the disk.
    try:
        trial.wait(max(0.1, within_s))
    except subprocess.TimeoutExpired:
        return False
    finally:
        trial.kill()  # Also after Ctrl-C. One that waits for a disk outlives it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            trial.wait(KILLED_S)
    return True
