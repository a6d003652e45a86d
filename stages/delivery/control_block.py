"""All that capture knows about one source in one epoch, and the changes that touch more than one part of it. Pure.

It is to the dispatcher what the transmission control block is to TCP. The parts are `Tasks`, `Workers`, `Quarantine`,
`WorkerHealth` and `Notices`; the policies in `assigning`, `failures`, `stalls` and `live` decide on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..protocol.messages import Ack
from .events import Action, Evict, Forget, Refuse, SendPicture, WorkerProcess
from .health import WorkerHealth
from .notices import Notices
from .quarantine import Quarantine
from .rules import Rules
from .states import SOURCE, FrameEvent, FrameState, SourceEvent, SourceState, WorkerEvent, after
from .tasks import DETECT, Tasks
from .workers import StageAbsence, Worker, Workers

DISTRUSTED = "its answers could not be taken"


@dataclass(slots=True)
class ControlBlock:
    """What is known of the frames, the workers and render; times are of the monotonic clock of capture."""

    rules: Rules
    health: WorkerHealth
    read: int  # frames read so far; the next one gets this number
    acked_up_to: int  # every frame below it is acknowledged or dropped
    state: SourceState = SourceState.WAITING
    workers: Workers = field(default_factory=Workers)
    notices: Notices = field(default_factory=Notices)
    ack: Ack | None = None  # the newest
    acked_s: tuple[float, float] = (float("-inf"), float("-inf"))  # when render was heard the last two times
    tasks: Tasks = field(init=False)
    quarantine: Quarantine = field(init=False)
    absence: StageAbsence = field(init=False)

    def __post_init__(self):
        self.tasks = Tasks(self.rules.attributes)
        self.quarantine = Quarantine(self.tasks.stages, self.rules.tries)
        self.absence = StageAbsence(self.tasks.stages, self.rules.give_up_after_s)

    @classmethod
    def new(
        cls, rules: Rules, first_frame: int, evicted: Iterable[WorkerProcess], answering: Iterable[tuple[str, str]]
    ) -> ControlBlock:
        """`evicted`, `answering`: see `Dispatcher`."""
        return cls(rules, WorkerHealth(rules.tries, evicted, answering), first_frame, first_frame)

    def step(self, event: SourceEvent) -> None:
        """Go to the next state of the source; raises `NoTransition`."""
        self.state = after(SOURCE, self.state, event)

    @property
    def is_ended(self) -> bool:
        """Whether no further picture will be taken."""
        return self.state in (SourceState.ENDED, SourceState.FINISHED)

    @property
    def awaited(self) -> list[str]:
        """The stages without a worker."""
        present = self.workers.stages
        return [stage for stage in self.tasks.stages if stage not in present]

    def gone(self, now_s: float) -> set[str]:
        """The stages without a worker for longer than one is waited for; of a file, without one that takes tasks, once
        there is anybody to blame: until then a file waits."""
        if self.rules.live:
            return set(self.absence.gone(self.workers.stages, now_s))
        if not self.health.has_cause:
            return set()
        return set(self.absence.gone({w.stage for w in self.workers.here.values() if w.is_able or w.under_way}, now_s))

    def finish_frame(self, number: int, event: FrameEvent, latency_s: float | None = None) -> Iterator[Action]:
        """A frame is acknowledged, dropped or withdrawn: nothing is kept of it."""
        self.tasks.forget(number, event)
        self.quarantine.forget(number)
        self.health.forget(number, self.tasks.stages)
        yield Forget(number, latency_s)

    def give_up(self, number: int, stages: Iterable[str], reason: str) -> None:
        """Live: answers of attribute stages are not waited for, as far as render is missing them."""
        frame, missing_parts = self.tasks.frames[number], self.tasks.missing_parts(number)
        for stage in stages:
            if stage in missing_parts and stage not in frame.given_up:
                frame.given_up[stage] = reason
                self.tasks.due[stage].discard(number)
                self.notices.hasten()

    def give_up_for_good(self, number: int, stage: str, reason: str) -> Iterator[Action]:
        """No worker is asked for this answer any more, whatever render is missing; without detect for none."""
        frame, stages = self.tasks.frames[number], (stage,)
        if stage == DETECT:
            if frame.state is FrameState.QUEUED:
                yield SendPicture(number)  # It would have gone out with the frame.
            frame.step(FrameEvent.DETECT_GIVEN_UP)
            stages = self.tasks.stages
        frame.given_up[stage] = reason
        for other in stages:
            self.tasks.due[other].discard(number)
            self.quarantine.clear(other, number)
        self.notices.hasten()

    def lose_worker(self, connection: str) -> None:
        """A connection is gone: what its worker held is handed out again."""
        if (worker := self.workers.lose(connection)) is not None:
            self.tasks.make_due_what_was_held_by(connection, worker.stage)

    def release(self, worker: Worker, event: WorkerEvent) -> None:
        """A worker has answered its quarantined task, or says that it cannot: it is given others again."""
        if event is WorkerEvent.FINISHED:
            self.quarantine.clear(worker.stage, worker.isolated_frame)
        worker.step(event)
        worker.isolated_frame = None

    def evict(self, connection: str, reason: str) -> Iterator[Action]:
        """A worker is given nothing more in this run, and what it has is given to others."""
        worker = self.workers.here[connection]
        self.health.evict(worker.process)
        if worker.stage == DETECT:
            self.tasks.forget_crops_of(connection)
        worker.step(WorkerEvent.EVICT)
        self.lose_worker(connection)
        # Those that it was taken for a later incarnation of are welcome again.
        self.workers.listen_again((worker.stage, worker.worker))
        self.workers.refuse(connection, ("", None))
        yield Refuse(connection, f"{DISTRUSTED}: {reason}")
        yield Evict(connection, *worker.process, reason)
