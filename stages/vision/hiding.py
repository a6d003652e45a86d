"""Where faces are to be hidden in the frames of one source: where they are, may be, and were a moment ago.

Pure, and given what stands in results.jsonl: a new one that is given the lines of the file goes on as if it had been
there from the start, so what is hidden does not depend on which process hides it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .tracking import Box, Tracker

HOLD_S = 2.0  # for so long a face that is not found any more stays hidden: people turn away, and back
DOUBTFUL_S = 1.0  # and what may be one
CUT_S = 0.3  # so long everything stays hidden across a cut: it may be none, but a flash
_WIDER, _WIDER_A_SECOND = 1.33, 0.2  # of what is hidden then: nobody knows exactly where they are, and ever less


class HiddenPlaces:
    """Follows faces by trackers of its own, which remember longer than that of the ids."""

    def __init__(self, coast_s: float):
        """`coast_s`: a face out of sight is hidden for at least as long as its id is kept."""
        self._faces, self._all = Tracker(max(coast_s, HOLD_S)), Tracker(DOUBTFUL_S)
        self._file: str | None = None
        self._boxes: list[Box] = []
        self._before_cut: tuple[float, list[Box]] = (0.0, [])  # until when, and what was hidden then

    def update(
        self, file: str | None, time_s: float, faces: Sequence[Box], doubtful: Sequence[Box] = (), cut: bool = False
    ) -> list[Box]:
        """The boxes in which faces of a frame may be, in pixels.

        `faces`: those that were found; `doubtful`: what may be one; all of them rounded as they are written.
        """
        if file != self._file or cut:
            self._before_cut = (time_s + CUT_S, self._boxes if cut and file == self._file else [])
            self._faces.forget()
            self._all.forget()
        self._file = file
        self._faces.update(time_s, faces)
        self._all.update(time_s, [*faces, *doubtful])
        expected = [tracker.out_of_sight(_WIDER, _WIDER_A_SECOND) for tracker in (self._faces, self._all)]
        until_s, before = self._before_cut
        self._boxes = [*faces, *doubtful, *expected[0], *expected[1]]
        return [*self._boxes, *(before if time_s < until_s else [])]

    def to_json(self) -> dict:
        """All that it knows, for `take_up` of another one."""
        trackers = {"faces": self._faces.to_json(), "all": self._all.to_json()}
        return {"file": self._file, **trackers, "boxes": self._boxes, "before_cut": self._before_cut}

    def take_up(self, said: dict) -> None:
        """Go on from what another one knew; raises `KeyError`, `TypeError` and `ValueError` for nothing such."""
        self._file = said["file"]
        self._faces.take_up(said["faces"])
        self._all.take_up(said["all"])
        until_s, before = said["before_cut"]
        self._boxes, self._before_cut = _boxes(said["boxes"]), (float(until_s), _boxes(before))


def _boxes(said: list) -> list[Box]:
    return [(float(x), float(y), float(width), float(height)) for x, y, width, height in said]
