"""A worker with a valid key that means harm: it knows the protocol, and whatever it is sent, and keeps to nothing."""

from __future__ import annotations

from msgspec.structs import replace

from stages.delivery import events
from stages.protocol.messages import (
    Attribute,
    Crops,
    FaceCrops,
    Faces,
    Failed,
    Frame,
    Heartbeat,
    Isolate,
    Isolated,
    Message,
    Welcome,
    WorkerHello,
)
from tests.simulation import world as simulated

MANNERS = ("refused", "contradicts", "tells half", "claims", "hoards", "fails", "any")
HOST = "there"  # proven by its key; the good workers are on another one
LONGEST_S = 20.0  # so long it is at it; a source without end may be disturbed without end


class Hostile:
    """Its manner is drawn once; beside it floods of nonsense come from it all along."""

    def __init__(self, world: simulated.World, stage: str, number: int):
        self.world, self.stage, self.number = world, stage, number
        self.manner = world.random.choice(MANNERS)
        self.comes_again = world.random.random() < 0.5  # whenever it is refused, under another name
        self.connection, self.lives, self.epoch, self.session_id = "", 0, 0, 0
        self.finished = 0
        self.seen: list[Frame | Crops] = []
        self.is_refused = False

    def start(self, delay_s: float) -> None:
        self.world.after(delay_s, self._connect)
        self.world.after(delay_s, self._heartbeat_regularly)

    def _connect(self) -> None:
        self.world.hostile.pop(self.connection, None)
        self.lives += 1
        self.connection, self.is_refused = f"h{self.stage}{self.number}-{self.lives}", False
        self.world.hostile[self.connection] = self

    @property
    def name(self) -> str:
        return self.connection

    def refused(self) -> None:
        self.is_refused = True
        if self.comes_again and self.world.now_s < LONGEST_S:
            self.world.after(self.world.random.choice((0.0, 0.2)), self._connect)

    def receive(self, message) -> None:
        draw = self.world.random
        match message:
            case Welcome():
                self.epoch, self.session_id, self.finished = message.epoch, message.session_id, 0
                me = {"replica": draw.randrange(3), "incarnation": draw.randrange(2**53)}
                ended = [[life, draw.choice(("exit", "hang"))] for life in range(draw.choice((0, 16)))]
                self._to_capture(self._hello(self.stage, "card", ended=ended, **me), self.epoch)
                self._heartbeat()
            case Isolate():
                if draw.random() < 0.5:
                    self._to_capture(Isolated(incarnation=1, **simulated.about(self.epoch)), self.epoch)
            case Frame() | Crops():
                self.seen = [*self.seen[-9:], message]
                self._answer(message)

    def _hello(self, stage: str, card: str, **known) -> WorkerHello:
        session = {"run": simulated.RUN, "epoch": self.epoch, "session_id": self.session_id}
        return WorkerHello(stage=stage, host=HOST, card=card, **session, **known)

    # --- What it says about a task ---

    def _answer(self, task: Frame | Crops) -> None:
        manner = self.world.random.choice(MANNERS[:-1]) if self.manner == "any" else self.manner
        if manner == "hoards":
            return
        if manner == "fails":
            for _ in range(5):
                self._fail(task.frame, task.epoch)
        elif manner != "claims":
            self._detect(task, manner) if isinstance(task, Frame) else self._attribute(task, manner)
        self.finished = max(self.finished, task.seq)
        self._heartbeat()

    def _detect(self, task: Frame, manner: str) -> None:
        draw, faces = self.world.random, simulated.faces_in(task.frame)
        boxes_hash, lie = f"boxes-of-{task.frame}", f"no-boxes-of-{task.frame}"
        count = 0 if manner == "contradicts" and draw.random() < 0.3 else faces
        crops = simulated.cut_from(task, boxes_hash, count)
        # Boxes that nobody can be shown to have made up would be believed: it tells two stories, or none.
        told = boxes_hash if manner != "contradicts" or not faces or not count else lie
        found = simulated.found_in(task, told, faces)
        is_wrong = manner == "refused"
        half = draw.random() < 0.5
        if manner != "tells half" or half:
            self._crops(crops, "has other crops" if is_wrong and half else None)
        if manner != "tells half" or not half:
            self._say(found, is_wrong)

    def _attribute(self, task: Crops, manner: str) -> None:
        rows = simulated.faces_in(task.frame)
        if manner in ("refused", "contradicts"):
            wrong = self.world.random.randrange(4)
            lies = ({}, {}, {"frame": task.frame + 1}, {"boxes_hash": "others"})[wrong]
            self._say(simulated.answered(task, self.stage, rows + (wrong == 1), **lies), is_wrong=wrong == 0)

    # --- What it says unasked ---

    def _heartbeat_regularly(self) -> None:
        is_alone = self.world.plan.only_hostile == self.stage
        if self.world.now_s < LONGEST_S or is_alone:
            self._heartbeat()
            if self.world.now_s < LONGEST_S:
                self._flood()
            self.world.after(0.1, self._heartbeat_regularly)
        else:  # Its machine is switched off.
            self.world.hostile.pop(self.connection, None)
            self.world.deliver(
                (self.name, "capture"), self.world.dispatch_and_read, events.WorkerDisconnected(self.connection)
            )

    def _heartbeat(self) -> None:
        finished = 2**53 if self.manner == "claims" else self.finished
        known = {"stage": self.stage, "replica": 0, "incarnation": 1}
        self._to_capture(Heartbeat(run=simulated.RUN, credit=2**53, finished=finished, **known))

    def _flood(self) -> None:
        draw, world = self.world.random, self.world
        frames = [
            draw.choice((0, 1, world.joiner.next_frame, world.dispatcher.read, 500 + draw.randrange(500), 2**53))
            for _ in "12"
        ]
        for frame in frames:
            for grant in (
                "",
                "7 7 7 1 boxes detect " + "0" * 32,
                *[task.grant[:-1] + "x" for task in self.seen[-1:]],
            ):
                attempt = draw.choice((1, 2**53))
                near = {"frame": frame, "attempt": attempt, "grant": grant, "seq": 0, "skip": [], "geometries": []}
                task = Frame(**near, **simulated.about(world.epoch))
                world.deliver((self.name, "render"), world.answer_came, simulated.found_in(task, "b", 1))
            crops = simulated.cut_from(replace(task, attempt=2**53, grant=""), "b", 1)
            world.deliver((self.name, "capture"), world.crops_came, self.connection, crops)
            self._fail(frame, world.epoch)
            self._to_capture(Isolated(incarnation=1, **simulated.about(world.epoch)), world.epoch)
        newcomer = f"s{draw.randrange(10**9)}"
        stage, known = draw.choice((self.stage, "\x1b[2J")), {"replica": draw.randrange(2**53), "incarnation": 1}
        hello = replace(self._hello(stage, draw.choice(("card", "another")), **known), session_id=0)
        self._to_capture(hello, world.epoch, newcomer)

    def _fail(self, frame: int, epoch: int) -> None:
        said = {"stage": self.stage, "incarnation": 1, "seq": 0, "reason": "so it says"}
        self._to_capture(Failed(frame=frame, **said, **simulated.about(epoch)), epoch)

    def _crops(self, crops: FaceCrops, flaw: str | None) -> None:
        if crops.epoch == self.world.epoch:
            self.world.deliver((self.name, "capture"), self.world.crops_came, self.connection, crops, flaw)

    def _say(self, answer: Faces | Attribute, is_wrong: bool) -> None:
        self.world.deliver((self.name, "render"), self.world.answer_came, answer, is_wrong)

    def _to_capture(self, message: Message, epoch: int | None = None, connection: str | None = None) -> None:
        if not self.world.finished:
            event = events.FromWorker(connection or self.connection, message)
            self.world.deliver((self.name, "capture"), self.world.dispatch_and_read, event, epoch)
