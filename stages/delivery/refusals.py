"""Whose answers were not taken, for capture to hear. Pure."""

from __future__ import annotations

from ..protocol import limits
from .grants import Assignment

MOST_CHARACTERS = 300  # of a reason


class Refusals:
    """What was not taken in one epoch of a source, until capture has done something about it.

    It is said in every acknowledgement, because one may be lost: once for each worker, who is given nothing more after
    the first of them. So a worker that goes on has no effect, and cannot push others out.
    """

    def __init__(self):
        self._refused: dict[tuple[str, int], tuple[int, str, int, str]] = {}  # stage and worker -> what is said of it

    def add(self, assignment: Assignment, reason: str) -> bool:
        """Whether this is the first one of its worker."""
        if (assignment.stage, assignment.worker) in self._refused:
            return False
        while len(self._refused) >= limits.REFUSALS:
            del self._refused[next(iter(self._refused))]
        said = assignment.frame, assignment.stage, assignment.worker, reason[:MOST_CHARACTERS]
        self._refused[assignment.stage, assignment.worker] = said
        return True

    def listed(self) -> list[tuple[int, str, int, str]]:
        """As an acknowledgement carries them."""
        return list(self._refused.values())
