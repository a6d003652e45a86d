"""Compares the lines of results.jsonl with the annotated pictures and videos: which frames are not in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..layout import RESULTS
from ..results.atomic import is_plain, open_plain
from ..results.jsonl import Line, lines_of
from ..results.source_folder import SourceFolder
from .segments import TIME_BASE, segments_folder, times_in, times_of

SHOWN = 5  # sentences; what is missing further on is counted
TOLERANCE = 10  # units of TIME_BASE: lines have four decimals, and half of the last one is 4.5
# A kill leaves the last line without its picture, and the muxer holds the picture before it until it has its duration.
USUAL = 2


@dataclass(slots=True)
class Missing:
    """Frames that have a line, and no picture or none that is whole."""

    first: Line | None = None
    frames: int = 0
    earlier: int = 0  # others, before the frame from which on they are listed
    is_usual: bool = True  # no more than what a kill leaves: the last frames
    _runs: list[tuple[Path, int, int]] = field(default_factory=list)  # of frames that follow each other
    _others: int = 0  # frames that are in none of these

    def add(self, line: Line, output: Path) -> None:
        self.first = self.first or line
        self.frames += 1
        if self._runs and self._runs[-1][0] == output and self._runs[-1][2] == line.frame - 1:
            self._runs[-1] = (output, self._runs[-1][1], line.frame)
        elif len(self._runs) < SHOWN:
            self._runs.append((output, line.frame, line.frame))
        else:
            self._others += 1

    def there(self) -> None:
        """A later frame is whole."""
        if self.frames:
            self.is_usual = False

    def sentences(self) -> list[str]:
        """What is missing, for a person: "frames 30 to 49 are in results.jsonl but not in annotated/clip.mp4"."""
        said = []
        for output, first, last in self._runs:
            frames = f"frame {first} is" if first == last else f"frames {first} to {last} are"
            said.append(f"{frames} in {RESULTS} but not in {output.parent.name}/{output.name}")
        return said + ([f"{self._others} other frames are missing too"] if self._others else [])


def missing_in(
    place: SourceFolder, source: str, begins: int = 0, number: int = 0, *, only: bool = False, since: int = 0
) -> Missing:
    """Compare the lines from the byte `begins` on, before which there are `number` lines, with what is annotated.

    `only`: only the lines of the file of the first of them; `since`: of frames before it is only counted what is
    missing. Raises `NotALine` and `OSError`.
    """
    missing, shown = Missing(), None
    for line in lines_of(place.results, begins, number):
        if shown is None or line.file != shown.file:
            if shown is not None and only:
                break
            shown = _Annotated(place, source, line)
        if shown.has(line):
            missing.there()
        elif line.frame < since:
            missing.earlier += 1
        else:
            missing.add(line, shown.output)
    missing.is_usual = missing.is_usual and missing.frames <= USUAL
    return missing


class _Annotated:
    """What is annotated of one file of a source, to be asked for its frames in their order."""

    def __init__(self, place: SourceFolder, source: str, first: Line):
        self.file = first.file
        video = place.video(source, first.file)
        still = place.still(source, first.file)
        self._times: Iterator[int] = iter(())
        self._is_still = False
        self.output = video
        if segments_folder(video).is_dir():
            self._times = times_in(segments_folder(video))
        elif is_plain(video):
            self._times = times_of(video, first.time, None if first.file is None else first.frame)
        elif is_plain(still):
            self.output, self._is_still = still, is_picture(still)
        self._next = next(self._times, None)
        self._last: int | None = None

    def has(self, line: Line) -> bool:
        """Whether the frame is there and whole."""
        if self._is_still:
            self._is_still = False  # It is one frame.
            return True
        due = round(line.time / TIME_BASE)
        if self._last is not None:
            due = max(due, self._last + 1)  # As the video has them: its times ascend.
        self._last = due
        while self._next is not None and self._next < due - TOLERANCE:
            self._next = next(self._times, None)
        if self._next is None or self._next > due + TOLERANCE:
            return False
        self._next = next(self._times, None)
        return True


def is_picture(path: Path) -> bool:
    """Whether a file begins and ends as a JPEG or PNG does: one that was cut short, emptied or zeroed does not."""
    try:
        with open_plain(path) as file:
            head = file.read(8)
            file.seek(-min(12, os.fstat(file.fileno()).st_size), os.SEEK_END)
            tail = file.read()
    except OSError:
        return False
    if head.startswith(b"\xff\xd8\xff"):
        return tail.endswith(b"\xff\xd9")
    return head == b"\x89PNG\r\n\x1a\n" and tail[-8:-4] == b"IEND"
