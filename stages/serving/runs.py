"""What a run has left so far, for clients: its sources, the newest picture and the events of each. Blocking."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from ..connect.run_folder import RunFolder
from ..errors import FacepipeError
from ..layout import ANNOTATED, CONNECT, RUN, picture_name
from ..people.event_file import BLOCK, Event, EventFile, Place
from ..results.atomic import open_plain
from ..results.pieces import pieces_in
from ..results.runs import newest_run
from ..sinks.last_picture import encoded
from ..sources.picture import is_still, read_picture
from .limits import PICTURE_BYTES


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A picture of a source, with boxes and labels."""

    jpeg: bytes
    stamp: int  # when it was written, in ns since 1970


class Runs:
    """The run in a folder, or the newest of the runs in it; looked for anew each time."""

    def __init__(self, folder: Path):
        self._folder = folder

    def current(self) -> RunFolder | None:
        """None where there is none."""
        with suppress(OSError, FacepipeError):
            path = self._folder if os.path.lexists(self._folder / RUN) else newest_run(self._folder)
            if path is not None:
                run = RunFolder(path)
                run.look()
                return run if run.run is not None else None
        return None

    def source(self, name: str) -> SourceOfRun | None:
        """None where no run has one of this name."""
        run = self.current()
        below = next((b for b, known in run.sources.items() if known == name), None) if run else None
        return None if below is None else SourceOfRun(run, below)


class SourceOfRun:
    """One source of one run. For one client, and for one thread at a time."""

    def __init__(self, run: RunFolder, below: str):
        """`below`: the folder of its results in that of the run, "" for that itself."""
        self.run = run.run
        self._folder, self._below = run, below
        self._events = EventFile(run.folder_of(below), Place())
        self._is_removed = False

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more, as of the last `look`."""
        return self._is_removed or self._folder.is_over or self._folder.run != self.run

    def look(self) -> None:
        """Look whether the run goes on."""
        self._folder.look()
        try:
            os.lstat(self._folder.path / RUN)
        except FileNotFoundError:  # It is written by replacing it: without it, the folder has been removed.
            self._is_removed = True
        except OSError:
            pass  # It cannot be read at the moment, and may be there.

    def snapshot(self, newer_than: int = 0) -> Snapshot | None:
        """The newest picture: the one that the run leaves now and then, or else the last that it has written.

        None where there is none, or none with a `stamp` above `newer_than`.
        """
        with suppress(OSError):
            return self._left(newer_than)
        for path in self._annotated():
            with suppress(OSError, FacepipeError, cv2.error, av.FFmpegError):
                stamp = path.stat().st_mtime_ns
                if stamp <= newer_than:
                    return None
                pixels = read_picture(path, path.name)[0] if is_still(path) else _last_frame(path)
                return Snapshot(encoded(pixels), stamp)
        return None

    def events_after(self, last: int) -> list[Event]:
        """The next events, a few at once, without those up to the number `last`; empty where there are none yet."""
        while events := self._next_events():
            if later := [event for event in events if event.number > last]:
                return later
        return []

    def _next_events(self) -> list[Event]:
        with suppress(OSError):
            return self._events.read(BLOCK, time.monotonic())
        return []

    def _left(self, newer_than: int) -> Snapshot | None:
        """Raises `OSError` where the run leaves none."""
        with open_plain(self._folder.path / CONNECT / picture_name(self._below)) as file:
            stamp = os.fstat(file.fileno()).st_mtime_ns
            return Snapshot(file.read(PICTURE_BYTES), stamp) if stamp > newer_than else None

    def _annotated(self) -> Iterator[Path]:
        """The finished files of annotated pictures, the newest first."""
        with suppress(OSError):
            pieces = pieces_in(self._folder.path / self._below)
            files = [path for piece in pieces for path in (piece / ANNOTATED).rglob("*") if _is_plain(path)]
            yield from sorted(files, key=lambda path: -path.stat().st_mtime_ns)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".")


def _last_frame(path: Path) -> np.ndarray:
    """The last frame of a video, uint8 (H, W, 3) BGR; raises `av.FFmpegError`."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        if container.duration:
            container.seek(max(0, container.duration - 2 * av.time_base))
        last = None
        for frame in container.decode(video):
            last = frame
        if last is None:
            raise av.InvalidDataError(0, f"{path} has no frame")
        return last.to_ndarray(format="bgr24")
