"""account.jsonl: a line for all that is not in the results: frames that were dropped, answers that were given up."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .errors import cannot_write
from .manifest import Manifest


class DropLog:
    """Appends to a file, which is made with the first loss. Each line is one write of the system."""

    def __init__(self, path: Path, manifest: Manifest | None = None):
        self._path, self._manifest = path, manifest or Manifest(path.parent)
        self._is_open = False

    def dropped(self, first: int, last: int, stage: str, reason: str) -> None:
        """The frames from `first` to `last`, both included, are in no output; raises `OutputError`."""
        self._write({"what": "dropped", "first": first, "last": last, "stage": stage, "reason": reason})

    def given_up(self, frame: int, stage: str, reason: str) -> None:
        """What this stage has to say about the frame is not waited for."""
        self._write({"what": "given up", "first": frame, "last": frame, "stage": stage, "reason": reason})

    def close(self) -> None:
        """All of them are there; raises `OutputError`."""
        if self._is_open:
            self._is_open = False
            try:
                self._manifest.complete(self._path)
            except OSError as error:
                raise cannot_write(self._path, error) from error

    def _write(self, entry: dict) -> None:
        line = json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        try:
            # Opened anew each time: losses are rare, and a file without any does not come to be.
            is_there = os.path.lexists(self._path)
            descriptor = (self._manifest.reopen if is_there else self._manifest.create)(self._path)
            self._is_open = True
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise cannot_write(self._path, error) from error
