"""From the times of frames to those of a stream, which goes on while no frame comes: pure."""

from __future__ import annotations

from ..sinks.segments import TIME_BASE

# Frames keep the distances that they have in their source, as long as that is about as fast as they are finished.
_LATE_S = 0.5  # what a frame may be behind the clock: a file that is analysed more slowly than it plays
_EARLY_S = 0.2  # what it may be ahead: a file that is analysed faster


class StreamClock:
    """Times in units of TIME_BASE, from 0 on, each above the one before."""

    def __init__(self, now_s: float):
        """`now_s`: a monotonic clock, as in all that follows."""
        self._began_s, self._last = now_s, -1
        self._offset_s: float | None = None  # from the time of a frame to that of the stream

    def of_frame(self, time_s: float, now_s: float) -> int:
        """The time of a frame that is at `time_s` in its source."""
        elapsed_s = now_s - self._began_s
        if self._offset_s is None or not -_LATE_S <= time_s + self._offset_s - elapsed_s <= _EARLY_S:
            self._offset_s = elapsed_s - time_s  # At first; and where the source jumps, loops or is not kept up with.
        return self._next(time_s + self._offset_s)

    def of_repeat(self, now_s: float) -> int:
        """The time at which the last picture is shown again, because there is no other."""
        return self._next(now_s - self._began_s)

    def _next(self, seconds: float) -> int:
        self._last = max(round(seconds / TIME_BASE), self._last + 1)
        return self._last
