"""Where faces are to be hidden in the frames of one source: where they are found, and where they were a moment ago.

Pure, and given what stands in results.jsonl: a new one that is given the lines of the file goes on as if it had been
there from the start, so what is hidden does not depend on which process hides it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .tracking import Box, Tracker

HOLD_S = 3.0  # for so long a face that is not found any more stays hidden: people turn away, and back
_WIDER, _WIDER_A_SECOND = 1.33, 0.4  # of what is hidden then: nobody knows exactly where they are, and ever less


class HiddenPlaces:
    """Follows faces by a tracker of its own, which remembers longer than that of the ids, and across cuts.

    A cut that is none, such as a flash, must not show a face; behind a true one, a few places are hidden for nothing.
    """

    def __init__(self, coast_s: float):
        """`coast_s`: what is out of sight is hidden for at least as long as its id is kept."""
        self._tracker = Tracker(max(coast_s, HOLD_S))
        self._file: str | None = None

    def update(self, file: str | None, time_s: float, boxes: Sequence[Box]) -> None:
        """Take the faces that were found in a frame, in pixels, rounded as they are written."""
        if file != self._file:
            self._tracker.forget()
            self._file = file
        self._tracker.update(time_s, boxes)

    def out_of_sight(self) -> list[Box]:
        """The boxes of faces that are hidden although the last frame has none found there."""
        return self._tracker.out_of_sight(_WIDER, _WIDER_A_SECOND)
