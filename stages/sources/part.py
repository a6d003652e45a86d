"""Which part of every video is read: from when to when, and how many frames of each second. Pictures are read whole."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Times are differences of floats: a frame that is at 0.2 s may be at 0.19999999999999996 s here. The finest time base
# that videos have is a thousand times coarser than this.
_SAME_S = 1e-7


@dataclass(frozen=True, slots=True)
class Part:
    """Times are a frame's own, in seconds from the first frame of its video; `Part()` is the whole of it."""

    start_s: float = 0.0  # the first frame that is read is at this time, or the next one after it
    end_s: float = math.inf  # the first frame that is not read any more is at this time, or after it
    fps: float | None = None  # at most so many frames of each second, evenly; None: all

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self == Part()

    @property
    def words(self) -> str:
        """For the line at the start: "from 90 s to 120 s, 5 of each second"."""
        said = [f"from {self.start_s:g} s"] if self.start_s else []
        said += [f"to {self.end_s:g} s"] if self.end_s < math.inf else []
        return ", ".join(filter(None, [" ".join(said), f"{self.fps:g} of each second" if self.fps else ""]))

    def rate(self, rate: float) -> float:
        """The nominal frames a second of what is read of a video with this `rate`."""
        return min(rate, self.fps) if self.fps else rate

    def expected(self, frames: int, rate: float) -> int:
        """About how many of a video's frames are read."""
        length_s = max(0.0, min(self.end_s, frames / rate) - self.start_s)
        return round(length_s * self.rate(rate))

    def is_over(self, time_s: float) -> bool:
        """Whether no frame from this time on is read."""
        return time_s > self.end_s - _SAME_S

    def chooser(self) -> Chooser:
        """For one reading of one video."""
        return Chooser(self)


class Chooser:
    """Chooses the frames of one video, which it is shown in order. It goes by their times alone: it is always the same.

    With `fps` a second has so many slots of equal length, from `start_s` on; the first frame in each is read.
    """

    def __init__(self, part: Part):
        self._part, self._slot = part, -1

    def takes(self, time_s: float) -> bool:
        """Whether the frame at this time is read."""
        part = self._part
        if time_s < part.start_s - _SAME_S or part.is_over(time_s):
            return False
        if part.fps is None:
            return True
        slot = math.floor((time_s - part.start_s) * part.fps + _SAME_S * max(1.0, part.fps))
        is_new, self._slot = slot > self._slot, slot
        return is_new
