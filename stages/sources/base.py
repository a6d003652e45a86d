"""What every source is: a name, a description, and pictures in order; and one that is read again and again."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..errors import StartupRejected
from ..frames import Picture
from ..names import as_text, printable
from ..protocol.limits import NAME_CHARACTERS
from .part import Part
from .refusal import SourceError

PAUSE_S, PAUSE_MOST_S = 0.5, 5.0  # between two tries to open a live source that was lost
T = TypeVar("T")


class SourceAway(SourceError):
    """A live source that is not there now, and may be in a while."""

    def __init__(self, sentence: str, so_far: str):
        """`sentence`: what is wrong, when it is waited for no longer; `so_far`: the same while it is."""
        super().__init__(sentence)
        self.so_far = so_far


class EmptyPart(SourceError, StartupRejected):
    """The part of a source that was asked for holds no frame."""


class Source(ABC):
    """Pictures in order, by one reading at a time. Read again it yields the same, unless it is live."""

    name: str  # base name of the file or folder, camera0, host and path of a URL, demo; or the name given
    live = False  # camera, stream: what is not taken in time is lost, so frames are dropped rather than waited for
    description: str  # for one line: "1280 x 720 at 25 frames/s", "30 pictures and 2 videos"
    chosen: str | None = None  # of `auto`: which source was chosen, and how to choose another
    frames: int | None = None  # how many are to be expected, for the progress line only: a header may be wrong
    part = Part()  # what is read of every video
    notes: list[str]  # sentences that came up while reading: a file that was skipped, a video that ended early
    skipped = 0  # files that could not be read in this reading; they take no number
    cut_short = 0  # videos of this reading that lack frames: cut off, or damaged
    reconnect_s = 0.0  # live: so long a source that was lost is looked for again before its reading ends
    reconnections = 0  # how often it was lost and came back
    discarded = 0  # live: pictures that came and were not given
    tell: Callable[[str], None] = staticmethod(lambda sentence: None)  # what a person should know at once
    passed: Callable[[], None] = staticmethod(lambda: None)  # called with all that is decoded on the way to `start`

    def __init__(self, name: str, description: str):
        self.name = as_text(name)[:NAME_CHARACTERS]
        self.description = description
        self.notes = []
        self._reading: Generator[Picture, None, None] | None = None

    def take(self, part: Part) -> None:
        """Read this part of every video, and no more of it; to be called before the first reading."""
        self.part = part
        self.description = ", ".join(filter(None, [self.description, part.words]))

    def pictures(self, start: int = 0) -> Iterator[Picture]:
        """Read from frame `start`: decoded from the first to this very one, so that it is the same one every time.

        A live source cannot go back: it gives what comes, whatever `start` is. A reading that was under way ends.
        Raises `SourceError` here or while iterating.
        """
        if start < 0:
            raise ValueError(f"start is {start}; frames count from 0")
        self._end_reading()
        self._reading = self._read(start)
        return self._reading

    def close(self) -> None:
        """End the reading and give back what it held; call it on the thread that reads. May be called again."""
        self._end_reading()

    @abstractmethod
    def _read(self, start: int) -> Generator[Picture, None, None]:
        """A generator of the pictures from `start`; it frees what it holds when it is closed."""

    def _end_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _found_again(self, what: str, reopen: Callable[[], T]) -> T | None:
        """Open a live source anew that was lost, with pauses that grow; None where it stays away."""
        if not self.reconnect_s:
            return None
        self.tell(f"{what} is lost; looking for it for {so_long(self.reconnect_s)}")
        until_s, pause_s = time.monotonic() + self.reconnect_s, PAUSE_S
        while time.monotonic() < until_s:
            time.sleep(min(pause_s, max(0.0, until_s - time.monotonic())))
            try:
                opened = reopen()
            except SourceError:  # Not yet.
                pause_s = min(2 * pause_s, PAUSE_MOST_S)
                continue
            self.reconnections += 1
            self.tell(f"{what} is back")
            return opened
        return None

    def _note(self, sentence: str) -> None:
        if (sentence := printable(as_text(sentence))) not in self.notes:  # A second reading meets the same defects.
            self.notes.append(sentence)


class Loop(Source):
    """Frames count on from round to round, and so do the times of videos; read again it yields the same.

    In every round a video is later by the length of a round, which is that of what is read of the longest video.
    """

    def __init__(self, source: Source):
        super().__init__(source.name, f"{source.description}, again and again")
        self._source, self.notes, self.chosen = source, source.notes, source.chosen
        self._round: tuple[int, float] | None = None  # its frames and seconds, known after the first

    @property
    def skipped(self) -> int:
        return self._source.skipped

    @property
    def cut_short(self) -> int:
        return self._source.cut_short

    def _read(self, start: int) -> Generator[Picture, None, None]:
        try:
            if self._round is None:
                yield from self._first_round(start)
                start = max(start, self._round[0])
            frames, seconds = self._round
            number, skip = divmod(start, frames)  # Every round is the same: only the one that `start` lies in is read.
            while True:
                count = skip
                for picture in self._source.pictures(skip):
                    count += 1
                    yield _later(picture, number * seconds, begins_round=count == 1)
                if count != frames:
                    raise SourceError(
                        f"{self.name} had {frames} frames at first and {count} when it was read again: it was changed;"
                        " --replace begins anew."
                    )
                number, skip = number + 1, 0
        finally:
            self._source.close()

    def _first_round(self, start: int) -> Generator[Picture, None, None]:
        count, begin_s, end_s = 0, math.inf, 0.0
        for count, picture in enumerate(self._source.pictures(), 1):
            if picture.rate:
                begin_s, end_s = min(begin_s, picture.time), max(end_s, picture.time + 1 / picture.rate)
            if count > start:
                yield picture
        if not count:
            raise SourceError(f"{self.name} gives no frame that could be repeated.")
        self._round = count, max(0.0, end_s - begin_s)


def _later(picture: Picture, by_s: float, begins_round: bool) -> Picture:
    if not picture.rate:
        return picture
    return replace(picture, time=picture.time + by_s, cut=picture.cut or begins_round)  # From its end to its beginning.


def so_long(seconds: float) -> str:
    """How long something is waited for."""
    return f"{seconds:g} s" if seconds < math.inf else "as long as it takes"


def name_of(path: Path) -> str:
    """The base name, also of `.` and of the root of a disk."""
    return path.name or path.resolve().name or "folder"


def size_and_rate(width: int, height: int, rate: float | None) -> str:
    """1280 x 720 at 25 frames/s."""
    return f"{width} x {height}" + (f" at {rate:.4g} frames/s" if rate else "")
