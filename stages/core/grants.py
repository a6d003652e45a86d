"""What capture signs of every piece of work, so that nobody answers what was not given to him. Pure.

A grant travels with the piece to the worker and with the answer to render. It says which task it is, and to whom it
was given; capture and render alone know the key that it is signed with. So render takes parts of no frame that capture
has not handed out, and whoever gives an answer that cannot be taken is known, whatever he says of himself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

_GRANT = re.compile(r"([0-9]{1,16}) ([0-9]{1,16}) ([0-9]{1,16}) ([0-9]{1,3}) (\S{0,64}) (\S{1,64}) ([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work, as it was given to one worker."""

    worker: int  # the number that capture's flow has given it
    frame: int
    attempt: int
    faces: int  # of the crops; 0 for detect
    boxes: str  # hash of the boxes that they were cut along; "" for detect
    stage: str


class Grants:
    """Signs and reads the grants of one epoch of one source."""

    def __init__(self, key: str, epoch: int):
        """`key`: made by capture for this epoch, and told to render."""
        self._key, self._epoch = key.encode()[:64], epoch

    def sign(self, task: Task) -> str:
        """The grant of a task."""
        said = f"{task.worker} {task.frame} {task.attempt} {task.faces} {task.boxes} {task.stage}"
        return f"{said} {self._signature(said)}"

    def task(self, grant: object) -> Task | None:
        """The task of a grant; None for one that capture has not signed in this epoch."""
        found = _GRANT.fullmatch(grant) if isinstance(grant, str) else None
        if found is None or not hmac.compare_digest(found[7], self._signature(grant[: found.start(7) - 1])):
            return None
        return Task(int(found[1]), int(found[2]), int(found[3]), int(found[4]), found[5], found[6])

    def _signature(self, said: str) -> str:
        return hashlib.blake2b(f"{self._epoch} {said}".encode(), digest_size=16, key=self._key).hexdigest()
