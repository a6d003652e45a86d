"""Which pieces of work may be the cause of a worker's end, and when one is given up. Pure.

A piece is what one stage has to say about one frame. What a worker held when it ended by its own doing is suspect, and
is handed out again alone; only an end that comes while a worker has a piece alone is a strike against it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass

OWN_DOING = ("exit", "hang")  # causes of a worker's end that may lie in what it held
KILLS_SUSPECT = 3  # so many kills from outside over one piece, and it is handed out alone: it costs nothing
KILLS_ALONE = 10  # so many kills from outside over one piece alone: that is the kernel's memory killer


@dataclass(slots=True)
class _Ends:
    """Of workers that held one piece."""

    strikes: int = 0  # by their own doing, with this piece alone
    kills: int = 0  # from outside, in a row, with others beside it
    kills_alone: int = 0


class Suspects:
    """The suspect pieces of one source."""

    def __init__(self, stages: Iterable[str], tries: int):
        """`tries`: so many strikes, and a piece is given up."""
        self._tries = tries
        self._frames: dict[str, set[int]] = {stage: set() for stage in stages}
        self._ends: defaultdict[tuple[str, int], _Ends] = defaultdict(_Ends)

    def of(self, stage: str) -> Set[int]:
        """The frames whose piece of this stage is to be handed out alone."""
        return self._frames[stage]

    def ended(self, stage: str, frame: int, cause: str, alone: bool) -> str | None:
        """A worker has ended that held this piece, perhaps alone; returns why it is given up, if it is."""
        if cause not in OWN_DOING:
            return self._kill(stage, frame, alone)
        how = "hung" if cause == "hang" else "ended"
        return self._strike(stage, frame, alone, f"{stage} {how} {self._tries} times at this frame")

    def failed(self, stage: str, frame: int, reason: str, alone: bool) -> str | None:
        """A worker could not answer this piece, and lives; returns why it is given up, if it is."""
        return self._strike(stage, frame, alone, f"{stage} failed {self._tries} times at this frame: {reason}")

    def clear(self, stage: str, frame: int) -> None:
        """A piece was survived, or is not wanted any more."""
        self._frames[stage].discard(frame)

    def forget(self, frame: int) -> None:
        """A frame is done."""
        for stage, frames in self._frames.items():
            frames.discard(frame)
            self._ends.pop((stage, frame), None)

    def _strike(self, stage: str, frame: int, alone: bool, reason: str) -> str | None:
        self._frames[stage].add(frame)
        if not alone:
            return None
        ends = self._ends[stage, frame]
        ends.strikes += 1
        return reason if ends.strikes >= self._tries else None

    def _kill(self, stage: str, frame: int, alone: bool) -> str | None:
        """Kills from outside are no strikes; so many in a row over one piece that nobody could mean it are."""
        ends = self._ends[stage, frame]
        if alone:
            ends.kills_alone += 1
            given_up = ends.kills_alone >= KILLS_ALONE
            return f"{stage} was killed {KILLS_ALONE} times at this frame" if given_up else None
        ends.kills += 1
        if ends.kills >= KILLS_SUSPECT:
            self._frames[stage].add(frame)
        return None
