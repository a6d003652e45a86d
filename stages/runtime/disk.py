"""Whether a file system answers: one that is frozen, or whose server is gone, holds whoever changes it for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_CHANGE = "import os, sys; os.utime(sys.argv[1])"


def can_be_changed(folder: Path, within_s: float) -> bool:
    """Whether a change of this folder comes to an end in time, be it an error.

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
        trial.kill()
        return False
    return True
