"""events.jsonl: a line of JSON for each event of one source, written with its results; `event_file` reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from ..results.atomic import open_plain, write_all
from ..results.errors import cannot_write
from ..results.jsonl import Line
from ..results.manifest import Manifest
from ..results.pieces import NOTHING, Extent
from .event_file import NotAnEvent, follow  # noqa: F401  (programs import them from here, docs/people.md)
from .events import Event, EventMachine


class EventLog:
    """Writes the events of frames, each as one write of the system, after the frame's line in results.jsonl.

    They follow from these lines, and so nothing is lost with this file. One that goes on is given the lines that there
    are by `replay`: what the file says already is left as it is, what a killed process has not written is written.
    """

    def __init__(self, path: Path, manifest: Manifest, machine: EventMachine, before: Extent = NOTHING):
        """The file is made with the first frame of a video; raises `ForeignFile` where another one has its name.

        `before`: how much there is in earlier pieces of the log.
        """
        self.extent = before  # how much there is in all pieces
        self._manifest, self._machine = manifest, machine
        self.go_on_in(path)

    def go_on_in(self, path: Path) -> None:
        """What happens from here on is written to this file; the one before it is closed. Raises as `__init__`."""
        self._manifest.refuse_foreign(path)
        self._path = path
        self._descriptor: int | None = None
        self._is_closed = False
        self._size = 0  # bytes that are known to follow from the lines
        self._found: BinaryIO | None = None  # what there was before, as far as it is not compared yet
        if path.exists():
            try:
                self._found = open_plain(path)
            except OSError as error:
                raise cannot_write(path, error) from error

    def replay(self, line: Line) -> None:
        """Take a line that was there before; raises `OutputError`."""
        self._write(self._machine.step(line))

    def take(self, line: Line, plays: bool = True) -> list[Event]:
        """Write what has happened up to a new frame, and return it; raises `OutputError`.

        `plays`: it is one of a video or camera. For pictures alone there is no file: nobody comes or goes in them.
        """
        if plays:
            self._open()
        events = self._machine.step(line)
        self._write(events)
        return events if plays else []

    def known(self) -> dict:
        """What is known of the frames so far, as `EventMachine.to_json` says it."""
        return self._machine.to_json()

    @property
    def people(self) -> int:
        """How many have appeared so far; somebody who comes back counts again."""
        return self._machine.appeared

    def close(self, has_ended: bool = False) -> None:
        """Complete the file; raises `OutputError` and `ForeignFile`.

        `has_ended`: the source has, and whoever is there leaves with it. Otherwise a later run may go on.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if has_ended:
            self._write(self._machine.end())
        if self._found is not None:
            self._open()
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._manifest.complete(self._path)
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def _write(self, events: list[Event]) -> None:
        for text in (event.to_line() for event in events):
            if self._found is not None and self._found.read(len(text)) != text:
                self._open()  # It is another one, or the beginning of one: from here on it is written anew.
            if self._found is None:
                self._open()
                self._append(text)
            self._size += len(text)
            self.extent = Extent(self.extent.lines + 1, self.extent.bytes + len(text))

    def _open(self) -> None:
        """Open the file for writing, and cut off what does not follow from the lines."""
        if self._descriptor is not None:
            return
        found, self._found = self._found, None
        try:
            self._descriptor = (self._manifest.create if found is None else self._manifest.reopen)(self._path)
            if found is not None:
                found.close()
                os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def _append(self, text: bytes) -> None:
        try:
            write_all(self._descriptor, text)
        except OSError as error:
            raise cannot_write(self._path, error) from error
