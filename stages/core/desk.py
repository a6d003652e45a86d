"""A worker's half of the delivery rules: what lies on its desk for one capture, and what it says about it.

Pure, like `flow` and `join`. A worker keeps nothing that is not on its desk: what a new welcome sweeps away, capture
sends again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from stages.core import limits
from stages.core.messages import Crops, Finish, Frame, Welcome, WorkerRefused


@dataclass(slots=True)
class Desk:
    """The work of one worker for one capture."""

    room: int = limits.ROOM
    run: str = ""  # "" before the first welcome
    source: str | None = None
    epoch: int = 0
    account: int = 0
    received: int = 0  # the highest seq taken
    finished: int = 0  # the highest seq answered
    said: int = 0  # the highest seq that capture has been told is finished
    refused: str | None = None  # why capture does not take this worker
    served: bool = False  # capture has said that it needs nothing more
    waiting: deque[Frame | Crops] = field(default_factory=deque)
    ignored: int = 0  # pieces of another run or epoch

    def take(self, message: Welcome | WorkerRefused | Frame | Crops | Finish) -> bool:
        """Take one message; return whether it has to be answered with a hello."""
        match message:
            case Welcome():
                if (message.run, message.epoch, message.account) != (self.run, self.epoch, self.account):
                    self._start_anew(message)
                return True
            case WorkerRefused():
                self.refused = message.reason
            case Frame() | Crops():
                if (message.run, message.epoch, message.source) == (self.run, self.epoch, self.source):
                    self.waiting.append(message)
                    self.received = max(self.received, message.seq)
                else:
                    self.ignored += 1
            case Finish():
                if message.epoch == self.epoch:
                    self.served = True
                    self.waiting.clear()
        return False

    def answered(self, piece: Frame | Crops) -> None:
        """A piece has been answered; pieces are answered in the order in which they came."""
        if piece.epoch == self.epoch and piece.run == self.run:
            self.finished = max(self.finished, piece.seq)

    @property
    def credit_is_spent(self) -> bool:
        """Whether capture, by what it has been told, can send nothing more: then it must hear of what is finished.

        As long as it can, the regular beat is soon enough, and half of the messages about credit are saved.
        """
        return self.finished > self.said and self.received - self.said >= self.room

    def told(self) -> None:
        """Capture has been told what is finished, by a beat or by the crops of a frame."""
        self.said = self.finished

    def _start_anew(self, welcome: Welcome) -> None:
        self.run, self.source = welcome.run, welcome.source
        self.epoch, self.account = welcome.epoch, welcome.account
        self.received = self.finished = self.said = 0
        self.refused, self.served = None, False
        self.waiting.clear()
