"""A whole pipeline in one thread: the real dispatcher, sessions and joiner, with simulated sockets, clock and workers.

Everything that happens is drawn from one seed, so that a history that breaks an invariant can be played again. After
every event the safety invariants are checked; after the faults have stopped the run has to end by itself.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from stages.delivery import dispatcher, events, joiner
from stages.delivery.grants import Assignment, Grants, Refusals
from stages.delivery.rules import Rules, asked
from stages.delivery.session import WorkerSession
from stages.protocol import limits
from stages.protocol.messages import (
    Ack,
    Attribute,
    Crops,
    Drop,
    End,
    FaceCrops,
    Faces,
    Failed,
    Finish,
    Frame,
    FramePicture,
    GivenUp,
    Heartbeat,
    Isolate,
    Isolated,
    Message,
    SourceHello,
    Welcome,
    WorkerHello,
)
from tests.simulation.hostile import Hostile

EPOCH, SOURCE, RUN, KEY = 5, "clip", "run", "5ecret"
SIZE = 1000  # bytes of a picture
FACE_SIZE = 10  # bytes of the crops of one face
SILENT_S = 1.0  # so long a worker may be silent behind a cable that is cut


@dataclass(frozen=True)
class Plan:
    """What kind of history is to be drawn."""

    frames: int = 30
    attributes: tuple[str, ...] = ("gender", "age")
    replicas: dict[str, int] = field(default_factory=dict)  # stage -> how many; 1 where it is not named
    every: dict[str, int] = field(default_factory=dict)  # stage -> it is asked about multiples of this
    window: int = 4
    window_bytes: int = 10**9
    credit: int = limits.CREDIT  # tasks that one worker is given; more of them travel in batches: of a file
    live: bool = False
    deadline_s: float = 1.0
    interval_s: float = 0.04  # live: between two pictures
    service_s: dict[str, float] = field(default_factory=dict)  # stage -> mean
    kills: int = 0
    lose: float = 0.0  # share of all messages between stages that vanish
    repeat: float = 0.0  # share that comes twice
    shuffle: bool = False  # acks overtake each other
    differing_boxes: bool = False  # each detect replica frames faces a little differently
    resend_after_s: float = 10.0
    stop_at_s: float | None = None  # a person asks to stop
    slow_from_s: tuple[float, str] | None = None  # from then on this stage is ten times slower
    leave: str | None = None  # live: the only worker of this stage goes and does not come back
    hangs: int = 0  # workers that stand still until they are killed for it
    capture_kills: int = 0
    render_kills: int = 0
    cuts: int = 0  # cables pulled for a while: what is under way to a worker and from it comes late, in order
    dies_between: float = 0.02  # with `kills`: how often detect dies between its two answers
    poison: dict[tuple[str, int], str] = field(default_factory=dict)  # (stage, frame) -> "exit", "hang", "fail", "keep"
    far: frozenset[str] = frozenset()  # stages on other machines: no launcher there speaks with capture
    hostile: dict[str, int] = field(default_factory=dict)  # stage -> how many that mean harm: see `hostile`
    only_hostile: str | None = None  # the stage that has no other workers


class Broken(AssertionError):
    """An invariant does not hold."""


def faces_in(frame: int) -> int:
    return (0, 1, 3, 1, 2)[frame % 5]


def about(epoch: int) -> dict:
    """Whose a message is."""
    return {"run": RUN, "epoch": epoch, "source": SOURCE}


def cut_from(task: Frame, boxes_hash: str, faces: int) -> FaceCrops:
    """What a detect sends to capture; of the crops there is only their size."""
    arrays = (np.broadcast_to(np.uint8(0), (faces * FACE_SIZE,)),)
    said = {"attempt": task.attempt, "boxes_hash": boxes_hash, "faces": faces, "spent": {}, "grant": task.grant}
    return FaceCrops(frame=task.frame, arrays=arrays, **said, **about(task.epoch))


def found_in(task: Frame, boxes_hash: str, faces: int) -> Faces:
    """What a detect sends to render."""
    said = {"attempt": task.attempt, "boxes_hash": boxes_hash, "boxes": [[0, 0, 1, 1]] * faces, "grant": task.grant}
    rest = {"scores": [1.0] * faces, "capped": 0, "spent": {}, "replica": 0, "incarnation": 1}
    return Faces(frame=task.frame, **said, **rest, **about(task.epoch))


def answered(task: Crops, stage: str, rows: int, **wrong) -> Attribute:
    """What an attribute stage sends to render; `wrong`: what it lies about."""
    said = {"frame": task.frame, "attempt": task.attempt, "boxes_hash": task.boxes_hash, "grant": task.grant}
    rest = {"answers": [[task.frame]] * rows, "spent": {}, "replica": 0, "incarnation": 1}
    return Attribute(stage=stage, **rest, **about(task.epoch), **{**said, **wrong})


class World:
    def __init__(self, plan: Plan, seed: int):
        self.plan, self.random, self.now_s = plan, random.Random(seed), 0.0
        self._queue: list = []
        self._order = 0
        self._wire_free_s: Counter = Counter()  # a link delivers in order
        self.rules = Rules(
            attributes=plan.attributes,
            cards={stage: "card" for stage in ("detect", *plan.attributes)},
            window=plan.window,
            window_bytes=plan.window_bytes,
            credit=limits.CREDIT if plan.live else plan.credit,
            live=plan.live,
            deadline_s=plan.deadline_s,
            resend_after_s=plan.resend_after_s,
            hang_s=dict.fromkeys(("detect", *plan.attributes), SILENT_S) if plan.cuts else {},
        )
        self.epoch = EPOCH
        self.dispatcher = dispatcher.Dispatcher(self.rules)
        self.joiner = joiner.Joiner(plan.attributes)
        self.refusals = Refusals()
        self.ignored = 0  # answers to what their senders were not given
        self.hostile: dict[str, Hostile] = {}
        self.evicted: list[events.Evict] = []
        self.workers: dict[str, Worker] = {}
        self.emitted: list[joiner.Emit] = []
        self.pictures_at_capture: set[int] = set()
        self.isolation_requested: dict[int, tuple[str, ...]] = {}  # by frame, as it went out
        self.crops_at_capture: dict[int, FaceCrops] = {}
        self.sent: Counter = Counter()  # tasks handed out, by stage
        self.previews: list[int] = []
        self.skipped: list[Drop] = []
        self.poisoned: Counter = Counter()  # how often a task has killed, by (stage, frame)
        self._seen = 0  # one more than the highest frame that render has a picture of
        self._least_read = 0  # a frame that render has heard of from one that is dead is not read again
        self.finished = False
        self._lives: Counter = Counter()  # of capture and of render: what was sent to an earlier life is lost
        self._to_read = plan.frames
        self._connections = 0
        self._ack_number = 0
        self._next_read_s = 0.0
        self._turn_ends_s: float | None = None  # what has come at one time is one turn of capture, ended by a tick
        self._read_at_s: dict[int, float] = {}
        self._stopped = False
        self._incarnations: Counter = Counter()
        self.ends: dict[tuple, list] = defaultdict(list)  # (stage, replica) -> incarnation and cause of its lives
        for stage in ("detect", *plan.attributes):
            for replica in range(plan.replicas.get(stage, 1) if stage != plan.only_hostile else 0):
                self.after(self.random.uniform(0, 1), self._start_worker, stage, replica)
        for stage, count in plan.hostile.items():
            for number in range(count):
                Hostile(self, stage, number).start(self.random.uniform(1, 2))
        self.after(0.05, self._tick)
        self.after(self.random.uniform(0, 1), self._hello)
        self.after(0.2, self._ack_regularly)
        for _ in range(plan.kills):
            self.after(self.random.uniform(0.5, 5), self._kill_one)
        for _ in range(plan.hangs):
            self.after(self.random.uniform(0.5, 5), self._hang_one)
        for _ in range(plan.cuts):
            self.after(self.random.uniform(0, 5), self._cut_one)
        for _ in range(plan.capture_kills):
            self.after(self.random.uniform(0.5, 8), self._kill_capture)
        for _ in range(plan.render_kills):
            self.after(self.random.uniform(0.5, 8), self._kill_render)
        if plan.stop_at_s is not None:
            self.after(plan.stop_at_s, self._stop)
        if plan.leave is not None:
            self.after(1.5, self._leave, plan.leave)

    # --- Running ---

    def run(self, longest_s: float = 200.0, most_events: int = 400_000) -> World:
        for _ in range(most_events):
            if not self._queue or self.finished:
                break
            self.now_s, _, do, arguments = heapq.heappop(self._queue)
            if self.now_s > longest_s:
                missing = self.joiner.missing_parts()[:3]
                raise Broken(f"it does not end: next frame {self.joiner.next_frame}, missing {missing}")
            do(*arguments)
            self._check()
        self._check_end()
        return self

    def after(self, delay_s: float, do, *arguments) -> None:
        self._order += 1
        heapq.heappush(self._queue, (self.now_s + delay_s, self._order, do, arguments))

    def _check(self) -> None:
        numbers = [emit.frame for emit in self.emitted[-2:]]
        if len(numbers) == 2 and numbers[0] >= numbers[1]:
            raise Broken(f"frame {numbers[1]} was emitted after {numbers[0]}")
        most = self.plan.window
        if self.dispatcher.in_flight > most:
            raise Broken(f"{self.dispatcher.in_flight} frames in flight, {most} allowed")
        if (
            self.dispatcher.bytes_in_flight > self.plan.window_bytes + 3 * FACE_SIZE * most
            and self.dispatcher.in_flight > 1
        ):
            raise Broken(f"{self.dispatcher.bytes_in_flight} bytes in flight")
        if len(self.pictures_at_capture) != self.dispatcher.in_flight:
            raise Broken("capture keeps pictures that the dispatcher has forgotten, or has lost some that it needs")
        if len(missing := self.joiner.missing_parts()) > 2 * most:
            raise Broken(f"{len(missing)} frames open at render")
        if len(self.refusals.listed()) > limits.REFUSALS:
            raise Broken("more refusals than an acknowledgement may have")

    def _check_end(self) -> None:
        if not self.finished:
            raise Broken("nothing is left to happen, and the run has not ended")
        dropped = sum(skip.last + 1 - skip.first for skip in self.skipped)
        if not self.plan.render_kills and dropped != self.joiner.dropped.total():
            raise Broken(f"{dropped} frames were dropped, {self.joiner.dropped.total()} counted")
        outcome = {emit.frame for emit in self.emitted}
        for skip in self.skipped:
            if not outcome.isdisjoint(range(skip.first, skip.last + 1)):
                raise Broken(f"of the frames {skip.first} to {skip.last} one has two outcomes")
            outcome |= set(range(skip.first, skip.last + 1))
        if self.dispatcher.read != len(self.emitted) + dropped:
            raise Broken(f"captured {self.dispatcher.read}, rendered {len(self.emitted)}, dropped {dropped}")
        if not self.plan.live and dropped:
            raise Broken(f"{dropped} frames of a file were dropped")
        if (
            self.dispatcher.in_flight
            or self.pictures_at_capture
            or self.crops_at_capture
            or self.joiner.missing_parts()
        ):
            raise Broken("something is kept after the end")
        for emit in self.emitted:
            self._check_frame(emit)

    def _check_frame(self, emit: joiner.Emit) -> None:
        if emit.picture.frame != emit.frame:
            raise Broken(f"frame {emit.frame} has the picture of {emit.picture.frame}")
        if not self.plan.live and not (self.plan.hostile and (self.plan.only_hostile or self.plan.kills)):
            poisoned = {stage for stage, frame in self.plan.poison if frame == emit.frame}
            if (emit.error is not None) != ("detect" in poisoned):
                raise Broken(f"frame {emit.frame} of a file has the error {emit.error}")
            poisoned = poisoned if emit.error is None and faces_in(emit.frame) else set()
            if set(emit.missing) != poisoned & set(self.isolation_requested[emit.frame]):
                raise Broken(f"frame {emit.frame} of a file is missing {emit.missing}")
        if emit.error is None and len(emit.faces.boxes) != faces_in(emit.frame):
            raise Broken(f"frame {emit.frame} has {len(emit.faces.boxes)} faces")
        expected = set(self.isolation_requested[emit.frame]) if emit.error is None and emit.faces.boxes else set()
        if set(emit.answers) | set(emit.missing) != expected or set(emit.answers) & set(emit.missing):
            raise Broken(f"frame {emit.frame} has {set(emit.answers)}, missing {emit.missing}")
        for stage, answer in emit.answers.items():
            if (answer.stage, answer.frame, answer.cut) != (stage, emit.frame, emit.faces.cut):
                raise Broken(f"frame {emit.frame} was joined with {answer}")

    # --- The network ---

    def deliver(self, link: tuple[str, str], do, *arguments, may_overtake: bool = False) -> None:
        """Hand a message over after a random delay, in order within its link; lost if either end dies meanwhile."""
        lives = {end: self._lives[end] for end in link}
        if self.random.random() < self.plan.lose:
            return
        for _ in range(1 + (self.random.random() < self.plan.repeat)):
            due_s = self.now_s + self.random.choice((0.0, 0.001, 0.01, 0.1))
            if not may_overtake:
                due_s = self._wire_free_s[link] = max(due_s, self._wire_free_s[link])
            self.after(due_s - self.now_s, self._arrive, lives, do, arguments)

    def _arrive(self, lives: dict[str, int], do, arguments: tuple) -> None:
        if all(self._lives[end] == life for end, life in lives.items()):
            do(*arguments)

    # --- Capture ---

    def _kill_capture(self) -> None:
        if self.finished:
            return
        self._lives["capture"] += 1
        self._least_read = self._seen if self.plan.live else 0
        self._begin_epoch(0)
        for worker in list(self.workers.values()):  # Every connection is made anew, and has another name.
            self._connections += 1
            del self.workers[worker.connection]
            worker.connection = f"c{self._connections}"
            self.workers[worker.connection] = worker

    def _begin_epoch(self, first_frame: int, *known_of_workers: tuple) -> None:
        self.epoch += 1
        self.pictures_at_capture.clear()
        self.crops_at_capture.clear()
        self.dispatcher = dispatcher.Dispatcher(self.rules, first_frame, *known_of_workers)
        self._hello(self.epoch)

    def _tick(self) -> None:
        self._dispatch(events.Tick())
        self._read()
        self.after(0.05, self._tick)

    def _read(self) -> None:
        while self._is_more and self._may_read():
            self._to_read -= self.plan.live
            if self.dispatcher.read < self._least_read:
                raise Broken(f"another picture is called frame {self.dispatcher.read}")
            self._next_read_s = self.now_s + self.plan.interval_s
            self.pictures_at_capture.add(self.dispatcher.read)
            self._read_at_s[self.dispatcher.read] = self.now_s
            self.isolation_requested[self.dispatcher.read] = about = self._asked(self.dispatcher.read)
            self._dispatch(events.Read(SIZE, about))
        if not self._is_more and self.dispatcher.started:
            self._dispatch(events.ReadAll())

    def _asked(self, frame: int) -> tuple[str, ...]:
        return asked(frame, 25.0, {stage: self.plan.every.get(stage, 1) for stage in self.plan.attributes})

    def _picture(self, frame: int) -> FramePicture:
        known = {"file": None, "time": 0.0, "rate": None, "asked": list(self.isolation_requested[frame])}
        return FramePicture(frame=frame, **known, **about(self.epoch))

    @property
    def _is_more(self) -> bool:
        """A file is read again from where render says; what a camera has seen is over."""
        return self._to_read > 0 if self.plan.live else self.dispatcher.read < self.plan.frames

    def _may_read(self) -> bool:
        if self.plan.live:
            return self.dispatcher.started and self.now_s >= self._next_read_s and not self.dispatcher.ended
        return self.dispatcher.may_read(SIZE)

    def _dispatch(self, event: events.Event) -> None:
        current = self.dispatcher
        for action in current.step(event, self.now_s):
            self._do(action)
        is_more_to_do = self.rules.batches and not isinstance(event, events.Tick)
        if is_more_to_do and current is self.dispatcher and self._turn_ends_s != self.now_s:
            self._turn_ends_s = self.now_s
            self.after(0, self._end_turn)

    def _end_turn(self) -> None:
        self._turn_ends_s = None
        self._dispatch(events.Tick())

    def _do(self, action: events.Action) -> None:
        render = ("capture", "render")
        match action:
            case events.SendWelcome(connection, session_id):
                welcome = Welcome(session_id=session_id, credit=self.rules.credit, **about(self.epoch))
                self._to_worker(connection, welcome)
            case events.SendFrame(connection, frame, seq, attempt, _):
                self._check_kept(frame)
                if self._stopped and attempt == 1:
                    raise Broken(f"frame {frame} was handed out after the person had asked to stop")
                assignment = Assignment(self.dispatcher.number_of(connection), frame, attempt, 0, "", "detect")
                said = {"frame": frame, "seq": seq, "attempt": attempt, "skip": [], "geometries": []}
                task = Frame(grant=self.grants.sign(assignment), **said, **about(self.epoch))
                self._to_worker(connection, task)
            case events.SendCrops(connection, stage, frame, seq):
                crops = self.crops_at_capture[frame]
                number = self.dispatcher.number_of(connection)
                assignment = Assignment(number, frame, crops.attempt, crops.faces, crops.boxes_hash, stage)
                said = {"frame": frame, "seq": seq, "attempt": crops.attempt, "boxes_hash": crops.boxes_hash}
                task = Crops(grant=self.grants.sign(assignment), spent={}, **said, **about(self.epoch))
                self._to_worker(connection, task)
            case events.SendIsolate(connection):
                self._to_worker(connection, Isolate(**about(self.epoch)))
            case events.StartEpoch():
                first = self.dispatcher.read if self.plan.live else 0
                self._begin_epoch(first, self.dispatcher.evicted, self.dispatcher.answering)
            case events.KeepCrops(crops):
                known = self.crops_at_capture.get(crops.frame)
                if known is not None and crops.attempt <= known.attempt:
                    raise Broken(f"crops of an older try replace the newer ones of frame {crops.frame}")
                self.crops_at_capture[crops.frame] = crops
            case events.SendPicture(frame):
                self._check_kept(frame)
                self.deliver(render, self._join, self._picture(frame), self.epoch)
            case events.AskInstead(frame, stages):
                self._check_asked_instead(frame, stages)
                self.isolation_requested[frame] = stages
            case events.SendPreview(frame):
                self._check_kept(frame)
                self.deliver(render, self.previews.append, frame)
            case Drop() | GivenUp() | End():
                self.deliver(render, self._join, action, self.epoch)
            case events.Forget(frame):
                self.pictures_at_capture.remove(frame)
                self.crops_at_capture.pop(frame, None)
            case events.Finished():
                for worker in self.workers.values():
                    worker.session.take(Finish(**about(self.epoch)))
                self.finished = True
            case events.Evict(connection):
                self.evicted.append(action)
                if connection in self.workers:
                    raise Broken(f"a good worker was evicted: {action.reason}")
            case events.Refuse(connection, reason):
                if connection in self.hostile:
                    self.hostile[connection].refused()
                if connection in self.workers:  # A dead worker's hello may come after its successor's.
                    raise Broken(f"a good worker was refused: {reason}")

    def _check_asked_instead(self, frame: int, stages: tuple[str, ...]) -> None:
        if not self.plan.live or not set(self.isolation_requested[frame]) < set(stages):
            raise Broken(f"frame {frame} is asked about by {stages} in place of {self.isolation_requested[frame]}")

    def _check_kept(self, frame: int) -> None:
        if frame not in self.pictures_at_capture:
            raise Broken(f"the picture of frame {frame} is wanted and was forgotten")

    def _to_worker(self, connection: str, task: Welcome | Frame | Crops) -> None:
        worker = self.workers.get(connection) or self.hostile.get(connection)
        if worker is not None and isinstance(task, (Frame, Crops)):
            self.sent[worker.stage] += 1
        if worker is None:
            self._to_capture_now(events.WorkerDisconnected(connection))  # As a send that fails says.
        else:
            self.deliver(("capture", worker.name), worker.receive, task)

    @property
    def grants(self) -> Grants:
        return Grants(KEY, self.epoch)

    def crops_came(self, connection: str, came: FaceCrops, flaw: str | None = None) -> None:
        """As capture hears crops: who has made them is read from the grant."""
        if came.epoch != self.epoch:
            return
        assignment = self.grants.assignment(came.grant)
        if assignment is None:
            self.ignored += 1
        elif flaw or (assignment.frame, assignment.attempt, assignment.stage) != (came.frame, came.attempt, "detect"):
            whose = (assignment.frame, assignment.stage, assignment.worker)
            self._dispatch(events.AnswerRefused(*whose, flaw or "is for another frame"))
        else:
            self.dispatch_and_read(events.FromWorker(connection, came))

    def answer_came(self, came: Faces | Attribute, is_wrong: bool = False) -> None:
        """As render hears an answer; `is_wrong`: in itself."""
        is_of_now = came.epoch == self.joiner.epoch == self.epoch
        assignment = self.grants.assignment(came.grant) if is_of_now else None
        if assignment is None:
            self.ignored += 1
            return
        said = (came.frame, came.attempt, getattr(came, "stage", "detect"))
        is_wrong = is_wrong or said != (assignment.frame, assignment.attempt, assignment.stage)
        if isinstance(came, Attribute):
            is_wrong = is_wrong or came.cut != (assignment.boxes_hash, assignment.faces)
        self._refuse(assignment) if is_wrong else self._join(came, came.epoch)

    def _refuse(self, assignment: Assignment) -> None:
        if self.refusals.add(assignment, "is wrong"):
            self._ack()

    def _to_capture_now(self, event: events.Event, delay_s: float = 0.0) -> None:
        self.after(delay_s, self._arrive, {"capture": self._lives["capture"]}, self._dispatch, (event,))

    # --- Render ---

    def _hello(self, epoch: int = EPOCH) -> None:
        """Repeated, for a render that is started again knows nobody."""
        if epoch == self.epoch:
            self.deliver(("capture", "render"), self._join, SourceHello(live=self.plan.live, **about(epoch)), None)
            self.after(0.1, self._hello, epoch)

    def _kill_render(self) -> None:
        """It comes back with its outputs cut to the smallest position, until they are closed a frame or two lower."""
        if self.finished or not self.joiner.next_frame:
            return
        self._lives["render"] += 1
        self._seen = self._least_read = 0
        missing = 0 if self.joiner.ended else self.random.choice((0, 1, 2))
        kept = [emit for emit in self.emitted if emit.frame < self.joiner.next_frame - missing]
        next_frame = kept[-1].frame + 1 if kept else 0
        self.emitted = kept
        self.skipped = [skip for skip in self.skipped if skip.last < next_frame]
        self.joiner = joiner.Joiner(self.plan.attributes, next_frame=next_frame)
        self._ack_number = 0

    def _join(self, event: Message, epoch: int | None) -> None:
        """What is said about a frame carries the epoch of the capture that has read it."""
        if epoch is not None and epoch != self.joiner.epoch:
            return
        if isinstance(event, SourceHello) and event.epoch > (self.joiner.epoch or 0):
            self.refusals = Refusals()
        if isinstance(event, FramePicture):
            self._seen = max(self._seen, event.frame + 1)
        actions = self.joiner.step(event)
        for action in actions:
            if isinstance(action, joiner.Contradicted):
                self._refuse(self.grants.assignment(action.faces.grant))
            if isinstance(action, Drop):
                self.skipped.append(action)
            if isinstance(action, joiner.Emit):
                self._emit(action)
        if actions or isinstance(event, SourceHello):
            self._ack()

    def _emit(self, emit: joiner.Emit) -> None:
        self.emitted.append(emit)
        # What was given up is said at once, and travels for a tenth of a second at most.
        late_s = self.now_s - self._read_at_s[emit.frame] - self.plan.deadline_s
        if self.plan.live and not self.plan.lose and late_s > 0.5:
            raise Broken(f"frame {emit.frame} was emitted {late_s:.2f} s after its deadline")

    def _ack_regularly(self) -> None:
        self._ack()
        self.after(0.2, self._ack_regularly)

    def _ack(self) -> None:
        if self.joiner.epoch is None:
            return
        self._ack_number += 1
        ack = Ack(
            incarnation=self._lives["render"],
            number=self._ack_number,
            acked_up_to=self.joiner.next_frame,
            missing_parts=self.joiner.missing_parts(),
            clean=self.joiner.ended,
            preview=max(self.previews, default=-1) + 1 if self.plan.live else None,
            heard=self.joiner.heard,
            refused=self.refusals.listed(),
            **about(self.joiner.epoch),
        )
        to = ("render", "capture")
        self.deliver(to, self.dispatch_and_read, ack, self.joiner.epoch, may_overtake=self.plan.shuffle)

    def dispatch_and_read(self, event: events.Event, epoch: int | None = None) -> None:
        """Acks, crops and what else carries an epoch mean nothing in another one."""
        if epoch is None or epoch == self.epoch:
            self._dispatch(event)
            self._read()

    # --- Workers ---

    def _start_worker(self, stage: str, replica: int) -> None:
        self._connections += 1
        self._incarnations[stage, replica] += 1
        worker = Worker(self, f"c{self._connections}", stage, replica, self._incarnations[stage, replica])
        self.workers[worker.connection] = worker
        worker.start()

    def _kill_one(self) -> None:
        if self.workers and not self.finished:
            self.kill(self.random.choice(sorted(self.workers)))

    def _hang_one(self) -> None:
        if self.workers and not self.finished:
            self.kill(self.random.choice(sorted(self.workers)), "hang")

    def _cut_one(self) -> None:
        if self.workers:
            name = self.workers[self.random.choice(sorted(self.workers))].name
            back_s = self.now_s + self.random.uniform(0.2, 3 * SILENT_S)
            for link in ((name, "capture"), ("capture", name), (name, "render")):
                self._wire_free_s[link] = max(back_s, self._wire_free_s[link])

    def kill(self, connection: str, cause: str = "killed") -> None:
        """A worker dies; capture is told soon, late or never, and the worker comes back in a new incarnation."""
        worker = self.workers.pop(connection)
        worker.dead = True
        died_s = 1.0 if cause == "hang" else 0.0  # One that hangs says nothing, until it is killed for it.
        if self.random.random() < 0.7:
            self._to_capture_now(events.WorkerDisconnected(connection), died_s + self.random.choice((0.0, 0.05, 1.0)))
        self.ends[worker.stage, worker.replica].append((worker.incarnation, cause))
        if worker.stage not in self.plan.far and (cause != "killed" or self.random.random() < 0.7):
            ended = events.WorkerExited(worker.stage, ("here", worker.replica), worker.incarnation, cause)
            self._to_capture_now(ended, died_s + self.random.choice((0.0, 0.05)))
        back_s = died_s + self.random.choice((0.1, 0.3, 2.0))
        self.after(back_s, self._start_worker, worker.stage, worker.replica)

    def _stop(self) -> None:
        self._dispatch(events.StopReading())
        self._stopped = True

    def _leave(self, stage: str) -> None:
        for connection, worker in list(self.workers.items()):
            if worker.stage == stage:
                worker.dead = True
                del self.workers[connection]
                self._dispatch(events.WorkerDisconnected(connection))


class Worker:
    """A worker with the real session; what it computes takes a random time."""

    def __init__(self, world: World, connection: str, stage: str, replica: int, incarnation: int):
        self.world, self.connection, self.stage, self.replica, self.incarnation = (
            world,
            connection,
            stage,
            replica,
            incarnation,
        )
        self.name = connection  # its connection's name may change, its own does not
        self.session, self.dead, self._working = WorkerSession(), False, False
        self.ended = [list(end) for end in world.ends[stage, replica][-limits.ENDS :]]

    def start(self) -> None:
        self._heartbeat_regularly()

    def receive(self, message) -> None:
        if self.dead:
            return
        if self.session.take(message):
            self._say(self._hello())
            self._heartbeat()
        if len(self.session.waiting) > self.session.most and not self.world.plan.repeat and not self.world.plan.lose:
            raise Broken(f"{self.stage} holds {len(self.session.waiting)} tasks, with credit for {self.session.most}")
        self._work()
        self._confirm_isolation()

    def _hello(self) -> WorkerHello:
        session, known = self.session, {"epoch": self.session.epoch, "session_id": self.session.session_id}
        return WorkerHello(run=session.run, host="here", card="card", ended=self.ended, **self._identity, **known)

    def _confirm_isolation(self) -> None:
        if not self._working and not self.dead and self.session.ready_for_isolation():
            self._say(Isolated(incarnation=self.incarnation, **about(self.session.epoch)))
            self._heartbeat()

    def _work(self) -> None:
        if self.session.waiting and not self._working and not self.dead:
            self._working = True
            tasks = [self.session.waiting.popleft()]
            while (self.stage != "detect" or self.session.linger_s) and self.session.waiting:
                tasks.append(self.session.waiting.popleft())
            mean_s = self.world.plan.service_s.get(self.stage, 0.01)
            slow = self.world.plan.slow_from_s
            if slow is not None and slow[1] == self.stage and self.world.now_s >= slow[0]:
                mean_s *= 10
            self.world.after(self.world.random.uniform(0, 2 * mean_s), self._answer, tasks)

    def _answer(self, tasks: list) -> None:
        if self.dead:
            return
        self._working, was_isolated = False, self.session.is_isolated
        self.session.worked(0.01 * len(tasks), len(tasks))
        answers = [task for task in tasks if not self._is_poisoned(task)]
        if self.dead:
            return
        for task in answers:
            self._answer_capture(task)
            if self.dead:
                return  # Between its two answers.
        for task in tasks:
            if task in answers:
                self._answer_render(task)
            self.session.answered(task)
            if isinstance(task, Frame) and task in answers:
                self.session.mark_reported()
        if self.session.credit_is_spent or was_isolated:
            self._heartbeat()
        self._work()
        self._confirm_isolation()

    def _is_poisoned(self, task: Frame | Crops) -> bool:
        """Whether a task is not answered; it may be the end of this worker."""
        world = self.world
        poison = world.plan.poison.get((self.stage, task.frame))
        if self.dead or poison is None:
            return False
        if poison == "fail":
            said = {"stage": self.stage, "incarnation": self.incarnation, "seq": task.seq, "reason": "ValueError"}
            self._say(Failed(frame=task.frame, **said, **about(task.epoch)))
        elif poison != "keep":
            world.poisoned[self.stage, task.frame] += 1
            world.kill(self.connection, poison)
        return True

    def _answer_capture(self, task: Frame | Crops) -> None:
        if isinstance(task, Frame):
            world, faces = self.world, faces_in(task.frame)
            self._say_crops(cut_from(task, self._boxes(task), faces))
            if world.plan.kills and world.random.random() < world.plan.dies_between:
                world.kill(self.connection)

    def _answer_render(self, task: Frame | Crops) -> None:
        world, faces, to_render = self.world, faces_in(task.frame), (self.name, "render")
        is_frame = isinstance(task, Frame)
        answer = found_in(task, self._boxes(task), faces) if is_frame else answered(task, self.stage, faces)
        world.deliver(to_render, world.answer_came, answer)

    def _boxes(self, task: Frame) -> str:
        return f"boxes-of-{task.frame}" + (f"-by-{self.replica}" if self.world.plan.differing_boxes else "")

    def _heartbeat_regularly(self) -> None:
        if not self.dead:
            self._heartbeat()
            self.world.after(0.1, self._heartbeat_regularly)

    def _heartbeat(self) -> None:
        credit = 0 if self.session.isolation_requested else self.session.credit
        known = {"run": self.session.run, "credit": credit, "finished": self.session.finished}
        self._say(Heartbeat(**self._identity, **known), is_of_epoch=False)
        self.session.state(credit)

    @property
    def _identity(self) -> dict:
        return {"stage": self.stage, "replica": self.replica, "incarnation": self.incarnation}

    def _say_crops(self, crops: FaceCrops) -> None:
        if not self.session.served:
            self.world.deliver((self.name, "capture"), self.world.crops_came, self.connection, crops)

    def _say(self, message: Message, is_of_epoch: bool = True) -> None:
        if not self.session.served:
            event, epoch = events.FromWorker(self.connection, message), message.epoch if is_of_epoch else None
            self.world.deliver((self.name, "capture"), self.world.dispatch_and_read, event, epoch)


def ended(plan: Plan, seed: int, longest_s: float = 200.0, most_events: int = 200_000) -> World:
    """The world at the end of one history."""
    return World(plan, seed).run(longest_s, most_events)
