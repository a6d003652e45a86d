"""Which tasks may be the cause of a worker's end, and when one is given up. Pure.

A task is what one stage has to say about one frame. What a worker held when it ended by its own fault is quarantined:
it is handed out again in isolation; only an end of a worker that has it in isolation counts as a failure of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass

OWN_FAULT = ("exit", "hang")  # causes of a worker's end that may lie in what it held
KILLS_TO_QUARANTINE = 3  # so many kills from outside over one task, and it is handed out in isolation: it costs nothing
KILLS_ISOLATED = 10  # so many kills from outside over one task in isolation: that is the kernel's memory killer


@dataclass(slots=True)
class _Ends:
    """Of workers that held one task."""

    failures: int = 0  # by their own fault, with this task in isolation
    kills: int = 0  # from outside, in a row, with others beside it
    kills_isolated: int = 0


class Quarantine:
    """The quarantined tasks of one source."""

    def __init__(self, stages: Iterable[str], tries: int):
        """`tries`: after so many failures a task is given up."""
        self._tries = tries
        self._frames: dict[str, set[int]] = {stage: set() for stage in stages}
        self._ends: defaultdict[tuple[str, int], _Ends] = defaultdict(_Ends)

    def of(self, stage: str) -> Set[int]:
        """The frames whose task of this stage is to be handed out in isolation."""
        return self._frames[stage]

    def ended(self, stage: str, frame: int, cause: str, isolated: bool) -> str | None:
        """A worker has ended that held this task, perhaps in isolation; returns why it is given up, if it is."""
        if cause not in OWN_FAULT:
            return self._kill(stage, frame, isolated)
        how = "hung" if cause == "hang" else "ended"
        return self._count_failure(stage, frame, isolated, f"{stage} {how} {self._tries} times at this frame")

    def failed(self, stage: str, frame: int, reason: str, isolated: bool) -> str | None:
        """A worker could not answer this task, and lives; returns why it is given up, if it is."""
        return self._count_failure(
            stage, frame, isolated, f"{stage} failed {self._tries} times at this frame: {reason}"
        )

    def clear(self, stage: str, frame: int) -> None:
        """A task was survived, or is not wanted any more."""
        self._frames[stage].discard(frame)

    def forget(self, frame: int) -> None:
        """A frame is done."""
        for stage, frames in self._frames.items():
            frames.discard(frame)
            self._ends.pop((stage, frame), None)

    def _count_failure(self, stage: str, frame: int, isolated: bool, reason: str) -> str | None:
        self._frames[stage].add(frame)
        if not isolated:
            return None
        ends = self._ends[stage, frame]
        ends.failures += 1
        return reason if ends.failures >= self._tries else None

    def _kill(self, stage: str, frame: int, isolated: bool) -> str | None:
        """Kills from outside are no failures; so many in a row over one task that nobody could mean it are."""
        ends = self._ends[stage, frame]
        if isolated:
            ends.kills_isolated += 1
            given_up = ends.kills_isolated >= KILLS_ISOLATED
            return f"{stage} was killed {KILLS_ISOLATED} times at this frame" if given_up else None
        ends.kills += 1
        if ends.kills >= KILLS_TO_QUARANTINE:
            self._frames[stage].add(frame)
        return None
