"""account.jsonl: a line for all that is not in the results: frames that were dropped, answers that were given up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from ..layout import LINE_BYTES
from ..protocol import limits
from .atomic import open_plain
from .errors import NotALine, cannot_write
from .manifest import Manifest

Count = Annotated[int, msgspec.Meta(ge=0, le=limits.COUNT)]


class DropEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is not in the results, and why."""

    what: str  # "dropped" | "given up"
    first: Count  # frames, both included
    last: Count
    stage: str
    reason: str

    @property
    def line(self) -> bytes:
        """Its line in UTF-8, with its end."""
        return json.dumps(msgspec.structs.asdict(self), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


class DropLog:
    """Appends to a file, which is made with the first loss. Each line is one write of the system."""

    def __init__(self, path: Path, manifest: Manifest | None = None):
        self._path, self._manifest = path, manifest or Manifest(path.parent)
        self._is_open = False

    def dropped(self, first: int, last: int, stage: str, reason: str) -> None:
        """The frames from `first` to `last`, both included, are in no output; raises `OutputError`."""
        self._write(DropEntry("dropped", first, last, stage, reason))

    def given_up(self, frame: int, stage: str, reason: str) -> None:
        """What this stage has to say about the frame is not waited for."""
        self._write(DropEntry("given up", frame, frame, stage, reason))

    def close(self) -> None:
        """All of them are there; raises `OutputError`."""
        if self._is_open:
            self._is_open = False
            try:
                self._manifest.complete(self._path)
            except OSError as error:
                raise cannot_write(self._path, error) from error

    def _write(self, entry: DropEntry) -> None:
        try:
            # Opened anew each time: losses are rare, and a file without any does not come to be.
            is_there = os.path.lexists(self._path)
            descriptor = (self._manifest.reopen if is_there else self._manifest.create)(self._path)
            self._is_open = True
            try:
                os.write(descriptor, entry.line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise cannot_write(self._path, error) from error


def drops_in(path: Path) -> Iterator[DropEntry]:
    """The lines of an account.jsonl, none where nothing was lost; a torn last one is left out.

    Raises `NotALine` and `OSError`.
    """
    try:
        lines = open_plain(path)
    except FileNotFoundError:
        return
    with lines:
        number = 0
        while (text := lines.readline(LINE_BYTES)).endswith(b"\n"):
            number += 1
            yield _drop_entry(path, number, text)
        if len(text) >= LINE_BYTES:
            raise NotALine(path, number + 1, "no line of an account")


def _drop_entry(path: Path, number: int, text: bytes) -> DropEntry:
    try:
        return msgspec.convert(json.loads(text), DropEntry)
    except (ValueError, RecursionError):
        raise NotALine(path, number, "no line of an account") from None
