"""The loop of detect and of the attribute stages: take work from every capture, answer it, report its credit.

A worker holds nothing across frames. It may be started before, during or after a run, and any number of its kind may
work beside it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf

from ..config.settings import Settings
from ..delivery.session import WorkerSession
from ..delivery.shares import are_scarce, credits_of
from ..delivery.tasks import DETECT
from ..delivery.turns import Turns
from ..errors import StartupRejected
from ..protocol.generations import Incarnation, Run
from ..protocol.messages import (
    FROM_RENDER,
    TO_WORKER,
    Crops,
    Failed,
    Frame,
    Heartbeat,
    Isolated,
    Message,
    Welcome,
    WorkerHello,
    kinds,
)
from ..transport.curve import security_of
from ..transport.faults import inject, inject_between, injector_of, open_transport
from ..transport.sockets import DealerSocket
from .stage import ControlChannel

HEARTBEAT_S = 0.1
FOUND_S = 1.0  # so often render is told that this worker is there, beside the answers that it gets
REASON_CHARACTERS = 300  # of what a detector or a net raised
# until the first capture has answered: everything is started at once, and the first frame waits for it
FIRST_HEARTBEAT_S = 0.02
# so long: a camera that is waited for is away for minutes, and five workers that ask 50 times a second are work
HURRY_S = 5.0

Task = Frame | Crops
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says about one task."""

    to_render: Message
    to_capture: Message | None = None  # the crops, which also say that the task is finished


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this worker is, as its messages say it."""

    stage: str
    host: str
    replica: int
    incarnation: Incarnation
    card: str
    ended: list = field(default_factory=list)  # [incarnation, cause] of former lives: no other machine hears of them

    @classmethod
    def of(cls, settings: Settings, card: str) -> Identity:
        """Of the process that was told this; `card`: the hash of its model. Started by hand, its life is the clock's.

        An incarnation is compared with a predecessor's, never subtracted.
        """
        incarnation = settings.incarnation or int(time.time() * 1000)
        return cls(settings.stage, settings.host, settings.replica, incarnation, card, settings.ended)

    def hello(self, session: WorkerSession, reads_ring: bool) -> WorkerHello:
        """The answer to a welcome; `reads_ring`: whether pictures of this capture can come by its ring."""
        return WorkerHello(
            run=session.run,
            stage=self.stage,
            host=self.host,
            replica=self.replica,
            incarnation=self.incarnation,
            card=self.card,
            epoch=session.epoch,
            session_id=session.session_id,
            ended=self.ended,
            reads_ring=reads_ring,
        )

    def heartbeat(self, run: Run, credit: int, finished: int) -> Heartbeat:
        """The sign of life, with the credit and what is finished."""
        return Heartbeat(
            run=run,
            stage=self.stage,
            replica=self.replica,
            incarnation=self.incarnation,
            credit=credit,
            finished=finished,
        )

    def isolated(self, session: WorkerSession) -> Isolated:
        """That no session of this worker holds a task."""
        return Isolated(run=session.run, epoch=session.epoch, source=session.source, incarnation=self.incarnation)

    def failed(self, task: Task, error: Exception) -> Failed:
        """That a task cannot be answered."""
        return Failed(
            run=task.run,
            epoch=task.epoch,
            source=task.source,
            frame=task.frame,
            stage=self.stage,
            incarnation=self.incarnation,
            seq=task.seq,
            reason=f"{type(error).__name__}: {error}"[:REASON_CHARACTERS],
        )


def serve(
    settings: Settings,
    control: ControlChannel,
    identity: Identity,
    answer: Callable[[list[Task]], list[Answer]],
    fits: Callable[[Task], bool] = lambda task: True,
) -> None:
    """Work until the launcher says stop; with `settings.once`, until every capture that welcomed this worker has said
    finish.

    `answer` gets what waits, tasks of up to 32 faces in all or a single task, and returns one answer for each. `fits`
    says whether it can take a task; one that it cannot is thrown away. Raises `KeysError`, and `StartupRejected` where
    no capture takes this worker.
    """
    worker = _Worker(settings, control, identity, answer, fits)
    try:
        worker.run()
    finally:
        worker.close()


@dataclass(slots=True, eq=False)
class _Capture:
    """One capture that this worker works for."""

    address: str
    socket: DealerSocket
    session: WorkerSession = field(default_factory=WorkerSession)
    reported_s: float = -inf  # when it was last told what is finished
    reads_ring: bool = False  # whether its pictures come by its ring


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer that is not sent yet, or what was raised in its place."""

    capture: _Capture
    task: Task
    answer: Answer | Exception


class _Worker:
    def __init__(
        self,
        settings: Settings,
        control: ControlChannel,
        identity: Identity,
        answer: Callable[[list[Task]], list[Answer]],
        fits: Callable[[Task], bool],
    ):
        self._control, self._identity, self._answer, self._fits = control, identity, answer, fits
        self._once, self._injector = settings.once, injector_of(settings)
        self._transport = open_transport(self._injector, security_of(settings), control.say)
        self._render: DealerSocket = self._transport.connect(settings.render, kinds(*FROM_RENDER))
        self._turns: Turns[_Capture] = Turns()
        self._deadline_s = settings.pipeline.deadline
        self._captures = [self._connected(settings.captures[place]) for place in settings.read.values()]
        self._heartbeat_due_s = self._found_due_s = 0.0
        self._welcomed_s = time.monotonic()  # when all were known last; at first the start of this worker
        self._held: list[_Answered] = []
        self._held_until_s = inf
        self._render_run: str | None = None  # until render has welcomed us to a run, answers would be lost on their way
        self._refusals: set[str] = set()

    def run(self) -> None:
        self._control.ready()
        while not self._control.stop_requested and not (self._once and self._is_served):
            if (changed := self._control.changed_settings()) is not None:
                self._change_captures([changed.captures[place] for place in changed.read.values()])
            self._receive()
            only = self._isolated
            if capture := self._turns.next(lambda c, only=only: bool(c.session.waiting) and only in (None, c)):
                self._work(capture, capture.session.take_batch())
            if self._held and (time.monotonic() >= self._held_until_s or not self._has_work):
                self._send_answers()
            self._confirm_isolation()
            if time.monotonic() >= self._heartbeat_due_s:
                self._send_heartbeats()
            if not self._has_work:
                self._transport.wait(self._heartbeat_due_s - time.monotonic())
        if self._held:
            self._send_answers()
        if self._once and not self._control.stop_requested and not any(c.session.served for c in self._captures):
            raise StartupRejected(self._refusal(next(c.session.refused for c in self._captures if c.session.refused)))

    def close(self) -> None:
        self._transport.close()

    def _connected(self, address: str) -> _Capture:
        capture = _Capture(address, self._transport.connect(address, kinds(*TO_WORKER)))
        self._turns.add(capture)
        return capture

    def _change_captures(self, addresses: list[str]) -> None:
        """Work for the captures at these addresses from now on; what one that has gone had given is void."""
        if self._held:
            self._send_answers()
        for capture in [c for c in self._captures if c.address not in addresses]:
            self._captures.remove(capture)
            self._turns.remove(capture)
            self._transport.disconnect(capture.socket)
        known = {capture.address for capture in self._captures}
        self._captures += [self._connected(address) for address in addresses if address not in known]
        self._heartbeat_due_s = 0.0

    @property
    def _is_served(self) -> bool:
        """Whether every capture that has welcomed this worker needs nothing more, or does not take it."""
        welcomed = [capture.session for capture in self._captures if capture.session.run]
        return bool(welcomed) and all(session.served or session.refused for session in welcomed)

    # --- Receiving ---

    def _receive(self) -> None:
        for message in self._render.receive():
            if isinstance(message, Welcome) and message.run != self._render_run:
                self._render_run = message.run
                self._heartbeat_due_s = 0.0  # There is credit now: say so at once.
        for capture in self._captures:
            for message in capture.socket.receive():
                if not isinstance(message, Task) or self._fits(message):
                    self._hear(capture, message)
                # What does not fit is of no capture of ours: it would be the end of this process.

    def _hear(self, capture: _Capture, message: Message) -> None:
        session = capture.session
        if isinstance(message, Welcome) and self._identity.stage == DETECT:  # Nobody else is given pictures.
            capture.reads_ring = capture.socket.open_ring(message.ring)
        if session.take(message):
            _log.debug("welcomed to run %s, session %d", session.run, session.session_id)
            capture.socket.send(self._identity.hello(session, capture.reads_ring))
            self._send_heartbeat(capture, self._credits()[capture])
        elif session.served:
            # Capture waits for it: what it says last would else be lost as it ends.
            self._send_heartbeat(capture, 0)
        if session.refused and session.refused not in self._refusals:
            self._refusals.add(session.refused)
            if not self._once:  # Otherwise it is the last word.
                self._control.say(self._refusal(session.refused))

    def _refusal(self, reason: str) -> str:
        return f"{self._identity.stage} is refused by capture: {reason}."

    # --- Working ---

    @property
    def _has_work(self) -> bool:
        return any(capture.session.waiting for capture in self._captures)

    def _work(self, capture: _Capture, tasks: list[Task]) -> None:
        session = capture.session
        if session.is_isolated:
            self._control.report_position(f"frame {tasks[0].frame} of {tasks[0].source}")
        # Of its processor time: what else the machine does makes a task no larger.
        began_s, came_s = time.thread_time(), time.monotonic()
        answers = list(self._answers(tasks))
        session.worked(time.thread_time() - began_s, len(tasks), time.monotonic() - came_s)
        now_s = time.monotonic()
        self._held_until_s = min(self._held_until_s if self._held else inf, now_s + session.linger_s)
        self._held += [_Answered(capture, task, answer) for task, answer in answers]

    def _answers(self, tasks: list[Task]) -> Iterator[tuple[Task, Answer | Exception]]:
        """Each task with its answer. One that raises is told to capture, which decides whether it is tried again."""
        try:
            for task in tasks:
                inject(self._injector, task.frame)
            yield from zip(tasks, self._answer(tasks), strict=True)
        except Exception as error:  # Whatever a detector or a net raises over a picture, the next one may be well.
            if len(tasks) == 1:
                _log.exception("frame %d of %s cannot be answered", tasks[0].frame, tasks[0].source)
                yield tasks[0], error
                return
            for task in tasks:
                yield from self._answers([task])

    # --- Answering ---

    def _send_answers(self) -> None:
        """What is known by now travels together: who is woken for one answer can as well take several."""
        held, self._held = self._held, []
        isolated = self._isolated
        for answered in held:
            answered.capture.session.answered(answered.task)
        credits = self._credits()
        # Where there is enough, the regular heartbeat is soon enough to say so.
        scarce = credits if are_scarce((capture.session for capture in credits), self._deadline_s) else {}
        # A capture that is to send less hears of it before it hears that there is room again; but what was raised comes
        # first, of a task that capture takes to be under way.
        if not any(isinstance(answered.answer, Exception) for answered in held):
            for capture, credit in scarce.items():
                if credit < capture.session.stated:
                    self._send_heartbeat(capture, credit)
        # Capture first: others wait for the crops, and render will wait for them.
        for answered in held:
            self._answer_capture(answered)
        for answered in held:
            session = answered.capture.session
            if isinstance(answered.answer, Answer):
                self._render.send(answered.answer.to_render)
                if answered.answer.to_capture is not None:
                    session.mark_reported()
            self._control.finished()
        for capture, credit in credits.items():
            has_more = capture in scarce and credit > capture.session.stated
            if capture.session.credit_is_spent or capture is isolated or has_more:
                self._send_heartbeat(capture, credit)

    def _answer_capture(self, answered: _Answered) -> None:
        capture, answer = answered.capture, answered.answer
        if isinstance(answer, Exception):
            capture.socket.send(self._identity.failed(answered.task, answer))
        elif answer.to_capture is not None:
            capture.socket.send(answer.to_capture)
            capture.reported_s = time.monotonic()
            inject_between(self._injector, answered.task.frame)

    # --- Isolated with a task that may end this process ---

    @property
    def _isolated(self) -> _Capture | None:
        return next((capture for capture in self._captures if capture.session.is_isolated), None)

    def _confirm_isolation(self) -> None:
        """A capture that has asked for it is told when no session holds a task; one capture at a time."""
        if self._isolated is not None or self._has_work:
            return
        for capture in self._captures:
            if capture.session.ready_for_isolation():
                capture.socket.send(self._identity.isolated(capture.session))
                for each, credit in self._credits().items():
                    self._send_heartbeat(each, credit)
                return

    # --- Heartbeats ---

    def _send_heartbeats(self) -> None:
        now_s = time.monotonic()
        sessions = [capture.session for capture in self._captures]
        welcomed = all(session.run and session.run == self._render_run for session in sessions)
        if welcomed:
            self._welcomed_s = now_s
        is_in_a_hurry = not welcomed and now_s - self._welcomed_s < HURRY_S
        self._heartbeat_due_s = now_s + (FIRST_HEARTBEAT_S if is_in_a_hurry else HEARTBEAT_S)
        self._control.heartbeat()
        if not welcomed or now_s >= self._found_due_s:
            # Render needs no more than to be found again after it was away.
            self._found_due_s = now_s + FOUND_S
            self._render.send(self._identity.heartbeat(self._render_run or "", credit=0, finished=0))
        for capture, credit in self._credits().items():
            is_lately = now_s - capture.reported_s < HEARTBEAT_S and capture.session.stated == credit
            if not welcomed or not is_lately:
                self._send_heartbeat(capture, credit)

    def _send_heartbeat(self, capture: _Capture, credit: int) -> None:
        session, capture.reported_s = capture.session, time.monotonic()
        capture.socket.send(self._identity.heartbeat(session.run, credit, session.finished))
        session.state(credit)

    def _credits(self) -> dict[_Capture, int]:
        """The credit of each capture, in the order of their turns: none while one wants the worker for itself."""
        captures = list(self._turns)
        is_asked = any(capture.session.isolation_requested for capture in captures)
        credits = credits_of([capture.session for capture in captures], self._deadline_s, time.monotonic())
        return {
            capture: 0 if is_asked or capture.session.served or capture.session.run != self._render_run else credit
            for capture, credit in zip(captures, credits, strict=True)
        }
