"""A whole pipeline in one thread: the real flow, desks and join, with simulated sockets, clock and workers.

Everything that happens is drawn from one seed, so that a history that breaks an invariant can be played again. After
every event the safety invariants are checked; after the faults have stopped the run has to end by itself.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from stages.core import flow, join, limits, refusals
from stages.core.cadence import asked
from stages.core.desk import Desk
from stages.core.grants import Grants, Task
from stages.core.messages import Crops, Finish, Frame, Reserve, Welcome
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
    room: int = limits.ROOM  # pieces that one worker is given; of a file more of them are gathered
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


class World:
    def __init__(self, plan: Plan, seed: int):
        self.plan, self.random, self.now_s = plan, random.Random(seed), 0.0
        self._queue: list = []
        self._order = 0
        self._wire_free_s: Counter = Counter()  # a link delivers in order
        self.rules = flow.Rules(
            attributes=plan.attributes,
            cards={stage: "card" for stage in ("detect", *plan.attributes)},
            window=plan.window,
            window_bytes=plan.window_bytes,
            room=limits.ROOM if plan.live else plan.room,
            live=plan.live,
            deadline_s=plan.deadline_s,
            resend_after_s=plan.resend_after_s,
            hang_s=dict.fromkeys(("detect", *plan.attributes), SILENT_S) if plan.cuts else {},
        )
        self.epoch = EPOCH
        self.flow = flow.Flow(self.rules)
        self.join = join.Join(plan.attributes)
        self.refusals = refusals.Refusals()
        self.ignored = 0  # answers to what their senders were not given
        self.hostile: dict[str, Hostile] = {}
        self.quarantined: list[flow.Quarantine] = []
        self.workers: dict[str, Worker] = {}
        self.emitted: list[join.Emit] = []
        self.pictures_at_capture: set[int] = set()
        self.asked: dict[int, tuple[str, ...]] = {}  # by frame, as it went out
        self.crops_at_capture: dict[int, flow.CropsCame] = {}
        self.sent: Counter = Counter()  # pieces handed out, by stage
        self.previews: list[int] = []
        self.skipped: list[join.Skipped] = []
        self.poisoned: Counter = Counter()  # how often a piece has killed, by (stage, frame)
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
                raise Broken(
                    f"it does not end: done {self.join.done} of {self.flow.read}, lacks {self.join.lacks()[:3]}"
                )
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
        if self.flow.in_flight > most:
            raise Broken(f"{self.flow.in_flight} frames in flight, {most} allowed")
        if self.flow.bytes_in_flight > self.plan.window_bytes + 3 * FACE_SIZE * most and self.flow.in_flight > 1:
            raise Broken(f"{self.flow.bytes_in_flight} bytes in flight")
        if len(self.pictures_at_capture) != self.flow.in_flight:
            raise Broken("capture keeps pictures that the flow has forgotten, or has lost some that it needs")
        if self.join.open_count > 2 * most:
            raise Broken(f"{self.join.open_count} frames open at render")
        if len(self.refusals.listed()) > limits.REFUSALS:
            raise Broken("more refusals than an acknowledgement may have")
        workers = self.flow._workers
        known = (workers.here, workers._lost, workers._ended, self.flow.quarantined)
        heard = (workers._refused, workers._accounts)
        if max(map(len, known)) > limits.WORKERS or max(map(len, heard)) > limits.GREETED:
            raise Broken("capture keeps more and more about workers")
        if any(len(worker.under_way) > limits.MOST_ROOM for worker in workers.here.values()):
            raise Broken("a worker holds more than any may")

    def _check_end(self) -> None:
        if not self.finished:
            raise Broken("nothing is left to happen, and the run has not ended")
        dropped = sum(skip.last + 1 - skip.first for skip in self.skipped)
        if not self.plan.render_kills and dropped != self.join.dropped.total():
            raise Broken(f"{dropped} frames were dropped, {self.join.dropped.total()} counted")
        outcome = {emit.frame for emit in self.emitted}
        for skip in self.skipped:
            if not outcome.isdisjoint(range(skip.first, skip.last + 1)):
                raise Broken(f"of the frames {skip.first} to {skip.last} one has two fates")
            outcome |= set(range(skip.first, skip.last + 1))
        if self.flow.read != len(self.emitted) + dropped:
            raise Broken(f"captured {self.flow.read}, rendered {len(self.emitted)}, dropped {dropped}")
        if not self.plan.live and dropped:
            raise Broken(f"{dropped} frames of a file were dropped")
        if self.flow.in_flight or self.pictures_at_capture or self.crops_at_capture or self.join.open_count:
            raise Broken("something is kept after the end")
        for emit in self.emitted:
            self._check_frame(emit)

    def _check_frame(self, emit: join.Emit) -> None:
        if emit.picture != f"picture {emit.frame}":
            raise Broken(f"frame {emit.frame} has {emit.picture}")
        if not self.plan.live and not (self.plan.hostile and (self.plan.only_hostile or self.plan.kills)):
            poisoned = {stage for stage, frame in self.plan.poison if frame == emit.frame}
            if (emit.error is not None) != ("detect" in poisoned):
                raise Broken(f"frame {emit.frame} of a file has the error {emit.error}")
            poisoned = poisoned if emit.error is None and faces_in(emit.frame) else set()
            if set(emit.missing) != poisoned & set(self.asked[emit.frame]):
                raise Broken(f"frame {emit.frame} of a file lacks {emit.missing}")
        if emit.error is None and emit.faces[0] != faces_in(emit.frame):
            raise Broken(f"frame {emit.frame} has {emit.faces[0]} faces")
        expected = set(self.asked[emit.frame]) if emit.error is None and emit.faces[0] else set()
        if set(emit.answers) | set(emit.missing) != expected or set(emit.answers) & set(emit.missing):
            raise Broken(f"frame {emit.frame} has {set(emit.answers)}, lacks {emit.missing}")
        for stage, answer in emit.answers.items():
            if answer != (stage, emit.frame, emit.faces[1]):
                raise Broken(f"frame {emit.frame} was joined with {answer}")

    # --- The network ---

    def _deliver(self, link: tuple[str, str], do, *arguments, may_overtake: bool = False) -> None:
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
        self.flow = flow.Flow(self.rules, first_frame, *known_of_workers)
        self._hello(self.epoch)

    def _tick(self) -> None:
        self._flow(flow.Tick())
        self._read()
        self.after(0.05, self._tick)

    def _read(self) -> None:
        while self._is_more and self._may_read():
            self._to_read -= self.plan.live
            if self.flow.read < self._least_read:
                raise Broken(f"another picture is called frame {self.flow.read}")
            self._next_read_s = self.now_s + self.plan.interval_s
            self.pictures_at_capture.add(self.flow.read)
            self._read_at_s[self.flow.read] = self.now_s
            self.asked[self.flow.read] = about = self._asked(self.flow.read)
            self._flow(flow.Read(SIZE, about))
        if not self._is_more and self.flow.started:
            self._flow(flow.ReadAll())

    def _asked(self, frame: int) -> tuple[str, ...]:
        return asked(frame, 25.0, {stage: self.plan.every.get(stage, 1) for stage in self.plan.attributes})

    def _picture(self, frame: int) -> join.PictureCame:
        return join.PictureCame(frame, f"picture {frame}", self.asked[frame])

    @property
    def _is_more(self) -> bool:
        """A file is read again from where render says; what a camera has seen is over."""
        return self._to_read > 0 if self.plan.live else self.flow.read < self.plan.frames

    def _may_read(self) -> bool:
        if self.plan.live:
            return self.flow.started and self.now_s >= self._next_read_s and not self.flow.ended
        return self.flow.may_read(SIZE)

    def _flow(self, event: flow.Event) -> None:
        current = self.flow
        for action in current.step(event, self.now_s):
            self._do(action, event)
        gathers = self.rules.room > limits.ROOM and not isinstance(event, flow.Tick)
        if gathers and current is self.flow and self._turn_ends_s != self.now_s:
            self._turn_ends_s = self.now_s
            self.after(0, self._end_turn)

    def _end_turn(self) -> None:
        self._turn_ends_s = None
        self._flow(flow.Tick())

    def _do(self, action: flow.Action, event: flow.Event) -> None:
        render = ("capture", "render")
        match action:
            case flow.SendWelcome(connection, account):
                about = {"run": RUN, "epoch": self.epoch, "source": SOURCE}
                self._to_worker(connection, Welcome(account=account, room=self.rules.room, **about))
            case flow.SendFrame(connection, frame, seq, attempt, _):
                self._check_kept(frame)
                if self._stopped and attempt == 1:
                    raise Broken(f"frame {frame} was handed out after the person had asked to stop")
                task = Task(self.flow.number_of(connection), frame, attempt, 0, "", "detect")
                piece = Frame(
                    run=RUN,
                    epoch=self.epoch,
                    source=SOURCE,
                    frame=frame,
                    seq=seq,
                    attempt=attempt,
                    skip=[],
                    geometries=[],
                    grant=self.grants.sign(task),
                )
                self._to_worker(connection, piece)
            case flow.SendCrops(connection, stage, frame, seq):
                crops = self.crops_at_capture[frame]
                number = self.flow.number_of(connection)
                task = Task(number, frame, crops.attempt, crops.faces, crops.boxes, stage)
                piece = Crops(
                    run=RUN,
                    epoch=self.epoch,
                    source=SOURCE,
                    frame=frame,
                    seq=seq,
                    attempt=crops.attempt,
                    boxes=crops.boxes,
                    spent={},
                    grant=self.grants.sign(task),
                )
                self._to_worker(connection, piece)
            case flow.SendReserve(connection):
                self._to_worker(connection, Reserve(run=RUN, epoch=self.epoch, source=SOURCE))
            case flow.StartAnew():
                first = self.flow.read if self.plan.live else 0
                self._begin_epoch(first, self.flow.quarantined, self.flow.answering)
            case flow.KeepCrops(frame):
                if frame in self.crops_at_capture and event.attempt <= self.crops_at_capture[frame].attempt:
                    raise Broken(f"crops of an older try replace the newer ones of frame {frame}")
                self.crops_at_capture[frame] = event
            case flow.SendPicture(frame):
                self._check_kept(frame)
                self._deliver(render, self._join, self._picture(frame), self.epoch)
            case flow.AskInstead(frame, stages):
                self._check_asked_instead(frame, stages)
                self.asked[frame] = stages
            case flow.SendPreview(frame):
                self._check_kept(frame)
                self._deliver(render, self.previews.append, frame)
            case flow.SayDrop(first, last, stage, reason):
                self._deliver(render, self._join, join.Dropped(first, last, stage, reason), self.epoch)
            case flow.SayGivenUp(frame, stage, reason):
                self._deliver(render, self._join, join.GivenUp(frame, stage, reason), self.epoch)
            case flow.SayEnd(frames):
                self._deliver(render, self._join, join.SourceEnded(frames), self.epoch)
            case flow.Forget(frame):
                self.pictures_at_capture.remove(frame)
                self.crops_at_capture.pop(frame, None)
            case flow.Finished():
                for worker in self.workers.values():
                    worker.desk.take(Finish(run=RUN, epoch=self.epoch, source=SOURCE))
                self.finished = True
            case flow.Quarantine(connection):
                self.quarantined.append(action)
                if connection in self.workers:
                    raise Broken(f"a good worker was put in quarantine: {action.reason}")
            case flow.Refuse(connection, reason):
                if connection in self.hostile:
                    self.hostile[connection].refused()
                if connection in self.workers:  # A dead worker's hello may come after its successor's.
                    raise Broken(f"a good worker was refused: {reason}")

    def _check_asked_instead(self, frame: int, stages: tuple[str, ...]) -> None:
        if not self.plan.live or not set(self.asked[frame]) < set(stages):
            raise Broken(f"frame {frame} is asked about by {stages} in place of {self.asked[frame]}")

    def _check_kept(self, frame: int) -> None:
        if frame not in self.pictures_at_capture:
            raise Broken(f"the picture of frame {frame} is wanted and was forgotten")

    def _to_worker(self, connection: str, piece: Welcome | Frame | Crops) -> None:
        worker = self.workers.get(connection) or self.hostile.get(connection)
        if worker is not None and isinstance(piece, (Frame, Crops)):
            self.sent[worker.stage] += 1
        if worker is None:
            self._to_capture_now(flow.WorkerGone(connection))  # As a send that fails says.
        else:
            self._deliver(("capture", worker.name), worker.receive, piece)

    @property
    def grants(self) -> Grants:
        return Grants(KEY, self.epoch)

    def hear_crops(self, grant: str, came: flow.CropsCame, epoch: int) -> None:
        if epoch == self.epoch:
            self.crops_came(grant, came)

    def crops_came(self, grant: str, came: flow.CropsCame, flaw: str | None = None) -> None:
        """As capture hears crops: who has made them is read from the grant."""
        task = self.grants.task(grant)
        if task is None:
            self.ignored += 1
        elif flaw or (task.frame, task.attempt, task.stage) != (came.frame, came.attempt, "detect"):
            self._flow(flow.AnswerRefused(task.frame, task.stage, task.worker, flaw or "is for another frame"))
        else:
            self._flow_and_read(came)

    def answer_came(self, grant: str, came: join.FacesCame | join.AttributeCame, epoch: int, rows: int = 0) -> None:
        """As render hears an answer; `rows`: of an attribute; -1: one that is wrong in itself."""
        task = self.grants.task(grant) if epoch == self.join.epoch == self.epoch else None
        if task is None:
            self.ignored += 1
            return
        said = (came.frame, came.attempt, getattr(came, "stage", "detect"))
        is_wrong = said != (task.frame, task.attempt, task.stage) or rows < 0
        if isinstance(came, join.AttributeCame):
            is_wrong = is_wrong or (rows, came.boxes) != (task.faces, task.boxes)
            self._refuse(task) if is_wrong else self._join(came, epoch)
        else:
            self._refuse(task) if is_wrong else self._join(replace(came, worker=task.worker), epoch)

    def _refuse(self, task: Task) -> None:
        if self.refusals.add(task, "is wrong"):
            self._ack()

    def _to_capture_now(self, event: flow.Event, delay_s: float = 0.0) -> None:
        self.after(delay_s, self._arrive, {"capture": self._lives["capture"]}, self._flow, (event,))

    # --- Render ---

    def _hello(self, epoch: int = EPOCH) -> None:
        """Repeated, for a render that is started again knows nobody."""
        if epoch == self.epoch:
            self._deliver(("capture", "render"), self._join, join.SourceStarted(epoch), None)
            self.after(0.1, self._hello, epoch)

    def _kill_render(self) -> None:
        """It comes back with its outputs cut to the smallest position, until they are closed a frame or two lower."""
        if self.finished or not self.join.done:
            return
        self._lives["render"] += 1
        self._seen = self._least_read = 0
        lacking = 0 if self.join.ended else self.random.choice((0, 1, 2))
        kept = [emit for emit in self.emitted if emit.frame < self.join.done - lacking]
        done = kept[-1].frame + 1 if kept else 0
        self.emitted = kept
        self.skipped = [skip for skip in self.skipped if skip.last < done]
        self.join = join.Join(self.plan.attributes, done=done)
        self._ack_number = 0

    def _join(self, event: join.Event, epoch: int | None) -> None:
        """What is said about a frame carries the epoch of the capture that has read it."""
        if epoch is not None and epoch != self.join.epoch:
            return
        if isinstance(event, join.SourceStarted) and event.epoch > (self.join.epoch or 0):
            self.refusals = refusals.Refusals()
        if isinstance(event, join.PictureCame):
            self._seen = max(self._seen, event.frame + 1)
        actions = self.join.step(event)
        for action in actions:
            if isinstance(action, join.Contradicted):
                self._refuse(Task(action.worker, action.frame, 1, 0, "", action.stage))
            if isinstance(action, join.Skipped):
                self.skipped.append(action)
            if isinstance(action, join.Emit):
                self._emit(action)
        if actions or isinstance(event, join.SourceStarted):
            self._ack()

    def _emit(self, emit: join.Emit) -> None:
        self.emitted.append(emit)
        # What was given up is said at once, and travels for a tenth of a second at most.
        late_s = self.now_s - self._read_at_s[emit.frame] - self.plan.deadline_s
        if self.plan.live and not self.plan.lose and late_s > 0.5:
            raise Broken(f"frame {emit.frame} was emitted {late_s:.2f} s after its deadline")

    def _ack_regularly(self) -> None:
        self._ack()
        self.after(0.2, self._ack_regularly)

    def _ack(self) -> None:
        if self.join.epoch is None:
            return
        self._ack_number += 1
        lacks = {frame: frozenset(wants) for frame, wants in self.join.lacks()}
        preview = max(self.previews, default=-1) + 1 if self.plan.live else None
        refused = tuple(flow.AnswerRefused(*refusal) for refusal in self.refusals.listed())
        at = (self._lives["render"], self._ack_number, self.join.done)
        ack = flow.Acked(*at, lacks, self.join.ended, preview, self.join.heard, refused)
        to = ("render", "capture")
        self._deliver(to, self._flow_and_read, ack, self.join.epoch, may_overtake=self.plan.shuffle)

    def _flow_and_read(self, event: flow.Event, epoch: int | None = None) -> None:
        """Acks, crops and what else carries an epoch mean nothing in another one."""
        if epoch is None or epoch == self.epoch:
            self._flow(event)
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
            self._to_capture_now(flow.WorkerGone(connection), died_s + self.random.choice((0.0, 0.05, 1.0)))
        self.ends[worker.stage, worker.replica].append((worker.incarnation, cause))
        if worker.stage not in self.plan.far and (cause != "killed" or self.random.random() < 0.7):
            ended = flow.WorkerEnded(worker.stage, ("here", worker.replica), worker.incarnation, cause)
            self._to_capture_now(ended, died_s + self.random.choice((0.0, 0.05)))
        back_s = died_s + self.random.choice((0.1, 0.3, 2.0))
        self.after(back_s, self._start_worker, worker.stage, worker.replica)

    def _stop(self) -> None:
        self._flow(flow.Stop())
        self._stopped = True

    def _leave(self, stage: str) -> None:
        for connection, worker in list(self.workers.items()):
            if worker.stage == stage:
                worker.dead = True
                del self.workers[connection]
                self._flow(flow.WorkerGone(connection))


class Worker:
    """A worker with the real desk; what it computes takes a random time."""

    def __init__(self, world: World, connection: str, stage: str, replica: int, incarnation: int):
        self.world, self.connection, self.stage, self.replica, self.incarnation = (
            world,
            connection,
            stage,
            replica,
            incarnation,
        )
        self.name = connection  # its connection's name may change, its own does not
        self.desk, self.dead, self._working = Desk(), False, False
        self.ended = tuple(world.ends[stage, replica][-limits.ENDS :])

    def start(self) -> None:
        self._beat_regularly()

    def receive(self, message) -> None:
        if self.dead:
            return
        if self.desk.take(message):
            me = (self.connection, self.stage, ("here", self.replica), self.incarnation, "card", self.desk.account)
            self._say(flow.WorkerCame(*me, ended=self.ended), self.desk.epoch)
            self._beat()
        if len(self.desk.waiting) > self.desk.most and not self.world.plan.repeat and not self.world.plan.lose:
            raise Broken(f"{self.stage} holds {len(self.desk.waiting)} pieces, with room for {self.desk.most}")
        self._work()
        self._clear_for_one()

    def _clear_for_one(self) -> None:
        if not self._working and not self.dead and self.desk.clear_for_one():
            self._say(flow.WorkerReserved(self.connection), self.desk.epoch)
            self._beat()

    def _work(self) -> None:
        if self.desk.waiting and not self._working and not self.dead:
            self._working = True
            pieces = [self.desk.waiting.popleft()]
            while (self.stage != "detect" or self.desk.held_s) and self.desk.waiting:
                pieces.append(self.desk.waiting.popleft())
            mean_s = self.world.plan.service_s.get(self.stage, 0.01)
            slow = self.world.plan.slow_from_s
            if slow is not None and slow[1] == self.stage and self.world.now_s >= slow[0]:
                mean_s *= 10
            self.world.after(self.world.random.uniform(0, 2 * mean_s), self._answer, pieces)

    def _answer(self, pieces: list) -> None:
        if self.dead:
            return
        self._working, was_alone = False, self.desk.is_alone
        self.desk.worked(0.01 * len(pieces), len(pieces))
        answers = [piece for piece in pieces if not self._is_poisoned(piece)]
        if self.dead:
            return
        for piece in answers:
            self._answer_capture(piece)
            if self.dead:
                return  # Between its two answers.
        for piece in pieces:
            if piece in answers:
                self._answer_render(piece)
            self.desk.answered(piece)
            if isinstance(piece, Frame) and piece in answers:
                self.desk.told()
        if self.desk.credit_is_spent or was_alone:
            self._beat()
        self._work()
        self._clear_for_one()

    def _is_poisoned(self, piece: Frame | Crops) -> bool:
        """Whether a piece is not answered; it may be the end of this worker."""
        world = self.world
        poison = world.plan.poison.get((self.stage, piece.frame))
        if self.dead or poison is None:
            return False
        if poison == "fail":
            self._say(flow.WorkerFailed(self.connection, piece.frame, "ValueError"), piece.epoch)
        elif poison != "keep":
            world.poisoned[self.stage, piece.frame] += 1
            world.kill(self.connection, poison)
        return True

    def _answer_capture(self, piece: Frame | Crops) -> None:
        if isinstance(piece, Frame):
            world, faces = self.world, faces_in(piece.frame)
            came = (self.connection, piece.frame, piece.attempt, self._boxes(piece), faces, faces * FACE_SIZE)
            self._say_crops(piece.grant, flow.CropsCame(*came), piece.epoch)
            if world.plan.kills and world.random.random() < world.plan.dies_between:
                world.kill(self.connection)

    def _answer_render(self, piece: Frame | Crops) -> None:
        world, faces, to_render = self.world, faces_in(piece.frame), (self.name, "render")
        if isinstance(piece, Frame):
            boxes = self._boxes(piece)
            came = join.FacesCame(piece.frame, piece.attempt, boxes, faces, (faces, boxes))
            world._deliver(to_render, world.answer_came, piece.grant, came, piece.epoch)
        else:
            answer = (self.stage, piece.frame, piece.boxes)
            event = join.AttributeCame(piece.frame, piece.attempt, piece.boxes, self.stage, answer)
            world._deliver(to_render, world.answer_came, piece.grant, event, piece.epoch, faces)

    def _boxes(self, piece: Frame) -> str:
        return f"boxes-of-{piece.frame}" + (f"-by-{self.replica}" if self.world.plan.differing_boxes else "")

    def _beat_regularly(self) -> None:
        if not self.dead:
            self._beat()
            self.world.after(0.1, self._beat_regularly)

    def _beat(self) -> None:
        room = 0 if self.desk.asked else self.desk.room
        self._say(flow.WorkerBeat(self.connection, room, self.desk.finished))
        self.desk.told()

    def _say_crops(self, grant: str, crops: flow.CropsCame, epoch: int) -> None:
        if not self.desk.served:
            self.world._deliver((self.name, "capture"), self.world.hear_crops, grant, crops, epoch)

    def _say(self, event: flow.Event, epoch: int | None = None) -> None:
        if not self.desk.served:
            self.world._deliver((self.name, "capture"), self.world._flow_and_read, event, epoch)


def ended(plan: Plan, seed: int, longest_s: float = 200.0, most_events: int = 200_000) -> World:
    """The world at the end of one history."""
    return World(plan, seed).run(longest_s, most_events)
