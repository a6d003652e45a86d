"""A source that is read again and again, until somebody ends the run."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace

from ..frames import Picture
from .base import Source, SourceError


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
                    yield _later(picture, number * seconds)
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


def _later(picture: Picture, by_s: float) -> Picture:
    return replace(picture, time=picture.time + by_s) if picture.rate else picture
