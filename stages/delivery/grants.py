"""What capture signs of every task, so that nobody answers what was not given to him. Pure.

A grant travels with the task to the worker and with the answer to render. It says which task it is, and to whom it
was given; capture and render alone know the key that it is signed with. So render takes parts of no frame that capture
has not handed out, and whoever gives an answer that cannot be taken is known, whatever he says of himself.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from ..protocol import limits
from ..protocol.generations import Attempt, Epoch

REASON_CHARACTERS = 300  # of why an answer was not taken
_SIGNATURE = 32  # characters


@dataclass(frozen=True, slots=True)
class Assignment:
    """One task, as it was given to one worker."""

    worker: int  # the number that capture's dispatcher has given it
    frame: int
    attempt: Attempt
    faces: int  # of the crops; 0 for detect
    boxes_hash: str  # hash of the boxes that they were cut along; "" for detect
    stage: str


class Grants:
    """Signs and reads the grants of one epoch of one source."""

    def __init__(self, key: str, epoch: Epoch):
        """`key`: made by capture for this epoch, and told to render."""
        self._begun = hashlib.blake2b(f"{epoch} ".encode(), digest_size=_SIGNATURE // 2, key=key.encode()[:64])

    def sign(self, assignment: Assignment) -> str:
        """The grant of a task."""
        of = assignment
        said = f"{of.worker} {of.frame} {of.attempt} {of.faces} {of.boxes_hash} {of.stage}"
        return f"{said} {self._signature(said)}"

    def assignment(self, grant: object) -> Assignment | None:
        """The task of a grant; None for one that capture has not signed in this epoch."""
        if not isinstance(grant, str) or not grant.isascii() or len(grant) > limits.NAME_CHARACTERS:
            return None
        said, _, signature = grant.rpartition(" ")
        words = said.split(" ")
        if len(words) != 6 or not hmac.compare_digest(signature, self._signature(said)):
            return None  # What boxes are called is a worker's word: it may have spaces in it.
        worker, frame, attempt, faces, boxes_hash, stage = words
        return Assignment(int(worker), int(frame), int(attempt), int(faces), boxes_hash, stage)

    def _signature(self, said: str) -> str:
        signed = self._begun.copy()
        signed.update(said.encode())
        return signed.hexdigest()


class Refusals:
    """Whose answers were not taken in one epoch of a source, until capture has done something about it.

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
        said = assignment.frame, assignment.stage, assignment.worker, reason[:REASON_CHARACTERS]
        self._refused[assignment.stage, assignment.worker] = said
        return True

    def listed(self) -> list[tuple[int, str, int, str]]:
        """As an acknowledgement carries them."""
        return list(self._refused.values())
