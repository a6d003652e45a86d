"""Sentences for a person, and on a terminal a line below them that is drawn again and again."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
from typing import TextIO

from ..names import printable

AT_ONCE = 1000  # characters: a pipe that takes anything takes so many
UNTOLD_CHARACTERS = 100_000  # kept for a terminal that takes nothing at the moment


def takes(stream: TextIO, within_s: float | None = 0.0) -> bool:
    """Whether a stream takes `AT_ONCE` characters without holding up the writer; `within_s`: None waits for ever."""
    try:
        return os.name != "posix" or bool(select.select([], [stream.fileno()], [], within_s)[1])
    except (OSError, ValueError):
        return True  # No file, or one that select does not know: writing says what is wrong with it.


class LiveLine:
    """Writes to `stream`, normally stderr; `quiet`: nothing."""

    def __init__(self, stream: TextIO, *, quiet: bool = False):
        self._stream, self.is_quiet = stream, quiet
        self.is_live = not quiet and stream.isatty() and os.environ.get("TERM") != "dumb"
        self.has_blocks = "utf" in (stream.encoding or "").lower()  # the characters of a fine bar
        self.has_colour = not os.environ.get("NO_COLOR")  # https://no-color.org
        self._shown = self._untold = ""

    @property
    def columns(self) -> int:
        """Of the terminal that is written to, which may have become another since; one less, or a line would wrap."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        return (columns or shutil.get_terminal_size().columns) - 1

    def say(self, sentence: str) -> None:
        """A sentence of its own, above the live line."""
        if not self.is_quiet:
            self._write(self._cleared() + f"facepipe: {printable(sentence)}\n" + self._shown)

    def draw(self, line: str) -> None:
        """Show this in place of the live line that was there."""
        cleared = self._cleared()
        self._shown = line
        self._write(cleared + line)

    def clear(self) -> None:
        """Take the live line away."""
        self._write(self._cleared())
        self._shown = ""

    def _cleared(self) -> str:
        return "\r\x1b[K" if self._shown else ""

    def _write(self, text: str) -> None:
        # A terminal that was closed must not end the work: its results are on the disk. One that takes nothing for a
        # while, because a pager holds it, must not hold up who watches over the work: it is told later.
        self._untold = (self._untold + text)[-UNTOLD_CHARACTERS:]
        with contextlib.suppress(OSError, ValueError):
            while self._untold and takes(self._stream):
                part, self._untold = self._untold[:AT_ONCE], self._untold[AT_ONCE:]
                self._stream.write(part)
                self._stream.flush()
