"""Capture's half of the delivery rules: window, credit, redelivery and dropping for one source.

A pure object: `step(event, now_s) -> actions`, without socket, clock, thread or pixels. It knows frames by number and
workers by the name of their connection; the caller keeps the pictures and crops until `Forget` names their frame. Work
goes out on request, is kept until render has acknowledged the frame, and goes out again when its worker is gone.

The states of a frame, a worker and the source are in `states`, what is known in `control_block`. This module says what
follows from each event; what follows from the time is decided by the policies `live`, `stalls`, `failures` and
`assigning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..names import printable
from ..protocol import limits
from ..protocol.messages import Ack, FaceCrops, Failed, Heartbeat, Isolated, WorkerHello
from .assigning import Assigner
from .control_block import ControlBlock
from .events import (
    Action,
    AnswerRefused,
    Discarded,
    Event,
    Finished,
    FromWorker,
    KeepCrops,
    Read,
    ReadAll,
    Refuse,
    SendWelcome,
    StartEpoch,
    StopReading,
    Tick,
    WorkerDisconnected,
    WorkerExited,
    WorkerProcess,
)
from .failures import Failures
from .live import LivePolicy
from .rules import Rules
from .stalls import Stalls
from .states import FrameEvent, FrameState, SourceEvent, SourceState, WorkerEvent, WorkerState
from .workers import Worker

RESTART = "restart"  # why a live frame is dropped that died with the capture or the render that held it
AWAY_S = 1.0  # who was away for so long has heard nobody, and must blame nobody for it


class Dispatcher:
    """Hands out the work of one source and decides what is sent again, given up and dropped."""

    def __init__(
        self,
        rules: Rules,
        first_frame: int = 0,
        evicted: tuple[WorkerProcess, ...] = (),
        answering: tuple[tuple[str, str], ...] = (),
    ):
        """Of an earlier dispatcher of this run, whose render has died, `evicted`: the workers that it has taken no more
        answers of; `answering`: stage and host of those whose answers came to the outputs. What is on its way to a
        render that is only just there is lost, and nobody is to be blamed for that.
        """
        self.ignored = 0  # events that came too late to mean anything
        self._block = block = ControlBlock.new(rules, first_frame, evicted, answering)
        self._rules, self._tasks, self._workers, self._notices = rules, block.tasks, block.workers, block.notices
        self._assigner = Assigner(block)
        self._failures = Failures(block)
        self._stalls = Stalls(block, self._assigner)
        self._live = LivePolicy(block) if rules.live else None
        self._are_all_heard = False  # one worker of each stage
        self._stepped_s = 0.0

    # --- What it tells ---

    @property
    def started(self) -> bool:
        """Whether render and every stage have been heard: no frame is read before."""
        return self._are_all_heard and self.acknowledged

    @property
    def is_complete(self) -> bool:
        """Whether every stage has been heard, whatever render does."""
        return self._are_all_heard

    @property
    def awaited(self) -> list[str]:
        """The stages that have not been heard yet, of those that have to be there before the first frame is read."""
        return self._block.awaited

    def may_read(self, size: int) -> bool:
        """Whether a picture of so many bytes fits: a file waits until it does, a camera drops."""
        if self._block.state is not SourceState.READING:
            return False
        fits = self.in_flight < self._rules.window and self.bytes_in_flight + size <= self._rules.window_bytes
        return fits or not self.in_flight

    @property
    def acknowledged(self) -> bool:
        """Whether render has answered at all."""
        return self._block.ack is not None

    @property
    def ended(self) -> bool:
        """Whether no further picture will be taken."""
        return self._block.is_ended

    @property
    def read(self) -> int:
        """Frames read so far; the next one gets this number."""
        return self._block.read

    @property
    def acked_up_to(self) -> int:
        """Every frame below it is acknowledged or dropped."""
        return self._block.acked_up_to

    @property
    def connections(self) -> list[str]:
        """The connections of all workers that have said hello."""
        return list(self._workers.here)

    @property
    def evicted(self) -> tuple[WorkerProcess, ...]:
        """The workers whose answers could not be taken."""
        return self._block.health.evicted

    @property
    def answering(self) -> tuple[tuple[str, str], ...]:
        """Stage and host of the workers whose answers are in the outputs."""
        return self._block.health.answering

    def number_of(self, connection: str) -> int:
        """The number by which this worker is named in the grants of its tasks."""
        worker = self._workers.get(connection)
        return worker.number if worker is not None else 0  # It was lost in the same step.

    @property
    def in_flight(self) -> int:
        """Frames between read and acknowledged."""
        return len(self._tasks.frames)

    @property
    def bytes_in_flight(self) -> int:
        """Of their pictures and crops."""
        return self._tasks.bytes

    @property
    def waiting(self) -> dict[str, int]:
        """Tasks not handed out yet, by stage: where it is the slowest."""
        return {stage: len(due) for stage, due in self._tasks.due.items()}

    # --- What it does ---

    def step(self, event: Event, now_s: float) -> list[Action]:
        """Take one event; return what is to be done, in order."""
        if self._block.state is SourceState.REPLACED:
            return []
        if now_s - self._stepped_s > AWAY_S:
            self._workers.all_heard(now_s)
        self._stepped_s = now_s
        actions = list(self._take(event, now_s))
        is_over = self._block.state is SourceState.REPLACED
        # Where tasks travel in batches, they go out at the end of a turn, which the caller makes a tick of.
        if is_over or (self._rules.batches and not isinstance(event, Tick)):
            return actions
        return actions + list(self._act(now_s))

    def _act(self, now_s: float) -> Iterator[Action]:
        """What is to be done by now, whatever has happened."""
        for connection in self._workers.silent(now_s, self._rules.hang_s):
            self._block.lose_worker(connection)  # Its machine has gone: it says nothing, and nobody says it for it.
        gone = self._block.gone(now_s)
        self._go_on_without(gone)
        if self._live is not None:
            yield from self._live.give_up_late(gone, now_s)
            yield from self._live.drop_stale(now_s)
            self._live.shed()
        else:
            yield from self._failures.give_up_without_workers(gone)
        yield from self._stalls.check(now_s)
        window = self._rules.window if self._live is None else self._live.window(self._assigner.idle_s(now_s))
        yield from self._assigner.hand_out(now_s, window)
        if self._workers.some_are_stuck:
            yield from self._stalls.hand_to_the_idle(of_the_stuck=True)
        if self.acknowledged and self._block.state is not SourceState.FINISHED:
            yield from self._notices.due(self._tasks, self.read if self.ended else None, now_s)

    def _take(self, event: Event, now_s: float) -> Iterator[Action]:
        match event:
            case Read():
                yield from self._take_picture(event, now_s)
            case Discarded(frames, reason):
                self._discard(frames, reason, now_s)
            case ReadAll():
                self._end()
            case StopReading():
                yield from self._stop()
            case FromWorker(connection, message):
                yield from self._take_message(connection, message, now_s)
            case WorkerDisconnected(connection):
                self._block.lose_worker(connection)
            case WorkerExited():
                yield from self._failures.exited(event)
            case AnswerRefused():
                yield from self._failures.refused(event)
            case Ack():
                yield from self._take_ack(event, now_s)
            case Tick():
                pass

    # --- Reading ---

    def _take_picture(self, picture: Read, now_s: float) -> Iterator[Action]:
        number = self._count(1, now_s)
        self._tasks.add(number, picture.size, now_s, picture.asked)
        if self._live is not None:
            yield from self._live.preview(number, now_s)
            yield from self._live.make_room(number)

    def _discard(self, frames: int, reason: str, now_s: float) -> None:
        first = self._count(frames, now_s)
        self._notices.drop(first, self.read - 1, "capture", reason)

    def _count(self, frames: int, now_s: float) -> int:
        """So many frames more are read; returns the number of the first."""
        if not self.in_flight:
            self._stalls.start(now_s)
        first, self._block.read = self.read, self.read + frames
        return first

    def _end(self) -> None:
        if not self.ended:
            self._block.step(SourceEvent.END)
            self._notices.hasten()

    def _stop(self) -> Iterator[Action]:
        # Only the tail can be taken back, because frames are numbered without holes.
        while not self.ended and self._is_queued(self.read - 1):
            self._block.read -= 1
            yield from self._block.finish_frame(self.read, FrameEvent.STOP)
        self._end()

    def _is_queued(self, number: int) -> bool:
        frame = self._tasks.frames.get(number)
        return frame is not None and frame.state is FrameState.QUEUED

    # --- Workers ---

    def _take_message(
        self, connection: str, message: WorkerHello | Heartbeat | Isolated | Failed | FaceCrops, now_s: float
    ) -> Iterator[Action]:
        worker = self._workers.get(connection)
        match message:
            case WorkerHello():
                yield from self._take_hello(connection, message, now_s)
            case Heartbeat() if worker is not None:
                self._take_heartbeat(worker, message, now_s)
            case Heartbeat() if not self._workers.is_refused(connection):
                yield SendWelcome(connection, self._workers.session_id(connection))
            case Isolated() if worker is not None and worker.state is WorkerState.DRAINING:
                yield from self._assigner.assign_isolated(connection)
            case Failed() if worker is not None:
                yield from self._take_failure(connection, worker, message)
            case FaceCrops():
                if worker is not None:
                    worker.heard_s = now_s
                    if worker.finish_one(message.frame):  # As a heartbeat says: detect need not send both.
                        self._release_if_finished(worker)
                yield from self._take_crops(connection, message)

    def _take_heartbeat(self, worker: Worker, heartbeat: Heartbeat, now_s: float) -> None:
        worker.credit, worker.heard_s = min(heartbeat.credit, self._rules.most_credit), now_s
        worker.finish_up_to(heartbeat.finished)
        self._release_if_finished(worker)

    def _release_if_finished(self, worker: Worker) -> None:
        if worker.state is WorkerState.ISOLATED and not worker.under_way:
            self._block.release(worker, WorkerEvent.FINISHED)

    def _take_failure(self, connection: str, worker: Worker, message: Failed) -> Iterator[Action]:
        frame = self._tasks.frames.get(message.frame)
        if frame is None or worker.stage in frame.given_up:
            return
        if not worker.finish_one(message.frame):
            self.ignored += 1  # It does not have this task, or has said so before.
            return
        yield from self._failures.failed(connection, message.frame, message.reason)

    def _take_hello(self, connection: str, came: WorkerHello, now_s: float) -> Iterator[Action]:
        if not self._workers.is_new(connection, came):
            return
        if came.stage in self._tasks.stages:
            for incarnation, cause in came.ended:
                if incarnation < came.incarnation:
                    yield from self._failures.exited(WorkerExited(came.stage, came.worker, incarnation, cause))
        same = self._workers.same(came)
        if reason := self._reason_to_refuse(came, same.values()):
            self._workers.refuse(connection, (came.stage, came.worker))
            yield Refuse(connection, reason)
            return
        for former in same:
            self._block.lose_worker(former)
        self._workers.take(connection, came, now_s)
        self._are_all_heard = self._are_all_heard or not self.awaited
        self._start_if_complete()

    def _reason_to_refuse(self, came: WorkerHello, same: Iterable[Worker]) -> str | None:
        if came.stage not in self._tasks.stages:
            return f"this run has no stage {printable(came.stage)}"
        if came.card != self._rules.cards[came.stage]:
            return f"the {came.stage} of this run has another model card or other settings"
        if any(worker.incarnation > came.incarnation for worker in same):
            return f"a later incarnation of this {came.stage} is already here"
        if reason := self._block.health.reason_to_refuse(came):
            return reason
        if len(self._workers.here) >= limits.WORKERS:
            oldest = self._workers.to_make_place(came.host)
            if oldest is None:
                return f"{limits.WORKERS} workers are here already"
            self._block.lose_worker(oldest)
        return None

    def _go_on_without(self, gone: set[str]) -> None:
        """Of an earlier dispatcher it may be known that no worker of a stage can be relied on: nobody else may come."""
        if not self._are_all_heard and gone & self._block.health.stages >= set(self.awaited):
            self._are_all_heard = True
            self._start_if_complete()

    def _start_if_complete(self) -> None:
        if self.started and self._block.state is SourceState.WAITING:
            self._block.step(SourceEvent.COMPLETE)

    # --- Crops ---

    def _take_crops(self, connection: str, came: FaceCrops) -> Iterator[Action]:
        frame = self._tasks.frames.get(came.frame)
        if frame is None or not frame.may_take(came) or self._workers.is_refused(connection):
            self.ignored += 1
            return
        known = self._tasks.take_crops(connection, came)
        # If detect is due again it stays so: these crops may be of one that died before render had its faces.
        yield KeepCrops(came)
        if not came.faces:
            self._tasks.not_due(came.frame, self._rules.attributes)
            return
        is_new = known is None or known.boxes_hash != came.boxes_hash
        for stage in frame.attributes:
            if stage not in frame.given_up and (is_new or self._is_asked_again(stage, came.frame)):
                self._tasks.due[stage].add(came.frame)

    def _is_asked_again(self, stage: str, number: int) -> bool:
        """Along the same boxes only what nobody is at work on is asked again: so that render, which may have faces of a
        try between the two, is told that the boxes of this one are the newest."""
        holder = self._tasks.frames[number].holders.get(stage)
        return stage in self._tasks.missing_parts(number) and not self._workers.is_at_work(number, holder)

    # --- Acknowledgement ---

    def _take_ack(self, ack: Ack, now_s: float) -> Iterator[Action]:
        known = self._block.ack
        if known is not None and (ack.incarnation, ack.number) <= (known.incarnation, known.number):
            self.ignored += 1
            return
        if known is not None and ack.incarnation > known.incarnation:
            self._block.step(SourceEvent.NEW_RENDER)
            yield StartEpoch()
            return
        self._block.ack, self._block.acked_s = ack, (self._block.acked_s[1], now_s)
        self._tasks.report_missing({frame: frozenset(parts) for frame, parts in ack.missing_parts})
        if known is None:
            self._begin(ack)
        for refused in ack.refused:
            yield from self._failures.refused(AnswerRefused(*refused))
        if ack.acked_up_to > self.acked_up_to:
            yield from self._acknowledge(ack.acked_up_to, now_s)
        self._tasks.make_due_what_nobody_holds()
        if self._live is not None:
            yield from self._live.preview(self.read - 1, now_s)
        if ack.clean and self._block.state is SourceState.ENDED:
            self._block.step(SourceEvent.CLEAN)
            yield Finished()

    def _begin(self, ack: Ack) -> None:
        """The first word of render: a file is read from where its outputs end, a live source goes on."""
        self._notices.begin(ack)
        self._block.acked_up_to = ack.acked_up_to
        if self._live is None:
            self._block.read = ack.acked_up_to
        else:
            holder = "render" if self.read else "capture"  # Who held what is lost: a capture that was there has read.
            self._block.read = max(self.read, ack.heard, ack.acked_up_to)
            if self.read > self.acked_up_to:
                self._notices.drop(self.acked_up_to, self.read - 1, holder, RESTART)
        self._start_if_complete()

    def _acknowledge(self, acked_up_to: int, now_s: float) -> Iterator[Action]:
        for number in [n for n in self._tasks.frames if n < acked_up_to]:
            frame = self._tasks.frames[number]
            for stage, connection in frame.holders.items():
                worker = self._workers.get(connection)
                if worker is not None and stage not in frame.given_up:
                    self._block.health.answered(worker)
            if self._live is not None:
                self._live.acknowledged(frame, now_s)
            yield from self._block.finish_frame(number, FrameEvent.ACK, now_s - frame.read_s)
        self._block.acked_up_to = acked_up_to
        self._stalls.progressed(now_s)
        self._tasks.acknowledge(acked_up_to)
        self._notices.acknowledge(acked_up_to)
