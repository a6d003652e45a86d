"""A worker with a valid key that means harm: it knows the protocol, and whatever it is sent, and keeps to nothing."""

from __future__ import annotations

from stages.delivery import dispatcher, joiner
from stages.protocol.messages import Crops, Frame, Isolate, Welcome
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
                me = (self.connection, self.stage, (HOST, draw.randrange(3)), draw.randrange(2**53), "card")
                ended = tuple((life, draw.choice(("exit", "hang"))) for life in range(draw.choice((0, 16))))
                self._to_capture(dispatcher.WorkerRegistered(*me, self.session_id, ended), self.epoch)
                self._heartbeat()
            case Isolate():
                if draw.random() < 0.5:
                    self._to_capture(dispatcher.WorkerIsolated(self.connection), self.epoch)
            case Frame() | Crops():
                self.seen = [*self.seen[-9:], message]
                self._answer(message)

    # --- What it says about a task ---

    def _answer(self, task: Frame | Crops) -> None:
        manner = self.world.random.choice(MANNERS[:-1]) if self.manner == "any" else self.manner
        if manner == "hoards":
            return
        if manner == "fails":
            for _ in range(5):
                self._to_capture(dispatcher.WorkerFailed(self.connection, task.frame, "so it says"), task.epoch)
        elif manner != "claims":
            self._detect(task, manner) if isinstance(task, Frame) else self._attribute(task, manner)
        self.finished = max(self.finished, task.seq)
        self._heartbeat()

    def _detect(self, task: Frame, manner: str) -> None:
        draw, faces = self.world.random, simulated.faces_in(task.frame)
        boxes_hash, lie = f"boxes-of-{task.frame}", f"no-boxes-of-{task.frame}"
        count = 0 if manner == "contradicts" and draw.random() < 0.3 else faces
        crops = dispatcher.CropsReceived(
            self.connection, task.frame, task.attempt, boxes_hash, count, count * simulated.FACE_SIZE
        )
        # Boxes that nobody can be shown to have made up would be believed: it tells two stories, or none.
        told = lie if manner == "contradicts" and faces else boxes_hash
        found = joiner.FacesReceived(task.frame, task.attempt, told, faces, (faces, told))
        if manner == "contradicts" and not count and faces:
            found = joiner.FacesReceived(task.frame, task.attempt, boxes_hash, faces, (faces, boxes_hash))
        is_wrong = manner == "refused"
        half = draw.random() < 0.5
        if manner != "tells half" or half:
            self._crops(task, crops, "has other crops" if is_wrong and half else None)
        if manner != "tells half" or not half:
            self._say(task, found, -1 if is_wrong else 0)

    def _attribute(self, task: Crops, manner: str) -> None:
        rows, frame, boxes_hash = simulated.faces_in(task.frame), task.frame, task.boxes_hash
        if manner in ("refused", "contradicts"):
            wrong = self.world.random.randrange(4)
            rows = (-1, rows + 1, rows, rows)[wrong]
            frame = frame + 1 if wrong == 2 else frame
            boxes_hash = "others" if wrong == 3 else boxes_hash
            self._say(task, joiner.AttributeReceived(frame, task.attempt, boxes_hash, self.stage, "a lie"), rows)

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
            self._to_capture(dispatcher.WorkerDisconnected(self.connection))

    def _heartbeat(self) -> None:
        finished = 2**53 if self.manner == "claims" else self.finished
        self._to_capture(dispatcher.WorkerHeartbeat(self.connection, 2**53, finished))

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
                said = joiner.FacesReceived(frame, draw.choice((1, 2**53)), "b", 1, (1, "b"))
                world._deliver((self.name, "render"), world.answer_came, grant, said, world.epoch)
            crops = dispatcher.CropsReceived(self.connection, frame, 2**53, "b", 1, 10)
            world._deliver((self.name, "capture"), world.hear_crops, "", crops, world.epoch)
            self._to_capture(dispatcher.WorkerFailed(self.connection, frame, "so it says"), world.epoch)
            self._to_capture(dispatcher.WorkerIsolated(self.connection), world.epoch)
        newcomer = f"s{draw.randrange(10**9)}"
        life = (newcomer, draw.choice((self.stage, "\x1b[2J")), (HOST, draw.randrange(2**53)), 1)
        self._to_capture(dispatcher.WorkerRegistered(*life, draw.choice(("card", "another"))), world.epoch)

    def _crops(self, task: Frame, crops: dispatcher.CropsReceived, flaw: str | None) -> None:
        if task.epoch == self.world.epoch:
            self.world._deliver((self.name, "capture"), self._arrive, task, crops, flaw)

    def _arrive(self, task: Frame, crops: dispatcher.CropsReceived, flaw: str | None) -> None:
        if task.epoch == self.world.epoch:
            self.world.crops_came(task.grant, crops, flaw)

    def _say(self, task: Frame | Crops, answer: joiner.Event, rows: int) -> None:
        self.world._deliver((self.name, "render"), self.world.answer_came, task.grant, answer, task.epoch, rows)

    def _to_capture(self, event: dispatcher.Event, epoch: int | None = None) -> None:
        if not self.world.finished:
            self.world._deliver((self.name, "capture"), self.world._dispatch_and_read, event, epoch)
