"""Where a piece of the results ends, and which old ones go: pure, from what is written of the frames.

So a process that was killed anywhere and goes on finds the same borders.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .. import time_of_day
from ..decimals import rounded

# Periods of the source's time, after which a piece ends also where the clock was set back. One would be too few: where
# the clock is a little slower than the time, the rest of its hour would be a piece.
LONGEST = 2


@dataclass(frozen=True, slots=True)
class Moment:
    """When a frame was, as its line says it."""

    time: float  # seconds of the source
    clock: str | None = None  # of a live source: the time of day, as in `time_of_day`

    @classmethod
    def of(cls, time_s: float, clock_s: float | None) -> Moment:
        """That of a frame, rounded as it is written."""
        return cls(rounded(time_s), None if clock_s is None else time_of_day.written(clock_s))

    @property
    def seconds(self) -> float:
        """To be compared with those of other frames of the source."""
        return self.time if self.clock is None else time_of_day.read(self.clock).timestamp()

    def period(self, every_s: float) -> int:
        """The number of the period of this length that it falls into; periods of an hour begin at the full hour."""
        if self.clock is None:
            return math.floor(self.time / every_s)
        moment = time_of_day.read(self.clock)
        return math.floor((moment.timestamp() + moment.utcoffset().total_seconds()) / every_s)


class Borders:
    """Tells of each frame of a source whether it begins another piece. A video of a folder is never divided."""

    def __init__(self, every_s: float):
        self._every_s = every_s
        self._period: int | None = None  # of the frame that began the piece; None: it has no frame
        self._elapsed_s = 0.0  # since then, in time of the source
        self._last: Moment | None = None

    def is_border(self, moment: Moment, file: str | None) -> bool:
        """Whether the next frame, at this moment, belongs to another piece than the frames before it."""
        if self._period is None or file is not None:
            return False
        return moment.period(self._every_s) > self._period or self._elapsed(moment) >= LONGEST * self._every_s

    def step(self, moment: Moment, file: str | None) -> None:
        """Take the next frame."""
        if self._period is None or self.is_border(moment, file):
            self._period, self._elapsed_s = moment.period(self._every_s), 0.0
        else:
            self._elapsed_s = self._elapsed(moment)
        self._last = moment

    def _elapsed(self, moment: Moment) -> float:
        return self._elapsed_s + max(0.0, moment.time - self._last.time)


def expired(
    ends_s: Iterable[float], sizes: Sequence[int], now_s: float, keep_s: float | None, keep_bytes: int | None
) -> int:
    """How many of the finished pieces go, the oldest first; the newest of them always stays.

    `ends_s`: when each of them ended, in seconds as `now_s`, the moment of the frame that begins the next piece; no
    more of them are taken than are needed. `sizes`: their bytes.
    """
    gone, left = 0, sum(sizes)
    for size, end_s in zip(sizes[:-1], ends_s, strict=False):
        is_old = keep_s is not None and now_s - end_s > keep_s
        is_beyond = keep_bytes is not None and left > keep_bytes
        if not (is_old or is_beyond):
            break
        gone, left = gone + 1, left - size
    return gone
