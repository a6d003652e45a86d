"""Capture's half of the delivery rules: window, credit, retry and dropping for one source.

A pure object: `step(event, now_s) -> actions`, without socket, clock, thread or pixels. It knows frames by number and
workers by the name of their connection; the pictures and crops themselves stay with the caller until `Forget` names
their frame. Work goes out on request, is kept until render has acknowledged the frame, and goes out again when its
worker is gone. Its events and actions are in `events`; its state is
kept by `tasks`, `workers`, `quarantine` and `health`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..names import printable
from ..protocol import limits
from ..protocol.messages import Ack, Drop, End, FaceCrops, Failed, GivenUp, Heartbeat, Isolated, WorkerHello
from .events import (
    Action,
    AnswerRefused,
    AskInstead,
    Discarded,
    Event,
    Evict,
    Finished,
    Forget,
    FromWorker,
    KeepCrops,
    Read,
    ReadAll,
    Refuse,
    SendCrops,
    SendFrame,
    SendIsolate,
    SendPicture,
    SendPreview,
    SendWelcome,
    StartEpoch,
    StopReading,
    Tick,
    WorkerDisconnected,
    WorkerExited,
    WorkerProcess,
)
from .health import UNANSWERED, WorkerHealth
from .quarantine import OWN_FAULT, Quarantine
from .tasks import DETECT, PICTURE, InFlight, Tasks
from .workers import Worker, Workers

OVERLOAD = "overload"  # why a live frame goes without what a stage has no time to say about it
RESTART = "restart"  # why a live frame is dropped that died with the capture or the render that held it
LONGEST_RESEND = 16  # times `resend_after_s`, however often nothing has come of it
STALLS = 3  # after so many stalls what a worker holds is taken for lost too
STOOD_STILL_S = 1.0  # who was away for so long has heard nobody, and must blame nobody for it
DISTRUSTED = "its answers could not be taken"
HEARD_S = 2.0  # with two acknowledgements within so long, render lives and says what it is missing
GATHER_S = 0.1  # so long tasks of a stage that has nothing to do wait for others
NOTICE_S = 0.2  # how often a drop, a frame given up and the end are said again until render has acknowledged them


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration says about handing out the tasks of one source."""

    attributes: tuple[str, ...]
    cards: dict[str, str]  # stage -> the hash that its workers must show
    window: int = 16  # frames between read and acknowledged
    window_bytes: int = 256_000_000  # pictures and crops of these frames; one frame may always go
    # tasks that one worker is given; beyond CREDIT they are gathered, to travel several at once
    credit: int = limits.CREDIT
    live: bool = False
    deadline_s: float = 1.0  # live: a frame is emitted or dropped within it
    give_up_after_s: float = 5.0  # a stage without a worker (of a file: a good one) for so long is not waited for
    resend_after_s: float = 10.0  # without progress of render, what it is missing is sent again; doubles
    tries: int = 3  # so often a task may end a worker that has it in isolation before its answer is given up
    hang_s: dict[str, float] = field(default_factory=dict)  # stage -> a worker silent for so long is gone


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
        self.read = first_frame  # frames read so far; the next one gets this number
        self.acked_up_to = first_frame  # every frame below it is acknowledged or dropped
        self.ignored = 0  # events that came too late to mean anything
        self._rules = rules
        self._tasks = Tasks(rules.attributes)
        self._stages, self._frames, self._due = self._tasks.stages, self._tasks.frames, self._tasks.due
        self._quarantine = Quarantine(self._stages, rules.tries)
        self._workers = Workers()
        self._health = WorkerHealth(rules.tries, evicted, answering)
        self._started = False
        self._without_worker_since: dict[str, float | None] = dict.fromkeys(self._stages)
        self._handed_s = dict.fromkeys(self._stages, float("-inf"))  # when a stage was given something last
        self._ack: Ack | None = None
        self._acked_s = (float("-inf"), float("-inf"))  # when render was heard the last two times
        self._drops: list[Drop] = []  # until render has acknowledged them
        self._owed: set[str] = set()  # attribute stages of frames that were dropped: asked about the next one instead
        self._read_all = False
        self._finished = False
        self._is_over = False  # replaced by another dispatcher
        self._stepped_s = 0.0
        self._said_s = float("-inf")
        self._progress_s = 0.0
        self._resend_after_s = rules.resend_after_s
        self._stalls = 0  # how often it was sent again since the last progress
        self._ahead: set[int] = set()  # dropped when they were with render already: it will work on them all the same
        self._previewed: int | None = None  # the newest frame offered as preview
        self._previewed_s = float("-inf")

    @property
    def started(self) -> bool:
        """Whether render and every stage have been heard: no frame is read before."""
        return self._started and self._ack is not None

    @property
    def is_complete(self) -> bool:
        """Whether every stage has been heard, whatever render does."""
        return self._started

    @property
    def awaited(self) -> list[str]:
        """The stages that have not been heard yet, of those that have to be there before the first frame is read."""
        present = self._workers.stages
        return [stage for stage in self._stages if stage not in present]

    def may_read(self, size: int) -> bool:
        """Whether a picture of so many bytes fits: a file waits until it does, a camera drops."""
        if self._read_all or not self.started:
            return False
        fits = len(self._frames) < self._rules.window and self._tasks.bytes + size <= self._rules.window_bytes
        return fits or not self._frames

    @property
    def acknowledged(self) -> bool:
        """Whether render has answered at all."""
        return self._ack is not None

    @property
    def ended(self) -> bool:
        """Whether no further picture will be taken."""
        return self._read_all

    @property
    def connections(self) -> list[str]:
        """The connections of all workers that have said hello."""
        return list(self._workers.here)

    @property
    def evicted(self) -> tuple[WorkerProcess, ...]:
        """The workers whose answers could not be taken."""
        return self._health.evicted

    @property
    def answering(self) -> tuple[tuple[str, str], ...]:
        """Stage and host of the workers whose answers are in the outputs."""
        return self._health.answering

    def number_of(self, connection: str) -> int:
        """The number by which this worker is named in the grants of its tasks."""
        worker = self._workers.get(connection)
        return worker.number if worker is not None else 0  # It was lost in the same step.

    @property
    def _gathers(self) -> bool:
        return self._rules.credit > limits.CREDIT

    @property
    def in_flight(self) -> int:
        return len(self._frames)

    @property
    def bytes_in_flight(self) -> int:
        return self._tasks.bytes

    @property
    def waiting(self) -> dict[str, int]:
        """Tasks not handed out yet, by stage: where it is the slowest."""
        return {stage: len(due) for stage, due in self._due.items()}

    def step(self, event: Event, now_s: float) -> list[Action]:
        """Take one event; return what is to be done, in order."""
        if self._is_over:
            return []
        if now_s - self._stepped_s > STOOD_STILL_S:
            for worker in self._workers.here.values():
                worker.heard_s = now_s
        self._stepped_s = now_s
        actions = list(self._take(event, now_s))
        if self._is_over or (self._gathers and not isinstance(event, Tick)):
            return actions  # What is gathered goes out at the end of a turn, which the caller makes a tick of.
        for connection in self._workers.silent(now_s, self._rules.hang_s):
            self._lose_worker(connection)  # Its machine has gone: it says nothing, and nobody says it for it.
        if self._rules.live:
            actions += self._give_up_late(now_s)
            self._shed()
        else:
            actions += self._give_up_without_workers(now_s)
        actions += self._resend_without_progress(now_s)
        actions += self._hand_out(now_s)
        if self._workers.some_are_stuck:
            actions += self._hand_to_the_idle(of_the_stuck=True)
        actions += self._repeat_notices(now_s)
        return actions

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
                self._lose_worker(connection)
            case WorkerExited():
                yield from self._take_end(event)
            case AnswerRefused():
                yield from self._take_refusal(event)
            case Ack():
                yield from self._take_ack(event, now_s)
            case Tick():
                pass

    def _take_message(
        self, connection: str, message: WorkerHello | Heartbeat | Isolated | Failed | FaceCrops, now_s: float
    ) -> Iterator[Action]:
        match message:
            case WorkerHello():
                yield from self._take_worker(connection, message, now_s)
            case Heartbeat():
                yield from self._take_heartbeat(connection, message, now_s)
            case Isolated():
                yield from self._take_isolated(connection)
            case Failed():
                yield from self._take_failure(connection, message.frame, message.reason)
            case FaceCrops():
                yield from self._take_crops(connection, message, now_s)

    # --- Reading ---

    def _take_picture(self, picture: Read, now_s: float) -> Iterator[Action]:
        number, self.read = self.read, self.read + 1
        if not self._frames:
            self._progress_s = now_s
        self._tasks.add(number, picture.size, now_s, picture.asked)
        if self._rules.live:
            yield from self._preview(number, now_s)
            if len(self._frames) > self._rules.window or self._tasks.bytes > self._rules.window_bytes:
                yield from self._make_room(number)

    def _discard(self, frames: int, reason: str, now_s: float) -> None:
        if not self._frames:
            self._progress_s = now_s
        self._drops.append(self._drop_of(self.read, self.read + frames - 1, "capture", reason))
        self.read += frames
        self._said_s = float("-inf")

    def _make_room(self, newest: int) -> Iterator[Action]:
        """Live: the oldest frame that detect has not been given yet goes; if it has been given all, the newest."""
        if len(self._frames) > 1:
            unsent = self._due[DETECT] - {f for f in self._due[DETECT] if self._frames[f].attempt}
            yield from self._drop(min(unsent, default=newest), DETECT, "queue full")

    def _preview(self, frame: int, now_s: float) -> Iterator[Action]:
        """Offer the newest picture, one at a time; one that was lost is not waited for longer than a second."""
        taken = self._ack.preview if self._ack is not None and self._rules.live else None
        if taken is None or frame == self._previewed or frame not in self._frames:
            return
        if taken > (self._previewed if self._previewed is not None else -1) or now_s - self._previewed_s >= 1.0:
            self._previewed, self._previewed_s = frame, now_s
            yield SendPreview(frame)

    def _end(self) -> None:
        if not self._read_all:
            self._read_all = True
            self._said_s = float("-inf")

    def _stop(self) -> Iterator[Action]:
        # Only the tail can be taken back, because frames are numbered without holes.
        while not self._read_all and (frame := self._frames.get(self.read - 1)) is not None and not frame.attempt:
            self.read -= 1
            yield from self._forget(self.read, None)
        self._end()

    # --- Workers ---

    def _take_heartbeat(self, connection: str, heartbeat: Heartbeat, now_s: float) -> Iterator[Action]:
        worker = self._workers.get(connection)
        if worker is not None:
            worker.credit, worker.heard_s = min(heartbeat.credit, self._most_credit), now_s
            worker.finish_up_to(heartbeat.finished)
            self._release_if_survived(worker)
        elif not self._workers.is_refused(connection):
            yield SendWelcome(connection, self._workers.session_id(connection))

    @property
    def _most_credit(self) -> int:
        return self._rules.credit if self._gathers else limits.MAX_CREDIT

    def _release_if_survived(self, worker: Worker) -> None:
        """A worker that has finished the quarantined task that it had in isolation is given others again."""
        if worker.isolated_frame is not None and not worker.under_way:
            self._quarantine.clear(worker.stage, worker.isolated_frame)
            worker.isolated_frame, worker.is_isolated = None, False

    def _take_worker(self, connection: str, came: WorkerHello, now_s: float) -> Iterator[Action]:
        if not self._workers.is_new(connection, came):
            return
        if came.stage in self._stages:
            for incarnation, cause in came.ended:
                if incarnation < came.incarnation:
                    yield from self._take_end(WorkerExited(came.stage, came.worker, incarnation, cause))
        same = self._workers.same(came)
        if reason := self._reason_to_refuse(came, same.values()):
            self._workers.refuse(connection, (came.stage, came.worker))
            yield Refuse(connection, reason)
            return
        for former in same:
            self._lose_worker(former)
        self._workers.take(connection, came, now_s)
        self._started = self._started or not self.awaited

    def _reason_to_refuse(self, came: WorkerHello, same: Iterable[Worker]) -> str | None:
        if came.stage not in self._stages:
            return f"this run has no stage {printable(came.stage)}"
        if came.card != self._rules.cards[came.stage]:
            return f"the {came.stage} of this run has another model card or other settings"
        if any(worker.incarnation > came.incarnation for worker in same):
            return f"a later incarnation of this {came.stage} is already here"
        if reason := self._health.reason_to_refuse(came):
            return reason
        if len(self._workers.here) >= limits.WORKERS:
            oldest = self._workers.to_make_place(came.host)
            if oldest is None:
                return f"{limits.WORKERS} workers are here already"
            self._lose_worker(oldest)
        return None

    def _lose_worker(self, connection: str) -> None:
        if (worker := self._workers.lose(connection)) is not None:
            self._tasks.make_due_what_was_held_by(connection, worker.stage)

    # --- Tasks that may be the cause of an end ---

    def _take_end(self, ended: WorkerExited) -> Iterator[Action]:
        """What a worker held that ended by its own fault goes out again in isolation; what it had in isolation has
        failed once more."""
        for connection in self._workers.note_end(ended):
            self._lose_worker(connection)
        worker = self._workers.pop_exited(ended)
        for number in set(worker.under_way.values()) if worker is not None else ():
            if number in self._frames and worker.stage not in self._frames[number].given_up:
                isolated = worker.isolated_frame == number
                if isolated and ended.cause in OWN_FAULT:
                    self._health.note_redelivery(number, worker)
                if reason := self._quarantine.ended(worker.stage, number, ended.cause, isolated):
                    yield from self._give_up_for_good(number, worker.stage, reason)

    def _take_failure(self, connection: str, number: int, reason: str) -> Iterator[Action]:
        worker, frame = self._workers.get(connection), self._frames.get(number)
        if worker is None or frame is None or worker.stage in frame.given_up:
            return
        if not worker.finish_one(number):
            self.ignored += 1  # It does not have this task, or has said so before.
            return
        self._health.note_redelivery(number, worker)
        if frame.holders.get(worker.stage) == connection:
            del frame.holders[worker.stage]
        if given_up := self._quarantine.failed(worker.stage, number, reason, worker.isolated_frame == number):
            yield from self._give_up_for_good(number, worker.stage, given_up)
        else:
            self._tasks.make_due(number, worker.stage)
        if worker.isolated_frame == number:
            worker.isolated_frame, worker.is_isolated = None, False

    def _take_isolated(self, connection: str) -> Iterator[Action]:
        worker = self._workers.get(connection)
        if worker is None or not worker.is_isolated or worker.isolated_frame is not None:
            return
        due = self._due[worker.stage] & self._quarantine.of(worker.stage)
        if not due:
            self._lose_worker(connection)  # It was answered meanwhile. A new welcome sets the worker free.
            return
        worker.under_way.clear()  # It has nothing left, it says: what it had it calls finished.
        number = min(due)
        self._due[worker.stage].discard(number)
        worker.isolated_frame = number
        yield from self._send(worker.stage, number, connection)

    def _give_up_for_good(self, number: int, stage: str, reason: str) -> Iterator[Action]:
        if stage == DETECT and not self._frames[number].attempt:
            self._frames[number].attempt = 1
            yield SendPicture(number)  # It would have gone out with the frame.
        self._frames[number].given_up[stage] = reason
        for other in self._stages if stage == DETECT else (stage,):
            self._due[other].discard(number)
            self._quarantine.clear(other, number)
        self._said_s = float("-inf")

    # --- Workers whose answers cannot be taken ---

    def _take_refusal(self, refused: AnswerRefused) -> Iterator[Action]:
        """Whose answer cannot be taken is given nothing more, and what it has is given to others."""
        of_stage = self._workers.of(refused.stage)
        connection = next((c for c, w in of_stage.items() if w.number == refused.worker), None)
        if connection is None:
            return  # It is gone, and all that it had was given to others then.
        worker = of_stage[connection]
        if (frame := self._frames.get(refused.frame)) is not None:
            self._health.refused(refused.frame, worker, self._workers.taken)
            if frame.holders.get(worker.stage) == connection and worker.stage != DETECT:
                self._tasks.make_due(refused.frame, worker.stage)
        yield from self._evict(connection, f"its answer for frame {refused.frame} {refused.reason}")

    def _evict(self, connection: str, reason: str) -> Iterator[Action]:
        worker = self._workers.here[connection]
        self._health.evict(worker.process)
        if worker.stage == DETECT:
            self._tasks.forget_crops_of(connection)
        self._lose_worker(connection)
        # Those that it was taken for a later incarnation of are welcome again.
        self._workers.listen_again((worker.stage, worker.worker))
        self._workers.refuse(connection, ("", None))
        yield Refuse(connection, f"{DISTRUSTED}: {reason}")
        yield Evict(connection, *worker.process, reason)

    def _give_up_without_workers(self, now_s: float) -> Iterator[Action]:
        """Of a file: a stage is not waited for whose every worker gave answers that could not be taken."""
        if not self._health.has_cause:
            return
        evicted = self._health.stages
        able = {w.stage for w in self._workers.here.values() if w.credit or w.under_way or w.is_isolated}
        for stage in [stage for stage in self._stages_gone(able, now_s) if stage in evicted]:
            reason = f"no process of {stage} is left whose answers can be taken"
            for number, frame in self._frames.items():
                missing_parts = self._tasks.missing_parts(number) - frame.given_up.keys()
                if DETECT in frame.given_up or number not in self._due[stage]:
                    continue
                # Where render has faces, but nobody has their crops any more, it is the attributes that are given up.
                missing = (stage,) if stage in missing_parts else frame.attributes if stage == DETECT else ()
                for one in [one for one in missing if one in missing_parts]:
                    yield from self._give_up_for_good(number, one, reason)

    # --- Crops ---

    def _take_crops(self, connection: str, came: FaceCrops, now_s: float) -> Iterator[Action]:
        worker = self._workers.get(connection)
        if worker is not None:
            worker.heard_s = now_s
        if worker is not None and worker.finish_one(came.frame):  # As a heartbeat says: detect need not send both.
            self._release_if_survived(worker)
        frame = self._frames.get(came.frame)
        if frame is None or not self._may_take(connection, came, frame):
            self.ignored += 1
            return
        known = self._tasks.take_crops(connection, came)
        # If detect is due again it stays so: these crops may be of one that died before render had its faces.
        yield KeepCrops(came)
        if not came.faces:
            self._tasks.not_due(came.frame, self._rules.attributes)
            return
        is_new = known is None or known.boxes_hash != came.boxes_hash
        missing_parts = self._tasks.missing_parts(came.frame)
        for stage in frame.attributes:
            # Along the same boxes only what nobody is at work on is asked again: so that render, which may have faces
            # of a try between the two, is told that the boxes of this one are the newest.
            again = stage in missing_parts and not self._workers.is_at_work(came.frame, frame.holders.get(stage))
            if stage not in frame.given_up and (is_new or again):
                self._due[stage].add(came.frame)

    def _may_take(self, connection: str, came: FaceCrops, frame: InFlight) -> bool:
        if DETECT in frame.given_up or self._workers.is_refused(connection):
            return False
        if not frame.distrusted < came.attempt <= frame.attempt:
            return False
        return frame.crops is None or frame.crops.attempt < came.attempt

    # --- Acknowledgement ---

    def _take_ack(self, ack: Ack, now_s: float) -> Iterator[Action]:
        known = self._ack
        if known is not None and (ack.incarnation, ack.number) <= (known.incarnation, known.number):
            self.ignored += 1
            return
        if known is not None and ack.incarnation > known.incarnation:
            self._is_over = True
            yield StartEpoch()
            return
        self._ack, self._acked_s = ack, (self._acked_s[1], now_s)
        self._tasks.report_missing({frame: frozenset(parts) for frame, parts in ack.missing_parts})
        if known is None:
            self._begin(ack)
        for refused in ack.refused:
            yield from self._take_refusal(AnswerRefused(*refused))
        if ack.acked_up_to > self.acked_up_to:
            for number in [n for n in self._frames if n < ack.acked_up_to]:
                self._count_answers(number)
                yield from self._forget(number, now_s - self._frames[number].read_s)
            self.acked_up_to = ack.acked_up_to
            self._progress_s, self._resend_after_s, self._stalls = now_s, self._rules.resend_after_s, 0
            self._ahead = {number for number in self._ahead if number >= self.acked_up_to}
            self._drops = [drop for drop in self._drops if drop.last >= self.acked_up_to]
        self._tasks.make_due_what_nobody_holds()
        yield from self._preview(self.read - 1, now_s)
        if ack.clean and self._read_all and not self._finished:
            self._finished = True
            yield Finished()

    def _count_answers(self, number: int) -> None:
        frame = self._frames[number]
        for stage, connection in frame.holders.items():
            worker = self._workers.get(connection)
            if worker is not None and stage not in frame.given_up:
                self._health.answered(worker)

    def _begin(self, ack: Ack) -> None:
        """The first word of render: a file is read from where its outputs end, a live source goes on."""
        self._said_s = float("-inf")
        self.acked_up_to = ack.acked_up_to
        if not self._rules.live:
            self.read = ack.acked_up_to
            return
        holder = "render" if self.read else "capture"  # Who held what is lost: a capture that was there has read some.
        self.read = max(self.read, ack.heard, ack.acked_up_to)
        if self.read > self.acked_up_to:
            self._drops.append(self._drop_of(self.acked_up_to, self.read - 1, holder, RESTART))

    # --- Without progress ---

    def _resend_without_progress(self, now_s: float) -> Iterator[Action]:
        """Guards against lost messages: one timer for the whole source, so that a stall makes no storm."""
        if not self._frames or now_s - self._progress_s < self._resend_after_s or not self._is_nobody_awaited:
            return
        self._progress_s = now_s
        self._resend_after_s = min(2 * self._resend_after_s, LONGEST_RESEND * self._rules.resend_after_s)
        self._stalls += 1
        if self._stalls >= STALLS:
            for worker in self._workers.here.values():
                worker.under_way.clear()
        yield from self._lose_isolated()
        # Else it is render that is silent, and what it is missing is not known.
        if now_s - self._acked_s[0] <= HEARD_S:
            stalled = self._health.stalled(self._tasks, self._workers)
            for number, stage, reason in stalled.tasks:
                yield from self._give_up_for_good(number, stage, reason)
            for connection, reason in stalled.workers:
                yield from self._evict(connection, reason)
        for number, frame in self._frames.items():
            missing_parts = self._tasks.missing_parts(number)
            if PICTURE in missing_parts and frame.attempt:
                yield SendPicture(number)
            if DETECT not in frame.holders and self._tasks.contradicts(frame, missing_parts):
                frame.forget_crops()  # Who told two different things is gone: the frame is looked at again.
            for stage in self._stages:
                is_at_work = self._workers.is_at_work(number, frame.holders.get(stage))
                if (stage in missing_parts or stage == DETECT) and not is_at_work:
                    frame.holders.pop(stage, None)
                    self._tasks.make_due(number, stage)
        yield from self._hand_to_the_idle()

    @property
    def _is_nobody_awaited(self) -> bool:
        """Whether every stage is there, but for those that no worker is left of whose answers can be taken."""
        return self._health.stages.issuperset(self.awaited)

    def _lose_isolated(self) -> Iterator[Action]:
        """Who was to take one task in isolation and has not: another one is asked, or after some stalls the same
        again."""
        for connection, worker in [(c, w) for c, w in self._workers.here.items() if w.is_isolated]:
            if (worker.is_waited_for and self._workers.has_others(worker)) or self._stalls >= STALLS:
                isolated = {worker.isolated_frame} if worker.isolated_frame is not None else self._due[worker.stage]
                for number in isolated & self._quarantine.of(worker.stage):
                    self._health.note_redelivery(number, worker)
                self._health.unanswered(worker)
                if self._stalls >= UNANSWERED:
                    yield from self._evict(
                        connection, "it does not answer the one task that it is to take in isolation"
                    )
                else:
                    self._lose_worker(connection)
            worker.is_waited_for = True

    def _hand_to_the_idle(self, of_the_stuck: bool = False) -> Iterator[Action]:
        """What somebody has been at for long is given to one more, of those who have nothing else to do.

        `of_the_stuck`: attributes between two stalls, of those who have finished nothing since the last one, to those
        who have answered others. Otherwise a worker that takes tasks and is silent would cost a stall for each.
        """
        for stage in self._rules.attributes if of_the_stuck else self._stages:
            here = self._workers.of(stage).items()
            idle = [c for c, w in here if w.free > 0 and not w.under_way and (w.answered or not of_the_stuck)]
            for number, frame in self._frames.items():
                holder = frame.holders.get(stage)
                held = self._workers.is_at_work(number, holder) and number not in self._quarantine.of(stage)
                held = held and (self._workers.here[holder].is_stuck or not of_the_stuck)
                wanted = stage in self._tasks.missing_parts(number) and not frame.given_up.keys() & {stage, DETECT}
                wanted = wanted and (frame.crops is not None or stage == DETECT)
                if idle and held and wanted:
                    self._health.note_redelivery(number, self._workers.here[holder])
                    yield from self._send(stage, number, idle.pop())

    # --- Handing out ---

    def _hand_out(self, now_s: float) -> Iterator[Action]:
        for stage in reversed(self._stages):  # Attributes first: what is nearly done frees the window.
            due = self._due[stage]
            if quarantined := self._quarantine.of(stage):
                yield from self._isolate(stage)
                due = due - quarantined
            for number in self._health.to_redeliver(stage, due):
                due = due - {number}
                yield from self._redeliver(stage, number)
            taking = self._taking(stage, len(due), now_s) if due else {}
            while due and (connection := self._workers.with_most_credit(taking)) is not None:
                number = min(due)
                if stage == DETECT and not self._frames[number].attempt and self._render_is_full:
                    break
                due.discard(number)
                self._due[stage].discard(number)
                self._handed_s[stage] = now_s
                yield from self._send(stage, number, connection)

    def _taking(self, stage: str, due: int, now_s: float) -> dict[str, int]:
        if not self._gathers:
            return self._workers.taking(stage)
        # A part of the window is for what is further on: other stages are to have something to do too.
        share = max(limits.CREDIT, self._rules.window // (1 + len(self._workers.of(stage))))
        # As long as detect is at work, more will be due soon, and what an attribute waits for holds nobody up.
        is_more_to_come = stage != DETECT and any(w.under_way for w in self._workers.of(DETECT).values())
        is_more_to_come = is_more_to_come and now_s - self._handed_s[stage] < GATHER_S
        return self._workers.gathering(stage, due, share, is_more_to_come)

    def _isolate(self, stage: str) -> Iterator[Action]:
        """One worker of the stage is to take one of its quarantined tasks in isolation; the others go on with the
        rest."""
        quarantined = self._due[stage] & self._quarantine.of(stage)
        if not quarantined:
            return
        free = {c: w for c, w in self._workers.of(stage).items() if w.credit or w.is_isolated}
        if free and not any(worker.is_isolated for worker in free.values()):
            redeliveries = self._health.redeliveries(stage, min(quarantined))
            connection = min(free, key=lambda c: (*redeliveries.others_first(free[c]), len(free[c].under_way)))
            self._workers.here[connection].is_isolated, self._workers.here[connection].is_waited_for = True, False
            yield SendIsolate(connection)

    def _redeliver(self, stage: str, number: int) -> Iterator[Action]:
        """Somebody was asked for this task in vain: who is most likely to answer gets it, however busy he is."""
        redeliveries = self._health.redeliveries(stage, number)
        here = {
            c: w for c, w in self._workers.of(stage).items() if (w.credit or w.is_isolated) and redeliveries.may_ask(w)
        }
        if (
            redeliveries.newest is not None
            and redeliveries.nobody_for_s(bool(here), self._stepped_s) >= self._rules.give_up_after_s
        ):
            says = f"{stage} gave {redeliveries.refused} answers for this frame that could not be taken"
            yield from self._give_up_for_good(number, stage, says)
            return
        here = {c: w for c, w in here.items() if not w.is_isolated}
        asked = {c: w for c, w in here.items() if not w.is_stuck} or here
        if not asked:
            return
        connection = min(asked, key=lambda c: redeliveries.rank(asked[c]))
        if asked[connection].free > 0:
            self._due[stage].discard(number)
            yield from self._send(stage, number, connection)

    @property
    def _render_is_full(self) -> bool:
        """Whether render has a whole window before it; a frame that was dropped meanwhile still lies in its queue."""
        return sum(frame.attempt > 0 for frame in self._frames.values()) + len(self._ahead) >= self._rules.window

    def _send(self, stage: str, number: int, connection: str) -> Iterator[Action]:
        frame, worker = self._frames[number], self._workers.here[connection]
        worker.last_seq += 1
        worker.under_way[worker.last_seq] = number
        frame.holders[stage] = connection
        if stage != DETECT:
            yield SendCrops(connection, stage, number, worker.last_seq)
            return
        frame.attempt += 1
        if self._owed and frame.attempt == 1:
            yield from self._ask_instead(number)
        # The frame first: render will be waiting for what detect finds in it, not for the picture.
        yield SendFrame(connection, number, worker.last_seq, frame.attempt, tuple(frame.given_up))
        if frame.attempt == 1:
            yield SendPicture(number)

    def _ask_instead(self, number: int) -> Iterator[Action]:
        """What a dropped frame was to be asked about, the next one is: or of a camera that loses two frames of three,
        a stage that is asked about every third might not hear for as long as the two keep step."""
        known = self._frames[number].attributes
        asked = self._tasks.ask(number, self._owed)
        self._owed.clear()
        if asked != known:
            yield AskInstead(number, asked)

    # --- Dropping and giving up: live sources only ---

    def _give_up_late(self, now_s: float) -> Iterator[Action]:
        gone = set(self._stages_gone(self._workers.stages, now_s))
        for number, frame in list(self._frames.items()):
            late = now_s - frame.read_s >= self._rules.deadline_s
            if not late and not gone:
                break  # Frames are held in the order in which they were read.
            # What render is missing is known from its last ack: only if that is from well after the deadline it is
            # lost.
            long_late = now_s - frame.read_s >= self._rules.deadline_s + 2 * NOTICE_S
            missing_parts = self._tasks.missing_parts(number)
            lost = long_late and missing_parts & {PICTURE, DETECT}
            if lost or (frame.crops is None and (late or DETECT in gone)):
                yield from self._note_late_workers(number, frame, (DETECT,))
                yield from self._drop(number, DETECT, "late" if late else "stage gone")
            elif frame.crops is not None and (frame.crops.faces or self._tasks.contradicts(frame, missing_parts)):
                stages = frame.attributes if late else [s for s in frame.attributes if s in gone]
                yield from self._note_late_workers(number, frame, stages)
                self._give_up(number, frame, stages, "late" if late else "stage gone")

    def _shed(self) -> None:
        """Attributes go before frames do: with half of the window in use, a stage that a quarter of it waits for keeps
        the newest of these tasks only. What it says is of now then, and the others' frames are done."""
        if 2 * len(self._frames) <= self._rules.window:
            return
        for stage in self._rules.attributes:
            if 4 * len(self._due[stage]) >= self._rules.window:
                for number in sorted(self._due[stage])[:-1]:
                    self._give_up(number, self._frames[number], (stage,), OVERLOAD)

    def _note_late_workers(self, number: int, frame: InFlight, stages: Iterable[str]) -> Iterator[Action]:
        missing_parts = self._tasks.missing_parts(number) - frame.given_up.keys()
        for stage in [stage for stage in stages if stage in missing_parts]:
            worker = self._workers.get(connection := frame.holders.get(stage))
            if worker is None or worker.has(number):
                continue
            if reason := self._health.late(worker, self._workers.has_others(worker)):
                yield from self._evict(connection, reason)

    def _stages_gone(self, present: set[str], now_s: float) -> Iterable[str]:
        for stage in self._stages:
            if stage in present:
                self._without_worker_since[stage] = None
            elif self._without_worker_since[stage] is None:
                self._without_worker_since[stage] = now_s
            elif now_s - self._without_worker_since[stage] >= self._rules.give_up_after_s:
                yield stage

    def _give_up(self, number: int, frame: InFlight, stages: Iterable[str], reason: str) -> None:
        missing_parts = self._tasks.missing_parts(number)
        for stage in stages:
            if stage in missing_parts and stage not in frame.given_up:
                frame.given_up[stage] = reason
                self._due[stage].discard(number)
                self._said_s = float("-inf")

    def _drop(self, number: int, stage: str, reason: str) -> Iterator[Action]:
        if self._frames[number].attempt:
            self._ahead.add(number)
        self._owed.update(self._frames[number].attributes)
        yield from self._forget(number, None)
        self._said_s = float("-inf")
        last = self._drops[-1] if self._drops else None
        if last is not None and (last.last, last.stage, last.reason) == (number - 1, stage, reason):
            self._drops[-1] = replace(last, last=number)
        else:
            self._drops.append(self._drop_of(number, number, stage, reason))

    def _drop_of(self, first: int, last: int, stage: str, reason: str) -> Drop:
        return Drop(first=first, last=last, stage=stage, reason=reason, **self._about)

    @property
    def _about(self) -> dict:
        """What render, who has spoken first, says that it is about."""
        return {"run": self._ack.run, "epoch": self._ack.epoch, "source": self._ack.source}

    def _forget(self, number: int, latency_s: float | None) -> Iterator[Action]:
        self._tasks.forget(number)
        self._quarantine.forget(number)
        self._health.forget(number, self._stages)
        yield Forget(number, latency_s)

    # --- What is said until it is acknowledged ---

    def _repeat_notices(self, now_s: float) -> Iterator[Action]:
        if now_s - self._said_s < NOTICE_S or self._ack is None or self._finished:
            return
        self._said_s = now_s
        yield from self._drops
        for number, frame in self._frames.items():
            missing_parts = self._tasks.missing_parts(number)
            for stage, reason in frame.given_up.items():
                # Without detect nothing more is said about the faces either that render may have already.
                if stage in missing_parts or (stage == DETECT and missing_parts & set(self._stages)):
                    yield GivenUp(frame=number, stage=stage, reason=reason, **self._about)
        if self._read_all:
            yield End(frames=self.read, **self._about)
