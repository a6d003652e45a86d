"""The loop of detect and of the attribute stages: take work from every capture, answer it, report its credit.

A worker holds nothing across frames. It may be started before, during or after a run, and any number of its kind may
work beside it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from ..config.settings import Settings
from ..delivery.session import WorkerSession
from ..delivery.tasks import DETECT
from ..errors import StartupRejected
from ..protocol import limits
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
from ..transport.curve import Security
from ..transport.faults import FaultInjector, inject, inject_between, open_transport
from ..transport.sockets import DealerSocket

HEARTBEAT_S = 0.1
FOUND_S = 1.0  # so often render is told that this worker is there, beside the answers that it gets
REASON_CHARACTERS = 300  # of what a detector or a net raised
# until the first capture has answered: everything is started at once, and the first frame waits for it
FIRST_HEARTBEAT_S = 0.02


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


def serve(
    identity: Identity,
    render: str,
    captures: Iterable[str],
    answer: Callable[[list[Frame | Crops]], list[Answer]],
    control,
    once: bool = False,
    security: Security | None = None,
    fits: Callable[[Frame | Crops], bool] = lambda task: True,
    injector: FaultInjector | None = None,
) -> None:
    """Work until the launcher says stop; with `once`, until every capture that welcomed this worker has said finish.

    `render` and `captures` are addresses. `answer` gets what waits, tasks of up to 32 faces in all or a single task,
    and returns one answer for each. `security`: the locks, where the run spans several machines; `fits`: whether it can
    take a task; one that it cannot is thrown away; `injector`: faults on purpose.
    """
    transport = open_transport(injector, security, control.say)
    try:
        _Worker(identity, transport, render, captures, answer, control, once, fits, injector).run()
    finally:
        transport.close()


class _Worker:
    def __init__(self, identity, transport, render, captures, answer, control, once, fits, injector):
        self._identity, self._transport, self._control, self._once = identity, transport, control, once
        self._answer, self._fits, self._injector = answer, fits, injector
        self._render: DealerSocket = transport.connect(render, kinds(*FROM_RENDER))
        listens_to = kinds(*TO_WORKER)
        self._sessions: list[tuple[DealerSocket, WorkerSession]] = [
            (transport.connect(c, listens_to), WorkerSession()) for c in captures
        ]
        self._heartbeat_due_s = self._found_due_s = 0.0
        self._heard_from_s: dict[DealerSocket, float] = {}  # when each capture has been told last what is finished
        self._stated_credit: dict[DealerSocket, int] = {}
        self._reads_ring: dict[DealerSocket, bool] = {}  # whether pictures of this capture come by its ring
        # not sent yet
        self._held: list[tuple[tuple[DealerSocket, WorkerSession], Frame | Crops, Answer | Exception]] = []
        self._held_until_s = inf
        self._render_run: str | None = None  # until render has welcomed us to a run, answers would be lost on their way
        self._refusals: set[str] = set()

    def run(self) -> None:
        self._control.ready()
        while not self._control.stop_requested and not (self._once and self._served):
            self._receive()
            owner, tasks = self._take_batch()
            if tasks:
                self._work(owner, tasks)
            if self._held and (time.monotonic() >= self._held_until_s or not self._has_work):
                self._send_answers()
            self._confirm_isolation()
            if time.monotonic() >= self._heartbeat_due_s:
                self._send_heartbeats()
            if not self._has_work:
                self._transport.wait(self._heartbeat_due_s - time.monotonic())
        if self._held:
            self._send_answers()
        if self._once and not self._control.stop_requested and not any(session.served for _, session in self._sessions):
            raise StartupRejected(
                self._refusal(next(session.refused for _, session in self._sessions if session.refused))
            )

    @property
    def _served(self) -> bool:
        welcomed = [session for _, session in self._sessions if session.run]
        return bool(welcomed) and all(session.served or session.refused for session in welcomed)

    def _receive(self) -> None:
        for message in self._render.receive():
            if isinstance(message, Welcome) and message.run != self._render_run:
                self._render_run = message.run
                self._heartbeat_due_s = 0.0  # There is credit now: say so at once.
        for capture, session in self._sessions:
            for message in capture.receive():
                if isinstance(message, Welcome) and self._identity.stage == DETECT:  # Nobody else is given pictures.
                    self._reads_ring[capture] = capture.open_ring(message.ring)
                if isinstance(message, (Frame, Crops)) and not self._fits(message):
                    continue  # Of no capture of ours: it would be the end of this process.
                if session.take(message):
                    self._say_hello(capture, session)
                elif session.served:
                    # Capture waits for it: what it says last would else be lost as it ends.
                    self._send_heartbeat(capture, session)
                if session.refused and session.refused not in self._refusals:
                    self._refusals.add(session.refused)
                    if not self._once:  # Otherwise it is the last word.
                        self._control.say(self._refusal(session.refused))

    def _refusal(self, reason: str) -> str:
        return f"{self._identity.stage} is refused by capture: {reason}."

    def _take_batch(self) -> tuple[tuple[DealerSocket, WorkerSession] | None, list[Frame | Crops]]:
        """What waits in one session, up to a batch of faces; a picture goes alone. The sessions take turns."""
        only = self._isolated_by
        places = ((n, session) for n, (_, session) in enumerate(self._sessions) if only is None or session is only)
        place = next((n for n, session in places if session.waiting), None)
        if place is None:
            return None, []
        capture, session = self._sessions.pop(place)
        self._sessions.append((capture, session))
        batch, faces = [], 0
        while session.waiting:
            size = len(session.waiting[0].arrays[0]) if isinstance(session.waiting[0], Crops) else limits.BATCH_FACES
            if batch and faces + size > limits.BATCH_FACES:
                break
            batch.append(session.waiting.popleft())
            faces += size
        return (capture, session), batch

    @property
    def _has_work(self) -> bool:
        return any(session.waiting for _, session in self._sessions)

    def _work(self, owner: tuple[DealerSocket, WorkerSession], tasks: list[Frame | Crops]) -> None:
        _, session = owner
        if session.is_isolated:
            self._control.report_position(f"frame {tasks[0].frame} of {tasks[0].source}")
        # Of its processor time: what else the machine does makes a task no larger.
        began_s = time.thread_time()
        answers = list(self._answers(tasks))
        session.worked(time.thread_time() - began_s, len(tasks))
        now_s = time.monotonic()
        self._held_until_s = min(self._held_until_s if self._held else inf, now_s + session.linger_s)
        self._held += [(owner, task, answer) for task, answer in answers]

    def _send_answers(self) -> None:
        """What is known by now travels together: who is woken for one answer can as well take several."""
        held, self._held = self._held, []
        alone = [session for _, session in self._sessions if session.is_isolated]
        # Capture first: others wait for the crops, and render will wait for them.
        for (capture, _), task, answer in held:
            if isinstance(answer, Exception):
                capture.send(self._failed(task, answer))
            elif answer.to_capture is not None:
                capture.send(answer.to_capture)
                self._heard_from_s[capture] = time.monotonic()
                inject_between(self._injector, task.frame)
        for (_, session), task, answer in held:
            session.answered(task)
            if not isinstance(answer, Exception):
                self._render.send(answer.to_render)
                if answer.to_capture is not None:
                    session.mark_reported()
            self._control.finished()
        for capture, session in self._sessions:
            if session.credit_is_spent or session in alone:
                self._send_heartbeat(capture, session)

    def _answers(self, tasks: list[Frame | Crops]) -> Iterator[tuple[Frame | Crops, Answer | Exception]]:
        """Each task with its answer. One that raises is told to capture, which decides whether it is tried again."""
        try:
            for task in tasks:
                inject(self._injector, task.frame)
            yield from zip(tasks, self._answer(tasks), strict=True)
        except Exception as error:  # Whatever a detector or a net raises over a picture, the next one may be well.
            if len(tasks) == 1:
                traceback.print_exc()
                yield tasks[0], error
                return
            for task in tasks:
                yield from self._answers([task])

    def _failed(self, task: Frame | Crops, error: Exception) -> Failed:
        me = self._identity
        return Failed(
            run=task.run,
            epoch=task.epoch,
            source=task.source,
            frame=task.frame,
            stage=me.stage,
            incarnation=me.incarnation,
            seq=task.seq,
            reason=f"{type(error).__name__}: {error}"[:REASON_CHARACTERS],
        )

    # --- Isolated with a task that may end this process ---

    @property
    def _isolated_by(self) -> WorkerSession | None:
        return next((session for _, session in self._sessions if session.is_isolated), None)

    def _confirm_isolation(self) -> None:
        """A capture that has asked for it is told when no session holds a task; one capture at a time."""
        if self._isolated_by is not None or self._has_work:
            return
        for capture, session in self._sessions:
            if session.ready_for_isolation():
                me = self._identity
                capture.send(
                    Isolated(run=session.run, epoch=session.epoch, source=session.source, incarnation=me.incarnation)
                )
                for each in self._sessions:
                    self._send_heartbeat(*each)
                return

    def _say_hello(self, capture: DealerSocket, session: WorkerSession) -> None:
        me = self._identity
        capture.send(
            WorkerHello(
                run=session.run,
                stage=me.stage,
                host=me.host,
                replica=me.replica,
                incarnation=me.incarnation,
                card=me.card,
                epoch=session.epoch,
                session_id=session.session_id,
                ended=me.ended,
                reads_ring=self._reads_ring.get(capture, False),
            )
        )
        self._send_heartbeat(capture, session)

    def _send_heartbeats(self) -> None:
        now_s = time.monotonic()
        welcomed = all(session.run and session.run == self._render_run for _, session in self._sessions)
        self._heartbeat_due_s = now_s + (HEARTBEAT_S if welcomed else FIRST_HEARTBEAT_S)
        self._control.heartbeat()
        if not welcomed or now_s >= self._found_due_s:
            # Render needs no more than to be found again after it was away.
            self._found_due_s = now_s + FOUND_S
            self._render.send(self._heartbeat(run=self._render_run or "", credit=0, finished=0))
        for capture, session in self._sessions:
            is_lately = now_s - self._heard_from_s.get(capture, -inf) < HEARTBEAT_S and self._stated_credit.get(
                capture
            ) == self._credit(session)
            if not welcomed or not is_lately:
                self._send_heartbeat(capture, session)

    def _send_heartbeat(self, capture: DealerSocket, session: WorkerSession) -> None:
        self._heard_from_s[capture], self._stated_credit[capture] = time.monotonic(), self._credit(session)
        capture.send(self._heartbeat(session.run, self._credit(session), session.finished))
        session.mark_reported()

    def _credit(self, session: WorkerSession) -> int:
        is_asked = any(other.isolation_requested for _, other in self._sessions)
        return session.credit if session.run == self._render_run and not session.served and not is_asked else 0

    def _heartbeat(self, run: Run, credit: int, finished: int) -> Heartbeat:
        me = self._identity
        return Heartbeat(
            run=run,
            stage=me.stage,
            replica=me.replica,
            incarnation=me.incarnation,
            credit=credit,
            finished=finished,
        )
