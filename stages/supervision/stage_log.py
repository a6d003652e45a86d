"""The log of one stage process and its later lives: nothing that becomes of it is anybody else's trouble.

It is opened once. Later lives append to the same file, wherever it may be by then, so a folder that is renamed, removed
or full never stands in the way of a stage. What the launcher itself has to add goes through a process: a write to a
file system that is frozen holds whoever does it, and cannot be interrupted.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import reason
from ..results.atomic import NO_LINK
from ..results.errors import ForeignFile
from ..results.manifest import Manifest

LAST_WORDS_BYTES = 8192  # of the log, in which the last words are looked for
LAST_WORDS_CHARACTERS = 300
READING_S = 1.0  # what reading them may take; a network's file system may never answer
# Of a line that a stage has logged, in the format of stages/program.py.
PREFIX = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (?=(?:DEBUG|INFO|WARNING|ERROR) )(?:ERROR [\w.]+: )?")
CHATTER = re.compile(r"(DEBUG|INFO|WARNING|[IW]\d{4})\b")  # LiteRT's and TensorFlow's too, which is never the reason
COPY = "import os\nwhile b := os.read(0, 65536): os.write(1, b)"


class StageLog:
    """Where a stage, its libraries and its launcher append what they have to say."""

    def __init__(self, path: Path, manifest: Manifest):
        """Begin it anew. Where that cannot be, `trouble` says why and what is said is lost.

        `manifest`: of the output folder that it lies in; a log of somebody else's is not written to.
        """
        self.trouble: str | None = None
        self._writer: subprocess.Popen | None = None
        try:
            self.descriptor = _opened(path, manifest)
        except (OSError, ForeignFile) as error:
            self.trouble = f"{path} cannot be written ({reason(error)}), so nothing is logged there"
            self.descriptor = os.open(os.devnull, os.O_RDWR)
        self.path = None if self.trouble else str(path)

    @property
    def size(self) -> int:
        """In bytes; what a later life says stands behind it."""
        return os.fstat(self.descriptor).st_size

    def write(self, words: bytes) -> None:
        """Add what a library has printed, or lose it."""
        with contextlib.suppress(OSError, ValueError):
            if self._writer is None:
                self._writer = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", COPY],
                    stdin=subprocess.PIPE,
                    stdout=self.descriptor,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the launcher.
                )
            self._writer.stdin.write(words)
            self._writer.stdin.flush()

    def end_writing(self, within_s: float) -> None:
        """What was to be written is in the file, or its writer is waited for no longer."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        with contextlib.suppress(OSError):
            writer.stdin.close()
        try:
            writer.wait(within_s)
        except subprocess.TimeoutExpired:
            writer.kill()

    def last_words(self, since: int) -> str | None:
        """The line from byte `since` on that says best why a process has ended, if there is one."""
        text = _in_time(lambda: self._tail(since), READING_S) or b""
        return last_words(text.decode(errors="replace").splitlines())

    def close(self) -> None:
        os.close(self.descriptor)

    def _tail(self, since: int) -> bytes | None:
        try:
            size = self.size
            return os.pread(self.descriptor, LAST_WORDS_BYTES, max(since, size - LAST_WORDS_BYTES))
        except OSError:  # The disk is broken: then it says nothing.
            return None


def last_words(lines: list[str]) -> str | None:
    """The one of these lines of a log that says best why its process has ended."""
    crash = next((line for line in lines if line.startswith("Fatal Python error")), None)
    # The last line of a traceback is its reason; those that are indented say where.
    spoken = [PREFIX.sub("", line, 1).strip() for line in lines if line.strip() and not line[0].isspace()]
    words = crash or next((line for line in reversed(spoken) if not CHATTER.match(line)), None)
    return words and words[:LAST_WORDS_CHARACTERS].rstrip(".")


def _opened(path: Path, manifest: Manifest) -> int:
    os.close(manifest.create(path))
    return os.open(path, os.O_RDWR | os.O_APPEND | NO_LINK)


def _in_time(work: Callable[[], bytes | None], within_s: float) -> bytes | None:
    """What `work` returns, or None where it takes longer; its thread is left to itself then."""
    came: list[bytes | None] = []
    thread = threading.Thread(target=lambda: came.append(work()), daemon=True)
    with contextlib.suppress(RuntimeError):  # There is no room for a thread: then it says nothing.
        thread.start()
        thread.join(within_s)
    return came[0] if came else None
