"""How many frames of a live source are under way at once, so that what is handed out can still be in time. Pure."""

from __future__ import annotations

LEAST = 1 / 4  # frames: one in four deadlines, so that a source that was hit is back in seconds


class CongestionWindow:
    """TCP's congestion window, of frames: halved by one that came too late, one more after as many as it has in time.

    Workers say how much they take, see `shares`; render does not. It is shared by sources that know nothing of each
    other. If each of them always had as many frames there as one source may, more sources would be more waiting, and
    from some number on every frame would be too late.
    """

    def __init__(self, most: int, deadline_s: float):
        """`most`: as many frames as are never too many for one source; what is seen once a deadline counts once."""
        self._most, self._deadline_s = most, deadline_s
        self._frames = float(most)
        self._cut_s = float("-inf")

    def frames(self, idle_s: float) -> int:
        """So many may be under way, if the last one was handed out so long ago; below one they are far apart."""
        return int(self._frames) or int(idle_s * self._frames >= self._deadline_s)

    def in_time(self) -> None:
        """A frame was finished before its deadline."""
        self._frames = min(self._most, self._frames + min(self._frames, 1 / self._frames))

    def late(self, now_s: float) -> None:
        """A frame that was under way was not finished before its deadline."""
        if now_s - self._cut_s >= self._deadline_s:  # What was under way by then was handed out before the cut.
            self._frames, self._cut_s = max(LEAST, self._frames / 2), now_s
