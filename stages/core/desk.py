"""A worker's half of the delivery rules: what lies on its desk for one capture, and what it says about it.

Pure, like `flow` and `join`. A worker keeps nothing that is not on its desk: what a new welcome sweeps away, capture
sends again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from stages.core import limits
from stages.core.messages import Crops, Finish, Frame, Reserve, Welcome, WorkerRefused

HELD_S = 0.1  # so long answers wait for others, where capture gathers pieces
AT_ONCE_S = 0.03  # of work, that is to travel at once
LATELY = 0.2  # the weight of the last pieces in what one takes


@dataclass(slots=True)
class Desk:
    """The work of one worker for one capture."""

    most: int = limits.ROOM  # pieces that capture gives at most
    piece_s: float | None = None  # what a piece has taken of processor time lately
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
    asked: bool = False  # capture wants this worker to take one piece alone, and nothing else beside it
    is_alone: bool = False  # capture has been told that the desk is empty; the next piece is that one
    _held: list[Frame | Crops] = field(default_factory=list)  # taken in this account and not answered yet

    def take(self, message: Welcome | WorkerRefused | Frame | Crops | Reserve | Finish) -> bool:
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
                    self._held.append(message)
                    self.received = max(self.received, message.seq)
                else:
                    self.ignored += 1
            case Reserve():
                if (message.run, message.epoch, message.source) == (self.run, self.epoch, self.source):
                    self.asked = True
            case Finish():
                if message.epoch == self.epoch:
                    self.served, self.asked, self.is_alone = True, False, False
                    self._sweep()
        return False

    def clear_for_one(self) -> bool:
        """Whether `reserved` is to be said now: asked for, not said yet, and nothing is left to be done before."""
        if not self.asked or self.is_alone or self.waiting:
            return False
        self.is_alone = True
        return True

    def answered(self, piece: Frame | Crops) -> None:
        """A piece has been answered; pieces are answered in the order in which they came."""
        if not any(piece is held for held in self._held):
            return  # It was taken before the last welcome; its number would count as that of another one.
        self._held = [held for held in self._held if held is not piece]
        self.finished = max(self.finished, piece.seq)
        if self.is_alone:
            self.asked = self.is_alone = False

    def worked(self, seconds: float, pieces: int) -> None:
        """So many pieces have taken so long together."""
        each_s = seconds / pieces
        self.piece_s = each_s if self.piece_s is None else self.piece_s + LATELY * (each_s - self.piece_s)

    @property
    def room(self) -> int:
        """How many pieces can lie here: beside the two what is done while answers are held, and while they travel.

        A worker that takes long over each has nothing of more than two.
        """
        if self.piece_s is None or self.most <= limits.ROOM:
            return min(self.most, limits.ROOM)
        return min(self.most, limits.ROOM + int(2 * AT_ONCE_S / max(self.piece_s, AT_ONCE_S / limits.MOST_ROOM)))

    @property
    def held_s(self) -> float:
        """How long an answer may wait for others, to travel with them."""
        return HELD_S if self.room > limits.ROOM and not self.is_alone else 0.0

    @property
    def credit_is_spent(self) -> bool:
        """Whether capture, by what it has been told, can send nothing more: then it must hear of what is finished.

        As long as it can, the regular beat is soon enough, and half of the messages about credit are saved. Where
        pieces are gathered, it waits until it can send several, or nothing is left to do here.
        """
        is_gathered = self.room > limits.ROOM
        return self.finished > self.said and (is_gathered or self.received - self.said >= self.room)

    def told(self) -> None:
        """Capture has been told what is finished, by a beat or by the crops of a frame."""
        self.said = self.finished

    def _start_anew(self, welcome: Welcome) -> None:
        self.run, self.source = welcome.run, welcome.source
        self.epoch, self.account, self.most = welcome.epoch, welcome.account, min(welcome.room, limits.MOST_ROOM)
        self.received = self.finished = self.said = 0
        self.refused, self.served = None, False
        self.asked = self.is_alone = False
        self._sweep()

    def _sweep(self) -> None:
        self.waiting.clear()
        self._held.clear()
