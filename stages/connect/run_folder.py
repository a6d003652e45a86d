"""The folder of one run, as somebody sees it who only reads: which run it is, its sources, and whether it is over."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from ..errors import FacepipeError
from ..layout import LINE_BYTES, RUN
from ..results.atomic import open_plain
from ..results.pieces import results_in_pieces
from ..results.run_file import RunFile


class RunFolder:
    """A folder with results. `look` reads again what has changed."""

    def __init__(self, path: Path, expected: str | None = None):
        """`expected`: the name of the run; any other one that is there belongs to the past. None: whichever it is."""
        self.path = path
        self.run: str | None = None  # None: not there yet
        self.is_over = False
        self.sources: dict[str, str] = {}  # folder below `path`, "" for `path` itself -> name of the source
        self._expected, self._seen = expected, None

    def look(self) -> None:
        """Look again; a file that cannot be read at the moment is as one that is not there."""
        with contextlib.suppress(OSError, FacepipeError):
            found = os.stat(self.path / RUN)
            if (seen := (found.st_ino, found.st_mtime_ns, found.st_size)) != self._seen:
                self._take(RunFile.read(self.path))
                self._seen = seen
        if self.run is not None:
            with contextlib.suppress(OSError):
                self._look_for_sources()

    def folder_of(self, folder: str) -> Path:
        """That of the results and events of a source."""
        return self.path / folder

    def _take(self, run: RunFile | None) -> None:
        if run is None or self._expected not in (None, run.run):
            self.run = None
            return
        if run.run != self.run:
            self.sources.clear()
        self.run, self.is_over = run.run, run.ended is not None

    def _look_for_sources(self) -> None:
        if not self.sources and (name := _source_in(self.path)):
            self.sources[""] = name
        if "" in self.sources:
            return  # A run of one source; whatever else is in its folder is not of this run.
        for entry in os.scandir(self.path):
            if entry.name in self.sources or not entry.is_dir(follow_symlinks=False):
                continue
            if not (self.path / entry.name / RUN).exists() and (name := _source_in(Path(entry.path))):
                self.sources[entry.name] = name


def _source_in(folder: Path) -> str | None:
    """The name of the source that the first line of the results is about; None where there is no whole line yet."""
    for results in results_in_pieces(folder):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError), open_plain(results) as file:
            name = json.loads(file.readline(LINE_BYTES))["source"]
            return name if isinstance(name, str) else None
    return None
