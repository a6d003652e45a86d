"""events.jsonl: a line of JSON for each event of one source, written with its results and read by other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import FacepipeError
from ..layout import LINE_BYTES
from ..project import command
from ..results.atomic import open_plain, write_all
from ..results.errors import cannot_write
from ..results.jsonl import Line
from ..results.manifest import Manifest
from .events import Event, EventMachine


class NotAnEvent(FacepipeError):
    """A line of events.jsonl that facepipe has not written."""


class EventLog:
    """Writes the events of frames, each as one write of the system, after the frame's line in results.jsonl.

    They follow from these lines, and so nothing is lost with this file. One that goes on is given the lines that there
    are by `replay`: what the file says already is left as it is, what a killed process has not written is written.
    """

    def __init__(self, path: Path, manifest: Manifest, machine: EventMachine):
        """The file is made with the first frame of a video; raises `ForeignFile` where another one has its name."""
        manifest.refuse_foreign(path)
        self._path, self._manifest, self._machine = path, manifest, machine
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

    def take(self, line: Line, plays: bool = True) -> None:
        """Write what has happened up to a new frame; raises `OutputError`.

        `plays`: it is one of a video or camera. For pictures alone there is no file: nobody comes or goes in them.
        """
        if plays:
            self._open()
        self._write(self._machine.step(line))

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


def follow(path: Path, position: int = 0) -> Iterator[tuple[int, dict]]:
    """The events that stand in an events.jsonl behind a position, each with the position behind it, both in bytes.

    It ends where the file does: to follow one that grows, ask again with the last position. A line that is still
    being written is left for the next time; a file that is not there yet holds nothing. Positions stay valid while a
    run goes on, is killed and resumed: what was written is never changed, and written again where it was cut off.
    Raises `OSError`, and `NotAnEvent`.
    """
    try:
        lines = open_plain(path)
    except FileNotFoundError:
        return
    with lines:
        lines.seek(position)
        while (text := lines.readline(LINE_BYTES)).endswith(b"\n"):
            event = _parsed(text)
            if event is None:
                raise NotAnEvent(
                    f"{path} has a line at byte {position} that is no event; {command('people')} --events writes the"
                    " file anew."
                )
            position += len(text)
            yield position, event


def _parsed(text: bytes) -> dict | None:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
