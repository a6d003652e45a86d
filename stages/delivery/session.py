"""A worker's half of the delivery rules: the tasks that it holds for one capture, and how it reports them.

Pure, like `dispatcher` and `joiner`. A worker keeps nothing beyond its session: what a new welcome clears, capture
sends again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ..protocol import limits
from ..protocol.generations import Epoch, Run, SessionId
from ..protocol.messages import Crops, Finish, Frame, Isolate, Welcome, WorkerRefused

LINGER_S = 0.1  # so long an answer waits for others, where tasks travel in batches
BATCH_WORK_S = 0.03  # of work in one batch
SMOOTHING = 0.2  # the weight of the last tasks in what one takes


@dataclass(slots=True, eq=False)
class WorkerSession:
    """The work of one worker for one capture."""

    most: int = limits.CREDIT  # tasks that capture gives at most
    task_s: float | None = None  # what a task has taken of processor time lately
    elapsed_s: float | None = None  # the same, with what the worker has waited for the processor
    run: Run = ""  # "" before the first welcome
    source: str | None = None
    epoch: Epoch = 0
    session_id: SessionId = 0
    received: int = 0  # the highest seq taken
    finished: int = 0  # the highest seq answered
    reported: int = 0  # the highest seq that capture has been told is finished
    stated: int = 0  # the credit that capture was told last
    unused_since_s: float | None = None  # since when it has had credit that it does not use
    refused: str | None = None  # why capture does not take this worker
    served: bool = False  # capture has said that it needs nothing more
    waiting: deque[Frame | Crops] = field(default_factory=deque)
    ignored: int = 0  # tasks of another run or epoch
    # capture wants this worker to take one task in isolation, and nothing else beside it
    isolation_requested: bool = False
    is_isolated: bool = False  # capture has been told that the session is empty; the next task is that one
    _held: list[Frame | Crops] = field(default_factory=list)  # taken in this session and not answered yet

    def take(self, message: Welcome | WorkerRefused | Frame | Crops | Isolate | Finish) -> bool:
        """Take one message; return whether it has to be answered with a hello."""
        match message:
            case Welcome():
                if (message.run, message.epoch, message.session_id) != (self.run, self.epoch, self.session_id):
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
            case Isolate():
                if (message.run, message.epoch, message.source) == (self.run, self.epoch, self.source):
                    self.isolation_requested = True
            case Finish():
                if message.epoch == self.epoch:
                    self.served, self.isolation_requested, self.is_isolated = True, False, False
                    self._clear()
        return False

    def ready_for_isolation(self) -> bool:
        """Whether `isolated` is to be said now: asked for, not said yet, and nothing is left to be done before."""
        if not self.isolation_requested or self.is_isolated or self.waiting:
            return False
        self.is_isolated = True
        return True

    def answered(self, task: Frame | Crops) -> None:
        """A task has been answered; tasks are answered in the order in which they came."""
        if not any(task is held for held in self._held):
            return  # It was taken before the last welcome; its number would count as that of another one.
        self._held = [held for held in self._held if held is not task]
        self.finished = max(self.finished, task.seq)
        if self.is_isolated:
            self.isolation_requested = self.is_isolated = False

    def worked(self, seconds: float, tasks: int, elapsed_s: float | None = None) -> None:
        """So many tasks have taken so long together, of processor time; `elapsed_s`: of time, where that is longer."""
        self.task_s = _smoothed(self.task_s, seconds / tasks)
        self.elapsed_s = _smoothed(self.elapsed_s, (elapsed_s or seconds) / tasks)

    @property
    def credit(self) -> int:
        """How many tasks this worker can hold: two, and as many as are worked off while a batch waits and travels.

        More than two are of no use to a worker that takes long over each.
        """
        if self.task_s is None or self.most <= limits.CREDIT:
            return min(self.most, limits.CREDIT)
        return min(
            self.most, limits.CREDIT + int(2 * BATCH_WORK_S / max(self.task_s, BATCH_WORK_S / limits.MAX_CREDIT))
        )

    @property
    def held(self) -> int:
        """Tasks that were taken and are not answered."""
        return len(self._held)

    @property
    def linger_s(self) -> float:
        """How long an answer may wait for others, to travel with them."""
        return LINGER_S if self.credit > limits.CREDIT and not self.is_isolated else 0.0

    @property
    def credit_is_spent(self) -> bool:
        """Whether capture, by what it has been told, can send nothing more: then it must hear of what is finished.

        As long as it can, the regular heartbeat is soon enough, and half of the messages about credit are saved. Where
        tasks travel in batches, it waits until it can send several, or nothing is left to do here.
        """
        is_batched = self.credit > limits.CREDIT
        return self.finished > self.reported and (is_batched or self.received - self.reported >= self.stated)

    def state(self, credit: int) -> None:
        """Capture is told this credit, and what is finished."""
        self.stated = credit
        self.mark_reported()

    def mark_reported(self) -> None:
        """Capture has been told what is finished, by a heartbeat or by the crops of a frame."""
        self.reported = self.finished

    def take_batch(self) -> list[Frame | Crops]:
        """Take out what waits, up to a batch of faces; a picture goes alone."""
        batch, faces = [], 0
        while self.waiting:
            crops = self.waiting[0]
            size = len(crops.arrays[0]) if isinstance(crops, Crops) else limits.BATCH_FACES
            if batch and faces + size > limits.BATCH_FACES:
                break
            batch.append(self.waiting.popleft())
            faces += size
        return batch

    def _start_anew(self, welcome: Welcome) -> None:
        self.run, self.source = welcome.run, welcome.source
        self.epoch, self.session_id, self.most = (
            welcome.epoch,
            welcome.session_id,
            min(welcome.credit, limits.MAX_CREDIT),
        )
        self.received = self.finished = self.reported = self.stated = 0
        self.unused_since_s = None
        self.refused, self.served = None, False
        self.isolation_requested = self.is_isolated = False
        self._clear()

    def _clear(self) -> None:
        self.waiting.clear()
        self._held.clear()


def _smoothed(before: float | None, now: float) -> float:
    return now if before is None else before + SMOOTHING * (now - before)
