"""Several sources that share workers: their real dispatchers, sessions and joiners, with a clock driven by hand.

Workers and render take a fixed time for each task and frame, messages take a thousandth of a second, and nothing fails.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from stages.delivery import events, joiner
from stages.delivery.dispatcher import Dispatcher
from stages.delivery.rules import Rules
from stages.delivery.session import WorkerSession
from stages.delivery.shares import credits_of
from stages.delivery.turns import Turns
from stages.protocol import limits
from stages.protocol.messages import (
    Ack,
    Attribute,
    Crops,
    Drop,
    End,
    FaceCrops,
    Faces,
    Finish,
    Frame,
    FramePicture,
    GivenUp,
    Heartbeat,
    SourceHello,
    Welcome,
    WorkerHello,
)

ATTRIBUTES = ("gender", "emotion", "age")
STAGES = ("detect", *ATTRIBUTES)
WIRE_S = 0.001
DEADLINE_S = 1.0
PIXELS = 1000


@dataclass(frozen=True, slots=True)
class Service:
    """How long each takes, in seconds, and how many detects there are."""

    detect_s: float = 0.015
    attribute_s: float = 0.002
    render_s: float = 0.002
    detects: int = 2


@dataclass(eq=False)
class Source:
    """A camera of so many frames a second, or, without a rate, a file that is read as fast as it goes."""

    house: House
    name: str
    rate: float | None
    faces: int = 2
    latencies_s: list[float] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    given_up: set[tuple[int, str]] = field(default_factory=set)

    def __post_init__(self):
        live = self.rate is not None
        cards = dict.fromkeys(STAGES, "card")
        credit = limits.CREDIT if live else limits.FILE_CREDIT
        self.rules = Rules(attributes=ATTRIBUTES, cards=cards, live=live, credit=credit)
        self.dispatcher, self.joiner = Dispatcher(self.rules), joiner.Joiner(ATTRIBUTES)
        self.crops: dict[int, FaceCrops] = {}
        self.read_s: dict[int, float] = {}
        self.emits: deque[joiner.Emit] = deque()  # what render has to write
        self.acks = count()
        self.about = {"run": "run", "epoch": 1, "source": self.name}
        self.house.after(0.0, self.hello)
        self.house.after(0.01, self.tick)
        if live:
            # Cameras know nothing of each other: their frames come at different times.
            self.house.after(1.0 + 0.618 * len(self.house.sources) % 1 / self.rate, self.see)

    def hello(self) -> None:
        live = self.rate is not None
        self.join(SourceHello(live=live, is_complete=True, latency=None, key="", ring=None, **self.about))

    def tick(self) -> None:
        self.dispatch(events.Tick())
        self.acknowledge()
        self.house.after(0.05, self.tick)

    def see(self) -> None:
        """The camera has another picture."""
        self.house.after(1 / self.rate, self.see)
        if self.dispatcher.started:
            self.take_picture()

    def take_picture(self) -> None:
        self.read_s[self.dispatcher.read] = self.house.now_s
        self.dispatch(events.Read(PIXELS, ATTRIBUTES))

    def dispatch(self, event: events.Event) -> None:
        now_s = self.house.now_s
        actions = self.dispatcher.step(event, now_s)
        if self.rules.batches and not isinstance(event, events.Tick):
            actions = [*actions, *self.dispatcher.step(events.Tick(), now_s)]
        for action in actions:
            self.do(action)
        while self.rate is None and self.dispatcher.may_read(PIXELS):
            self.take_picture()

    def do(self, action: events.Action) -> None:
        match action:
            case events.SendWelcome(connection, session_id):
                welcome = Welcome(session_id=session_id, credit=self.rules.credit, **self.about)
                self.to_worker(connection, welcome)
            case events.SendFrame(connection, frame, seq, attempt, _):
                said = {"frame": frame, "seq": seq, "attempt": attempt, "skip": [], "geometries": []}
                self.to_worker(connection, Frame(grant="", **said, **self.about))
            case events.SendCrops(connection, _, frame, seq):
                crops = self.crops[frame]
                said = {"frame": frame, "seq": seq, "attempt": crops.attempt, "boxes_hash": crops.boxes_hash}
                task = Crops(grant="", spent={}, arrays=crops.arrays, **said, **self.about)
                self.to_worker(connection, task)
            case events.KeepCrops(crops):
                self.crops[crops.frame] = crops
            case events.SendPicture(frame):
                known = {"file": None, "time": 0.0, "rate": None, "asked": list(ATTRIBUTES)}
                self.house.to_render(self, FramePicture(frame=frame, **known, **self.about))
            case Drop(first=first, last=last):
                self.dropped |= set(range(first, last + 1))  # It is repeated until render has heard it.
                self.house.to_render(self, action)
            case GivenUp(frame=frame, stage=stage):
                self.given_up.add((frame, stage))
                self.house.to_render(self, action)
            case End():
                self.house.to_render(self, action)
            case events.Forget(frame):
                self.crops.pop(frame, None)

    def to_worker(self, connection: str, message: Welcome | Frame | Crops) -> None:
        self.house.after(WIRE_S, self.house.workers[int(connection)].receive, self, message)

    def join(self, message) -> None:
        """Render takes a message."""
        self.emits += [action for action in self.joiner.step(message) if isinstance(action, joiner.Emit)]

    def written(self) -> None:
        """Render has written the next frame."""
        self.latencies_s.append(self.house.now_s - self.read_s[self.emits.popleft().frame])
        self.acknowledge()

    def acknowledge(self) -> None:
        done = self.emits[0].frame if self.emits else self.joiner.next_frame
        ack = Ack(
            incarnation=1,
            number=next(self.acks),
            acked_up_to=done,
            missing_parts=[(n, []) for n in range(done, self.joiner.next_frame)] + self.joiner.missing_parts(),
            clean=False,
            preview=None,
            heard=self.joiner.heard,
            refused=[],
            **self.about,
        )
        self.house.after(WIRE_S, self.dispatch, ack)


@dataclass(eq=False)
class Worker:
    """One process of a stage, with a session for each source."""

    house: House
    number: int
    stage: str
    sessions: dict[Source, WorkerSession] = field(default_factory=dict)
    turns: Turns[WorkerSession] = field(default_factory=Turns)
    is_at_work: bool = False
    worked_s: float = 0.0

    def __post_init__(self):
        self.house.after(0.0, self.beat)

    def session(self, source: Source) -> WorkerSession:
        if source not in self.sessions:
            self.sessions[source] = WorkerSession()
            self.turns.add(self.sessions[source])
        return self.sessions[source]

    def beat(self) -> None:
        for source in self.house.sources:
            self.session(source)
        for source, credit in self.credits().items():
            self.state(source, credit)
        self.house.after(0.1, self.beat)

    def credits(self) -> dict[Source, int]:
        sessions = list(self.turns)
        given = dict(zip(map(id, sessions), credits_of(sessions, DEADLINE_S, self.house.now_s), strict=True))
        return {source: given[id(session)] for source, session in self.sessions.items()}

    def state(self, source: Source, credit: int) -> None:
        session = self.session(source)
        known = {"run": session.run, "credit": credit, "finished": session.finished}
        self.say(source, Heartbeat(stage=self.stage, replica=self.number, incarnation=1, **known))
        session.state(credit)

    def receive(self, source: Source, message: Welcome | Frame | Crops | Finish) -> None:
        session = self.session(source)
        if session.take(message):
            known = {"run": "run", "epoch": 1, "session_id": session.session_id, "host": "here", "card": "card"}
            self.say(source, WorkerHello(stage=self.stage, replica=self.number, incarnation=1, ended=[], **known))
            self.state(source, self.credits()[source])
        self.work()

    def work(self) -> None:
        if self.is_at_work or (session := self.turns.next(lambda session: bool(session.waiting))) is None:
            return
        tasks = session.take_batch()
        source = next(source for source, known in self.sessions.items() if known is session)
        service = self.house.service
        took_s = len(tasks) * (service.detect_s if self.stage == "detect" else service.attribute_s)
        self.is_at_work, self.worked_s = True, self.worked_s + took_s
        session.worked(took_s, len(tasks))
        self.house.after(took_s, self.answer, source, tasks)

    def answer(self, source: Source, tasks: list[Frame | Crops]) -> None:
        session = self.sessions[source]
        for task in tasks:
            session.answered(task)
        # Who is to send less hears of it before it hears that there is room again.
        credits = self.credits()
        for other, credit in credits.items():
            if credit < self.sessions[other].stated:
                self.state(other, credit)
        for task in tasks:
            self.answer_one(source, task)
            if isinstance(task, Frame):
                session.mark_reported()
        for other, credit in credits.items():
            if credit > self.sessions[other].stated or (other is source and session.credit_is_spent):
                self.state(other, credit)
        self.is_at_work = False
        self.work()

    def answer_one(self, source: Source, task: Frame | Crops) -> None:
        said = {"frame": task.frame, "attempt": task.attempt, "grant": "", "spent": {}, **source.about}
        who = {"replica": self.number, "incarnation": 1}
        if isinstance(task, Crops):
            answers = {"boxes_hash": task.boxes_hash, "answers": [[0.0]] * source.faces}
            self.house.to_render(source, Attribute(stage=self.stage, **answers, **said, **who))
            return
        crops = (np.broadcast_to(np.uint8(0), (source.faces, 1)),)
        self.say(source, FaceCrops(boxes_hash="boxes", faces=source.faces, arrays=crops, **said))
        found = {"boxes": [[0, 0, 1, 1]] * source.faces, "scores": [1.0] * source.faces, "capped": 0}
        self.house.to_render(source, Faces(boxes_hash="boxes", **found, **said, **who))

    def say(self, source: Source, message: WorkerHello | Heartbeat | FaceCrops) -> None:
        self.house.after(WIRE_S, source.dispatch, events.FromWorker(str(self.number), message))


class House:
    """A run of several sources: `rates` by name, None for a file."""

    def __init__(self, service: Service = Service(), **rates: float | None):  # noqa: B008  (it is frozen)
        self.now_s, self.service = 0.0, service
        self._queue: list = []
        self._order = count()
        self._turns: Turns[Source] = Turns()  # at render
        self._renders = False
        self.sources: list[Source] = []
        stages = ["detect"] * service.detects + list(ATTRIBUTES)
        self.workers = [Worker(self, number, stage) for number, stage in enumerate(stages)]
        for name, rate in rates.items():
            self.add(name, rate)

    def add(self, name: str, rate: float | None) -> Source:
        self.sources.append(Source(self, name, rate))
        self._turns.add(self.sources[-1])
        return self.sources[-1]

    def __getitem__(self, name: str) -> Source:
        return next(source for source in self.sources if source.name == name)

    def run(self, until_s: float) -> House:
        while self._queue and self._queue[0][0] <= until_s:
            self.now_s, _, do, arguments = heapq.heappop(self._queue)
            do(*arguments)
        return self

    def after(self, delay_s: float, do: Callable, *arguments) -> None:
        heapq.heappush(self._queue, (self.now_s + delay_s, next(self._order), do, arguments))

    def to_render(self, source: Source, message) -> None:
        self.after(WIRE_S, self._take, source, message)

    def _take(self, source: Source, message) -> None:
        source.join(message)
        if not self._renders:
            self._render()

    def _render(self) -> None:
        source = self._turns.next(lambda source: bool(source.emits))
        self._renders = source is not None
        if source is not None:
            self.after(self.service.render_s, self._written, source)

    def _written(self, source: Source) -> None:
        source.written()
        self._render()
