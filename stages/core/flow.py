"""Capture's half of the delivery rules: window, credit, retry and dropping for one source.

A pure object: `step(event, now_s) -> actions`, without socket, clock, thread or pixels. It knows frames by number and
workers by the name of their connection; the pictures and crops themselves stay with the caller until `Forget` names
their frame. Work goes out on request, is kept until render has acknowledged the frame, and goes out again when its
worker is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stages.core import limits
from stages.core.suspects import OWN_DOING, Suspects

DETECT, PICTURE = "detect", "picture"
RESTART = "restart"  # why a live frame is dropped that died with the capture or the render that held it
STALLS = 3  # after so many stalls what a worker holds is taken for lost too
STOOD_STILL_S = 1.0  # who was away for so long has heard nobody, and must blame nobody for it
DISTRUSTED = "its answers could not be taken"
UNANSWERED = 5  # so many pieces that a worker calls finished and render lacks, and it is not believed any more
UNANSWERED_OF_MANY = 20  # the same of one that has answered others: messages can be lost and late in a row
LATE = 20  # the same of a live source, where it has answered nothing in time
NOTICE_S = 0.2  # how often a drop, a frame given up and the end are said again until render has acknowledged them


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration says about the flow of one source."""

    attributes: tuple[str, ...]
    cards: dict[str, str]  # stage -> the hash that its workers must show
    window: int = 16  # frames between read and acknowledged
    window_bytes: int = 256_000_000  # pictures and crops of these frames; one frame may always go
    live: bool = False
    deadline_s: float = 1.0  # live: a frame is emitted or dropped within it
    give_up_after_s: float = 5.0  # live: a stage without a worker for so long is not waited for
    resend_after_s: float = 10.0  # without progress of render, what it lacks is sent again; doubles
    tries: int = 3  # so often a piece may end a worker that has it alone before its answer is given up
    hang_s: dict[str, float] = field(default_factory=dict)  # stage -> a worker silent for so long is gone


# --- Events ---


@dataclass(frozen=True, slots=True)
class Read:
    """The next picture was read; frames are numbered in this order."""

    size: int  # bytes


@dataclass(frozen=True, slots=True)
class LetGo:
    """Live: pictures that nobody will be given; they have their numbers, so that they are accounted for."""

    frames: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadAll:
    """The source has no further picture."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A person asked to stop: what is under way is finished, what was not handed out yet is as if never read."""


@dataclass(frozen=True, slots=True)
class WorkerCame:
    connection: str
    stage: str
    worker: tuple[str, int]  # host and replica
    incarnation: int
    card: str
    account: int = 0  # of the welcome that it answers
    ended: tuple[tuple[int, str], ...] = ()  # incarnation and cause of its former lives: see `WorkerEnded`


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    connection: str
    room: int  # pieces that it can hold in all
    finished: int  # the highest seq that it has finished


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """A connection is gone; why is not known, and may be told later."""

    connection: str


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """The process of a worker has ended, says its launcher: on this machine itself, on another its next life."""

    stage: str
    worker: tuple[str, int]
    incarnation: int
    cause: str  # "exit", "hang" or "killed"


@dataclass(frozen=True, slots=True)
class WorkerReserved:
    """A worker has finished all that it held, and waits for one suspect piece."""

    connection: str


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """A worker could not answer a piece, and lives."""

    connection: str
    frame: int
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerRefused:
    """What a worker said about a piece cannot be taken: the piece is given to another worker, and this one no more."""

    frame: int
    stage: str
    worker: int  # its number in this flow
    reason: str


@dataclass(frozen=True, slots=True)
class CropsCame:
    connection: str
    frame: int
    attempt: int
    boxes: str
    faces: int
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Acked:
    """What an `ack` of render says."""

    incarnation: int
    number: int
    done: int
    lacks: dict[int, frozenset[str]]
    clean: bool
    preview: int | None  # one more than the newest preview taken, 0 before the first; None: render wants none
    heard: int = 0  # one more than the highest frame that render has heard of
    refused: tuple[AnswerRefused, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    Read
    | LetGo
    | ReadAll
    | Stop
    | WorkerCame
    | WorkerBeat
    | WorkerGone
    | WorkerEnded
    | WorkerReserved
    | WorkerFailed
    | AnswerRefused
    | CropsCame
    | Acked
    | Tick
)


# --- Actions ---


@dataclass(frozen=True, slots=True)
class SendWelcome:
    """Greet a connection that has not said hello; with a new account the worker throws away what it holds."""

    connection: str
    account: int


@dataclass(frozen=True, slots=True)
class SendFrame:
    connection: str
    frame: int
    seq: int
    attempt: int
    skip: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SendCrops:
    connection: str
    stage: str
    frame: int
    seq: int


@dataclass(frozen=True, slots=True)
class SendReserve:
    """Ask a worker to finish what it holds, and to wait for one suspect piece."""

    connection: str


@dataclass(frozen=True, slots=True)
class StartAnew:
    """Render has died, and its outputs were perhaps cut back: begin a new epoch with a new `Flow`; this one is over."""


@dataclass(frozen=True, slots=True)
class KeepCrops:
    """The crops that just came are the frame's: hold them until it is forgotten."""

    frame: int


@dataclass(frozen=True, slots=True)
class SendPicture:
    frame: int


@dataclass(frozen=True, slots=True)
class SendPreview:
    """Offer the newest picture read for showing at once."""

    frame: int


@dataclass(frozen=True, slots=True)
class SayDrop:
    first: int
    last: int
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class SayGivenUp:
    frame: int
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class SayEnd:
    frames: int


@dataclass(frozen=True, slots=True)
class Refuse:
    connection: str
    reason: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """This worker is given no more work in this run."""

    connection: str
    stage: str
    worker: tuple[str, int]  # host and replica
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Let go of a frame's picture and crops."""

    frame: int
    latency_s: float | None  # from reading to the acknowledgement; None if it was dropped or never handed out


@dataclass(frozen=True, slots=True)
class Finished:
    """Render has closed the outputs: tell the workers, and end."""


Action = (
    SendWelcome
    | SendFrame
    | SendCrops
    | SendReserve
    | StartAnew
    | KeepCrops
    | SendPicture
    | SendPreview
    | SayDrop
    | SayGivenUp
    | SayEnd
    | Refuse
    | Quarantine
    | Forget
    | Finished
)


@dataclass(slots=True)
class _InFlight:
    """A frame between read and acknowledged."""

    size: int
    read_s: float
    attempt: int = 0  # how often it went to detect
    crops: CropsCame | None = None  # what is said of the crops at hand
    holders: dict[str, str] = field(default_factory=dict)  # stage -> connection that its piece was last sent to
    given_up: dict[str, str] = field(default_factory=dict)  # stage -> reason
    vain: dict[str, _InVain] = field(default_factory=dict)  # stage -> who was asked in vain
    distrusted: int = 0  # crops of no try up to this one are taken

    def forget_crops(self) -> None:
        """They are not to be believed."""
        self.distrusted, self.crops = self.crops.attempt, None


@dataclass(slots=True)
class _InVain:
    """Who was given a piece and has not answered it so that the answer could be taken."""

    hosts: set[str] = field(default_factory=set)
    workers: Counter[tuple[str, int]] = field(default_factory=Counter)
    refused: int = 0  # answers that could not be taken
    newest: int | None = None  # once these are too many: only workers that were here by then are still asked

    def rank(self, worker: _Worker) -> tuple:
        """The smaller, the sooner this worker is asked: who has answered others, and on other hosts than before.

        A message may have been lost, so one is asked twice before those are who have never answered anything.
        """
        return self.workers[worker.worker] >= 2, not worker.answered, *self.others_first(worker), worker.number

    def others_first(self, worker: _Worker) -> tuple[bool, bool]:
        """The smaller, the less this worker, and its host, had to do with it."""
        return worker.worker[0] in self.hosts, worker.worker in self.workers

    def add(self, worker: _Worker) -> None:
        self.hosts.add(worker.worker[0])
        self.workers[worker.worker] += 1


@dataclass(slots=True)
class _Worker:
    stage: str
    worker: tuple[str, int]
    incarnation: int
    heard_s: float
    number: int
    room: int = 0
    last_seq: int = 0
    under_way: dict[int, int] = field(default_factory=dict)  # seqs sent and not seen finished -> frame
    is_reserved: bool = False  # asked to take one suspect piece alone: it is given nothing else
    is_waited_for: bool = False  # it was already reserved at the last stall
    alone: int | None = None  # the frame of the suspect piece that it has
    answered: int = 0  # pieces of frames that are done
    unanswered: int = 0  # pieces that it has finished, it says, and render lacks
    is_stuck: bool = False  # it has finished nothing since the last stall

    @property
    def free(self) -> int:
        return 0 if self.is_reserved else self.room - len(self.under_way)


def printable(name: str) -> str:
    """A name as a terminal may be given it, whoever has chosen it."""
    return name if name.isprintable() else repr(name)


Life = tuple[str, tuple[str, int], int]  # stage, worker and incarnation


class Flow:
    """Hands out the work of one source and decides what is sent again, given up and dropped."""

    def __init__(self, rules: Rules, first_frame: int = 0, quarantined: tuple[Life, ...] = ()):
        """`quarantined`: the workers that an earlier flow of this run has taken no more answers of."""
        self.read = first_frame  # frames read so far; the next one gets this number
        self.done = first_frame  # every frame below it is acknowledged or dropped
        self.ignored = 0  # events that came too late to mean anything
        self._rules = rules
        self._stages = (DETECT, *rules.attributes)
        self._frames: dict[int, _InFlight] = {}  # ascending
        self._due: dict[str, set[int]] = {stage: set() for stage in self._stages}
        self._suspects = Suspects(self._stages, rules.tries)
        self._workers: dict[str, _Worker] = {}
        self._lost: dict[tuple, _Worker] = {}  # identity -> its last incarnation that is gone, until it is known why
        self._ended: dict[tuple, int] = {}  # identity -> the highest incarnation whose process has ended
        self._accounts: dict[str, int | None] = {}  # connection -> its account; None when it was lost
        self._accounts_opened = 0
        self._refused: dict[str, tuple] = {}  # connection -> the stage and worker that it says it is
        self._quarantined: dict[Life, None] = dict.fromkeys(quarantined)
        self._workers_taken = 0
        self._unanswered: Counter[tuple[str, str]] = Counter()  # pieces, by stage and host: see `_never_answers`
        self._answering: set[tuple[str, str]] = set()  # stage and host of those whose answers are in the outputs
        self._started = False
        self._without_worker_since: dict[str, float | None] = dict.fromkeys(self._stages)
        self._bytes = 0
        self._ack: Acked | None = None
        self._drops: list[SayDrop] = []  # until render has acknowledged them
        self._read_all = False
        self._finished = False
        self._is_over = False  # replaced by another flow
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
        present = {worker.stage for worker in self._workers.values()}
        return [stage for stage in self._stages if stage not in present]

    def may_read(self, size: int) -> bool:
        """Whether a picture of so many bytes fits: a file waits until it does, a camera drops."""
        if self._read_all or not self.started:
            return False
        fits = len(self._frames) < self._rules.window and self._bytes + size <= self._rules.window_bytes
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
        return list(self._workers)

    @property
    def quarantined(self) -> tuple[Life, ...]:
        """The workers whose answers could not be taken."""
        return tuple(self._quarantined)

    def number_of(self, connection: str) -> int:
        """The number by which this worker is named in the grants of its pieces."""
        worker = self._workers.get(connection)
        return worker.number if worker is not None else 0  # It was lost in the same step.

    @property
    def in_flight(self) -> int:
        return len(self._frames)

    @property
    def bytes_in_flight(self) -> int:
        return self._bytes

    @property
    def waiting(self) -> dict[str, int]:
        """Pieces not handed out yet, by stage: where it is the slowest."""
        return {stage: len(due) for stage, due in self._due.items()}

    def step(self, event: Event, now_s: float) -> list[Action]:
        """Take one event; return what is to be done, in order."""
        if self._is_over:
            return []
        if now_s - self._stepped_s > STOOD_STILL_S:
            for worker in self._workers.values():
                worker.heard_s = now_s
        self._stepped_s = now_s
        actions = list(self._take(event, now_s))
        if self._is_over:
            return actions
        self._lose_silent(now_s)
        if self._rules.live:
            actions += self._give_up_late(now_s)
        else:
            actions += self._give_up_without_workers(now_s)
        actions += self._resend_without_progress(now_s)
        actions += self._hand_out()
        actions += self._repeat_notices(now_s)
        return actions

    def _take(self, event: Event, now_s: float) -> Iterator[Action]:
        match event:
            case Read(size):
                yield from self._take_picture(size, now_s)
            case LetGo(frames, reason):
                self._let_go(frames, reason, now_s)
            case ReadAll():
                self._end()
            case Stop():
                yield from self._stop()
            case WorkerCame():
                yield from self._take_worker(event, now_s)
            case WorkerBeat(connection, room, finished):
                yield from self._take_beat(connection, room, finished, now_s)
            case WorkerGone(connection):
                self._lose_worker(connection)
            case WorkerEnded():
                yield from self._take_end(event)
            case WorkerReserved(connection):
                yield from self._take_reserved(connection)
            case WorkerFailed(connection, frame, reason):
                yield from self._take_failure(connection, frame, reason)
            case AnswerRefused():
                yield from self._take_refusal(event)
            case CropsCame():
                yield from self._take_crops(event)
            case Acked():
                yield from self._take_ack(event, now_s)
            case Tick():
                pass

    @property
    def _every_stage_is_there(self) -> bool:
        return {worker.stage for worker in self._workers.values()} >= set(self._stages)

    @property
    def _is_nobody_awaited(self) -> bool:
        """Whether every stage is there, but for those that no worker is left of whose answers can be taken."""
        present = {worker.stage for worker in self._workers.values()}
        return present | self._stages_in_quarantine >= set(self._stages)

    @property
    def _stages_in_quarantine(self) -> set[str]:
        silent = {stage for stage, host in self._unanswered if self._never_answers(stage, host)}
        return silent | {stage for stage, _, _ in self._quarantined}

    # --- Reading ---

    def _take_picture(self, size: int, now_s: float) -> Iterator[Action]:
        number, self.read = self.read, self.read + 1
        if not self._frames:
            self._progress_s = now_s
        self._frames[number] = _InFlight(size, now_s)
        self._bytes += size
        self._due[DETECT].add(number)
        if self._rules.live:
            yield from self._preview(number, now_s)
            if len(self._frames) > self._rules.window or self._bytes > self._rules.window_bytes:
                yield from self._make_room(number)

    def _let_go(self, frames: int, reason: str, now_s: float) -> None:
        if not self._frames:
            self._progress_s = now_s
        self._drops.append(SayDrop(self.read, self.read + frames - 1, "capture", reason))
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

    def _take_beat(self, connection: str, room: int, finished: int, now_s: float) -> Iterator[Action]:
        worker = self._workers.get(connection)
        if worker is not None:
            worker.room, worker.heard_s = min(room, limits.MOST_ROOM), now_s
            under_way = {seq: frame for seq, frame in worker.under_way.items() if seq > finished}
            worker.is_stuck = worker.is_stuck and len(under_way) == len(worker.under_way)
            worker.under_way = under_way
            if worker.alone is not None and not worker.under_way:
                self._release(worker)
        elif connection not in self._refused:
            if self._accounts.get(connection) is None:
                if len(self._accounts) >= limits.GREETED:
                    self._accounts = {c: account for c, account in self._accounts.items() if c in self._workers}
                self._accounts_opened += 1
                self._accounts[connection] = self._accounts_opened
            yield SendWelcome(connection, self._accounts[connection])

    def _release(self, worker: _Worker) -> None:
        """A worker has survived the suspect piece that it had alone."""
        self._suspects.clear(worker.stage, worker.alone)
        worker.alone, worker.is_reserved = None, False

    def _take_worker(self, came: WorkerCame, now_s: float) -> Iterator[Action]:
        if came.connection in self._refused:
            return
        if came.connection in self._workers:
            return  # It was welcomed twice because two of its messages came before its hello.
        if came.account != self._accounts.get(came.connection, came.account):
            return  # It answers an earlier welcome, and will throw away what it is given before it has the later one.
        if came.incarnation <= self._ended.get((came.stage, came.worker), -1):
            return  # It has died since it said hello.
        if came.stage in self._due:
            for incarnation, cause in came.ended:
                if incarnation < came.incarnation:
                    yield from self._take_end(WorkerEnded(came.stage, came.worker, incarnation, cause))
        same = {c: w for c, w in self._workers.items() if (w.stage, w.worker) == (came.stage, came.worker)}
        if reason := self._reason_to_refuse(came, same.values()):
            yield self._refuse(came.connection, (came.stage, came.worker), reason)
            return
        for connection in same:
            self._lose_worker(connection)
        self._workers[came.connection] = self._new_worker(came, now_s)
        self._started = self._started or self._every_stage_is_there

    def _new_worker(self, came: WorkerCame, now_s: float) -> _Worker:
        """One whose connection was lost goes on under its number, with what is known of it."""
        former = self._lost.get((came.stage, came.worker))
        worker = _Worker(came.stage, came.worker, came.incarnation, now_s, self._workers_taken + 1)
        if former is not None and former.incarnation == came.incarnation:
            worker.number, worker.answered, worker.unanswered = former.number, former.answered, former.unanswered
        else:
            self._workers_taken += 1
        return worker

    def _reason_to_refuse(self, came: WorkerCame, same: Iterable[_Worker]) -> str | None:
        if came.stage not in self._due:
            return f"this run has no stage {printable(came.stage)}"
        if came.card != self._rules.cards[came.stage]:
            return f"the {came.stage} of this run has another model card or other settings"
        if any(worker.incarnation > came.incarnation for worker in same):
            return f"a later incarnation of this {came.stage} is already here"
        host, on = came.worker[0], printable(came.worker[0])
        if (came.stage, came.worker, came.incarnation) in self._quarantined:
            return f"the answers of this {came.stage} on {on} could not be taken"
        if (
            sum((stage, worker[0]) == (came.stage, host) for stage, worker, _ in self._quarantined)
            >= limits.QUARANTINED
        ):
            return f"the answers of {limits.QUARANTINED} processes of {came.stage} on {on} could not be taken"
        if self._never_answers(came.stage, host):
            return f"no {came.stage} on {on} has answered any of its pieces"
        if len(self._workers) >= limits.WORKERS and not self._make_place(host):
            return f"{limits.WORKERS} workers are here already"
        return None

    def _make_place(self, host: str) -> bool:
        """The worker of this host that was heard longest ago goes, of those that have answered nothing yet."""
        idle = {c: w for c, w in self._workers.items() if w.worker[0] == host and not w.answered and not w.under_way}
        if idle:
            self._lose_worker(min(idle, key=lambda connection: idle[connection].heard_s))
        return bool(idle)

    def _refuse(self, connection: str, who: tuple, reason: str) -> Refuse:
        if len(self._refused) >= limits.GREETED:
            self._refused.clear()
        self._refused[connection] = who
        return Refuse(connection, reason)

    def _lose_worker(self, connection: str) -> None:
        """Every piece that this worker ever held and render still lacks is due again."""
        if connection in self._accounts:
            self._accounts[connection] = None  # If it is heard again, its account starts anew.
        self._refused.pop(connection, None)
        worker = self._workers.pop(connection, None)
        if worker is None:
            return
        if len(self._lost) >= limits.WORKERS:
            del self._lost[next(iter(self._lost))]
        self._lost[worker.stage, worker.worker] = worker
        for number, frame in self._frames.items():
            if frame.holders.get(worker.stage) == connection:
                del frame.holders[worker.stage]
                self._make_due(number, worker.stage)

    def _lose_silent(self, now_s: float) -> None:
        """A worker whose machine has gone says nothing, and nobody says it for it."""
        if self._rules.hang_s:
            limit = self._rules.hang_s
            silent = [c for c, w in self._workers.items() if now_s - w.heard_s > limit.get(w.stage, float("inf"))]
            for connection in silent:
                self._lose_worker(connection)

    # --- Pieces that may be the cause of an end ---

    def _take_end(self, ended: WorkerEnded) -> Iterator[Action]:
        """What a worker held that ended by its own doing goes out again alone; what it had alone has a strike."""
        identity = (ended.stage, ended.worker)
        before = self._ended.pop(identity, 0)
        if len(self._ended) >= limits.WORKERS:
            del self._ended[next(iter(self._ended))]
        self._ended[identity] = max(ended.incarnation, before)
        for connection, worker in list(self._workers.items()):
            if (worker.stage, worker.worker, worker.incarnation) == (*identity, ended.incarnation):
                self._lose_worker(connection)
        worker = self._lost.get(identity)
        if worker is None or worker.incarnation != ended.incarnation:
            return
        del self._lost[identity]
        for number in set(worker.under_way.values()):
            if number in self._frames and worker.stage not in self._frames[number].given_up:
                alone = worker.alone == number
                if alone and ended.cause in OWN_DOING:
                    self._asked_in_vain(number, worker)
                if reason := self._suspects.ended(worker.stage, number, ended.cause, alone):
                    yield from self._give_up_for_good(number, worker.stage, reason)

    def _take_failure(self, connection: str, number: int, reason: str) -> Iterator[Action]:
        worker, frame = self._workers.get(connection), self._frames.get(number)
        if worker is None or frame is None or worker.stage in frame.given_up:
            return
        pieces = [seq for seq, of in worker.under_way.items() if of == number]
        if not pieces:
            self.ignored += 1  # It does not have this piece, or has said so before.
            return
        del worker.under_way[min(pieces)]
        self._asked_in_vain(number, worker)
        if frame.holders.get(worker.stage) == connection:
            del frame.holders[worker.stage]
        if given_up := self._suspects.failed(worker.stage, number, reason, worker.alone == number):
            yield from self._give_up_for_good(number, worker.stage, given_up)
        else:
            self._make_due(number, worker.stage)
        if worker.alone == number:
            worker.alone, worker.is_reserved = None, False

    # --- Workers whose answers cannot be taken ---

    def _take_refusal(self, refused: AnswerRefused) -> Iterator[Action]:
        """Whose answer cannot be taken is given nothing more, and what it has is given to others."""
        found = [c for c, w in self._workers.items() if (w.number, w.stage) == (refused.worker, refused.stage)]
        if not found:
            return  # It is gone, and all that it had was given to others then.
        [connection], worker = found, self._workers[found[0]]
        if (frame := self._frames.get(refused.frame)) is not None:
            vain = self._asked_in_vain(refused.frame, worker)
            vain.refused += 1
            if vain.refused == self._rules.tries:
                vain.newest = self._workers_taken
            if frame.holders.get(worker.stage) == connection and worker.stage != DETECT:
                self._make_due(refused.frame, worker.stage)
        yield from self._quarantine(connection, f"its answer for frame {refused.frame} {refused.reason}")

    def _quarantine(self, connection: str, reason: str) -> Iterator[Action]:
        worker = self._workers[connection]
        life = (worker.stage, worker.worker, worker.incarnation)
        if len(self._quarantined) >= limits.LIVES:
            del self._quarantined[next(iter(self._quarantined))]
        self._quarantined[life] = None
        if worker.stage == DETECT:
            self._forget_crops_of(connection)
        self._lose_worker(connection)
        # Those that it was taken for a later incarnation of are welcome again.
        self._refused = {c: who for c, who in self._refused.items() if who != life[:2]}
        yield self._refuse(connection, ("", None), f"{DISTRUSTED}: {reason}")
        yield Quarantine(connection, *life, reason)

    def _forget_crops_of(self, connection: str) -> None:
        """What else this detect has cut is not believed either."""
        for number, frame in self._frames.items():
            lacks = self._lacks(number) & set(self._stages)
            if lacks and frame.crops is not None and frame.crops.connection == connection:
                frame.forget_crops()
                frame.holders[DETECT] = connection
                for stage in self._rules.attributes:
                    self._due[stage].discard(number)

    def _asked_in_vain(self, number: int, worker: _Worker) -> _InVain:
        vain = self._frames[number].vain.setdefault(worker.stage, _InVain())
        vain.add(worker)
        return vain

    def _give_up_without_workers(self, now_s: float) -> Iterator[Action]:
        """Of a file: a stage is not waited for whose every worker gave answers that could not be taken."""
        if not self._quarantined and not self._unanswered:
            return
        quarantined = self._stages_in_quarantine
        able = {w.stage for w in self._workers.values() if w.room or w.under_way or w.is_reserved}
        for stage in [stage for stage in self._stages_gone(able, now_s) if stage in quarantined]:
            reason = f"no process of {stage} is left whose answers can be taken"
            for number, frame in self._frames.items():
                lacks = self._lacks(number) - frame.given_up.keys()
                if DETECT in frame.given_up or number not in self._due[stage]:
                    continue
                # Where render has faces, but nobody has their crops any more, it is the attributes that are given up.
                lacking = (stage,) if stage in lacks else self._rules.attributes if stage == DETECT else ()
                for one in [one for one in lacking if one in lacks]:
                    yield from self._give_up_for_good(number, one, reason)

    def _give_up_for_good(self, number: int, stage: str, reason: str) -> Iterator[Action]:
        if stage == DETECT and not self._frames[number].attempt:
            self._frames[number].attempt = 1
            yield SendPicture(number)  # It would have gone out with the frame.
        self._frames[number].given_up[stage] = reason
        for other in self._stages if stage == DETECT else (stage,):
            self._due[other].discard(number)
            self._suspects.clear(other, number)
        self._said_s = float("-inf")

    def _take_reserved(self, connection: str) -> Iterator[Action]:
        worker = self._workers.get(connection)
        if worker is None or not worker.is_reserved or worker.alone is not None:
            return
        due = self._due[worker.stage] & self._suspects.of(worker.stage)
        if not due:
            self._lose_worker(connection)  # It was answered meanwhile. A new welcome sets the worker free.
            return
        number = min(due)
        self._due[worker.stage].discard(number)
        worker.alone = number
        yield from self._send(worker.stage, number, connection)

    def _reserve(self, stage: str) -> Iterator[Action]:
        """One worker of the stage is to take one of its suspect pieces alone; the others go on with the rest."""
        if not self._due[stage] & self._suspects.of(stage):
            return
        free = {c: w for c, w in self._workers.items() if w.stage == stage and (w.room or w.is_reserved)}
        if free and not any(worker.is_reserved for worker in free.values()):
            vain = self._frames[min(self._due[stage] & self._suspects.of(stage))].vain.get(stage, _InVain())
            connection = min(free, key=lambda c: (*vain.others_first(free[c]), len(free[c].under_way)))
            self._workers[connection].is_reserved, self._workers[connection].is_waited_for = True, False
            yield SendReserve(connection)

    def _make_due(self, number: int, stage: str) -> None:
        """Hand out a piece again if its answer is still wanted."""
        frame = self._frames[number]
        if stage in frame.given_up or DETECT in frame.given_up:
            return
        lacks = self._lacks(number)
        if stage == DETECT:
            if frame.crops is None or frame.crops.attempt < frame.attempt or DETECT in lacks:
                self._due[DETECT].add(number)
        elif stage in lacks:
            # Its crops may be gone with the detect that cut them; then it is detect's piece that is lacking.
            if frame.crops is None:
                if DETECT not in frame.holders:
                    self._due[DETECT].add(number)
            elif frame.crops.faces:
                self._due[stage].add(number)

    def _lacks(self, number: int) -> frozenset[str]:
        everything = frozenset((PICTURE, *self._stages))
        return self._ack.lacks.get(number, everything) if self._ack is not None else everything

    def _take_crops(self, came: CropsCame) -> Iterator[Action]:
        self._free_credit(came)
        frame = self._frames.get(came.frame)
        if frame is None or DETECT in frame.given_up or came.attempt <= frame.distrusted:
            self.ignored += 1
            return
        if came.connection in self._refused:
            self.ignored += 1
            return
        known = frame.crops
        if known is not None and known.attempt >= came.attempt:
            self.ignored += 1
            return
        frame.crops = came
        added = came.size - (known.size if known is not None else 0)
        frame.size += added
        self._bytes += added
        # If detect is due again it stays so: these crops may be of one that died before render had its faces.
        yield KeepCrops(came.frame)
        if came.faces:
            is_new = known is None or known.boxes != came.boxes
            lacks = self._lacks(came.frame)
            for stage in self._rules.attributes:
                # Along the same boxes only what nobody is at work on is asked again: so that render, which may have
                # faces of a try between the two, is told that the boxes of this one are the newest.
                again = stage in lacks and not self._is_at_work(came.frame, frame.holders.get(stage))
                if stage not in frame.given_up and (is_new or again):
                    self._due[stage].add(came.frame)
        else:
            for stage in self._rules.attributes:
                self._due[stage].discard(came.frame)

    def _free_credit(self, came: CropsCame) -> None:
        """Crops say that their piece is finished, as a beat does: detect need not send both."""
        worker = self._workers.get(came.connection)
        pieces = [seq for seq, frame in worker.under_way.items() if frame == came.frame] if worker is not None else []
        if pieces:
            del worker.under_way[min(pieces)]
            if worker.alone is not None and not worker.under_way:
                self._release(worker)

    # --- Acknowledgement ---

    def _take_ack(self, ack: Acked, now_s: float) -> Iterator[Action]:
        known = self._ack
        if known is not None and (ack.incarnation, ack.number) <= (known.incarnation, known.number):
            self.ignored += 1
            return
        if known is not None and ack.incarnation > known.incarnation:
            self._is_over = True
            yield StartAnew()
            return
        self._ack = ack
        if known is None:
            self._begin(ack)
        for refused in ack.refused:
            yield from self._take_refusal(refused)
        if ack.done > self.done:
            for number in [n for n in self._frames if n < ack.done]:
                self._count_answers(number)
                yield from self._forget(number, now_s - self._frames[number].read_s)
            self.done = ack.done
            self._progress_s, self._resend_after_s, self._stalls = now_s, self._rules.resend_after_s, 0
            self._ahead = {number for number in self._ahead if number >= self.done}
            self._drops = [drop for drop in self._drops if drop.last >= self.done]
        self._make_due_what_nobody_holds()
        yield from self._preview(self.read - 1, now_s)
        if ack.clean and self._read_all and not self._finished:
            self._finished = True
            yield Finished()

    def _count_answers(self, number: int) -> None:
        frame = self._frames[number]
        for connection in [c for stage, c in frame.holders.items() if stage not in frame.given_up]:
            if (worker := self._workers.get(connection)) is not None:
                worker.answered += 1
                self._answering.add((worker.stage, worker.worker[0]))

    def _begin(self, ack: Acked) -> None:
        """The first word of render: a file is read from where its outputs end, a live source goes on."""
        self._said_s = float("-inf")
        self.done = ack.done
        if not self._rules.live:
            self.read = ack.done
            return
        holder = "render" if self.read else "capture"  # Who held what is lost: a capture that was there has read some.
        self.read = max(self.read, ack.heard, ack.done)
        if self.read > self.done:
            self._drops.append(SayDrop(self.done, self.read - 1, holder, RESTART))

    def _make_due_what_nobody_holds(self) -> None:
        """A part may be lacking again: faces of an older try give way to newer answers, and who had found the newer
        ones may be dead by then."""
        for number, frame in self._frames.items():
            if frame.crops is not None:
                for stage in self._ack.lacks.get(number, ()):
                    if stage in self._due and stage not in frame.holders:
                        self._make_due(number, stage)

    def _resend_without_progress(self, now_s: float) -> Iterator[Action]:
        """Guards against lost messages: one timer for the whole source, so that a stall makes no storm."""
        if not self._frames or not self._is_nobody_awaited or now_s - self._progress_s < self._resend_after_s:
            return
        self._progress_s, self._resend_after_s = now_s, self._resend_after_s * 2
        self._stalls += 1
        if self._stalls >= STALLS:
            for worker in self._workers.values():
                worker.under_way.clear()
        yield from self._lose_reserved()
        yield from self._blame_who_stalls()
        for number, frame in self._frames.items():
            lacks = self._lacks(number)
            if PICTURE in lacks and frame.attempt:
                yield SendPicture(number)
            for stage in self._stages:
                if (stage in lacks or stage == DETECT) and not self._is_at_work(number, frame.holders.get(stage)):
                    frame.holders.pop(stage, None)
                    self._make_due(number, stage)
        yield from self._hand_to_the_idle()

    def _lose_reserved(self) -> Iterator[Action]:
        """Who was to take one piece alone and has not: another one is asked, or after some stalls the same again."""
        for connection, worker in [(c, w) for c, w in self._workers.items() if w.is_reserved]:
            others = any(w.stage == worker.stage and w is not worker for w in self._workers.values())
            if (others and worker.is_waited_for) or self._stalls >= STALLS:
                alone = {worker.alone} if worker.alone is not None else self._due[worker.stage]
                for number in alone & self._suspects.of(worker.stage):
                    self._asked_in_vain(number, worker)
                self._count_unanswered(worker)
                if self._stalls >= UNANSWERED:
                    yield from self._quarantine(connection, "it does not answer the one piece that it is to take alone")
                else:
                    self._lose_worker(connection)
            worker.is_waited_for = True

    def _blame_who_stalls(self) -> Iterator[Action]:
        """A piece that a worker calls finished and render lacks was lost, or never answered: another one is asked.

        Who does that with most of its pieces is quarantined. Messages are lost too, but not most of them.
        """
        answered: Counter[str] = Counter()
        for number, frame in self._frames.items():
            lacks = self._lacks(number)
            for stage, connection in frame.holders.items():
                worker = self._workers.get(connection)
                if worker is None or number in worker.under_way.values() or not frame.attempt:
                    continue
                if stage != DETECT and not self._is_cut_well(frame):
                    continue
                if stage == DETECT and self._contradicts(frame, lacks):
                    frame.forget_crops()
                if stage in lacks or (stage == DETECT and frame.crops is None):
                    self._count_unanswered(worker)
                    self._asked_in_vain(number, worker)
                else:
                    answered[connection] += 1
        for connection, worker in list(self._workers.items()):
            worker.is_stuck = bool(worker.under_way)
            is_most = worker.unanswered >= worker.answered + answered[connection]
            has_answered = worker.answered + answered[connection] > 0
            never = self._never_answers(worker.stage, worker.worker[0]) and worker.unanswered and not has_answered
            if (worker.unanswered >= UNANSWERED_OF_MANY and is_most) or never:
                says = f"it says that it has finished {worker.unanswered} pieces that render has no answer for"
                yield from self._quarantine(connection, says)

    def _count_unanswered(self, worker: _Worker) -> None:
        worker.unanswered += 1
        host = (worker.stage, worker.worker[0])
        if host not in self._unanswered and len(self._unanswered) >= limits.WORKERS:
            self._unanswered.clear()
        self._unanswered[host] += 1

    def _never_answers(self, stage: str, host: str) -> bool:
        """Whether the workers of a host, who may come under ever new names, hold pieces back and have answered none."""
        return self._unanswered[stage, host] >= UNANSWERED and (stage, host) not in self._answering

    def _blame_who_is_late(self, number: int, frame: _InFlight, stages: Iterable[str]) -> Iterator[Action]:
        """Live: a worker that calls its pieces finished, and never once has answered one in time, is in the way."""
        lacks = self._lacks(number) - frame.given_up.keys()
        for stage in [stage for stage in stages if stage in lacks]:
            worker = self._workers.get(connection := frame.holders.get(stage))
            if worker is None or number in worker.under_way.values():
                continue
            worker.unanswered += 1
            others = any(w.stage == stage and w is not worker for w in self._workers.values())
            if others and worker.unanswered >= LATE and not worker.answered:
                yield from self._quarantine(connection, f"none of {worker.unanswered} pieces was answered in time")

    def _is_cut_well(self, frame: _InFlight) -> bool:
        """Whether an attribute stage that is not heard may be to blame, and not a detect that told render of others."""
        maker = self._workers.get(frame.crops.connection) if frame.crops is not None else None
        if maker is None or any((stage, of[0]) == (DETECT, maker.worker[0]) for stage, of, _ in self._quarantined):
            return False
        is_known = (DETECT, maker.worker[0]) in self._answering
        return is_known and frame.crops.attempt == frame.attempt

    def _contradicts(self, frame: _InFlight, lacks: frozenset[str]) -> bool:
        """Whether a detect has told capture of no faces, and render of some."""
        tells_none = frame.crops is not None and not frame.crops.faces
        return tells_none and DETECT not in lacks and bool(lacks & set(self._rules.attributes))

    def _hand_to_the_idle(self) -> Iterator[Action]:
        """What somebody has been at for long is given to one more, of those who have nothing else to do."""
        for stage in self._stages:
            idle = [c for c, w in self._workers.items() if w.stage == stage and w.free > 0 and not w.under_way]
            for number, frame in self._frames.items():
                held = self._is_at_work(number, frame.holders.get(stage)) and not self._suspects.of(stage) & {number}
                wanted = stage in self._lacks(number) and not frame.given_up.keys() & {stage, DETECT}
                wanted = wanted and (frame.crops is not None or stage == DETECT)
                if idle and held and wanted:
                    self._asked_in_vain(number, self._workers[frame.holders[stage]])
                    yield from self._send(stage, number, idle.pop())

    def _is_at_work(self, number: int, connection: str | None) -> bool:
        """Whether a worker that is here has not said yet that it has finished this frame: slow is not lost."""
        worker = self._workers.get(connection)
        return worker is not None and number in worker.under_way.values()

    # --- Handing out ---

    def _hand_out(self) -> Iterator[Action]:
        for stage in reversed(self._stages):  # Attributes first: what is nearly done frees the window.
            due = self._due[stage]
            if suspects := self._suspects.of(stage):
                yield from self._reserve(stage)
                due = due - suspects
            for number in [n for n in sorted(due) if stage in self._frames[n].vain]:
                due = due - {number}
                yield from self._hand_out_again(stage, number)
            while due and (connection := self._roomiest(stage)) is not None:
                number = min(due)
                if stage == DETECT and not self._frames[number].attempt and self._render_is_full:
                    break
                due.discard(number)
                self._due[stage].discard(number)
                yield from self._send(stage, number, connection)

    def _hand_out_again(self, stage: str, number: int) -> Iterator[Action]:
        """A piece that somebody was asked for in vain: the one who is most likely to answer it gets it, however busy.

        After `tries` answers that could not be taken only those are asked who were here by then: nobody can keep a
        frame open by coming again and again.
        """
        vain = self._frames[number].vain[stage]
        here = {c: w for c, w in self._workers.items() if w.stage == stage and (w.room or w.is_reserved)}
        if vain.newest is not None:
            here = {c: w for c, w in here.items() if w.number <= vain.newest}
            if not here:
                says = f"{stage} gave {vain.refused} answers for this frame that could not be taken"
                yield from self._give_up_for_good(number, stage, says)
                return
        here = {c: w for c, w in here.items() if not w.is_reserved}
        asked = {c: w for c, w in here.items() if not w.is_stuck} or here
        if not asked:
            return
        connection = min(asked, key=lambda c: vain.rank(asked[c]))
        if asked[connection].free > 0:
            self._due[stage].discard(number)
            yield from self._send(stage, number, connection)

    @property
    def _render_is_full(self) -> bool:
        """Whether render has a whole window before it; a frame that was dropped meanwhile still lies in its queue."""
        return sum(frame.attempt > 0 for frame in self._frames.values()) + len(self._ahead) >= self._rules.window

    def _roomiest(self, stage: str) -> str | None:
        free = {c: w.free for c, w in self._workers.items() if w.stage == stage and w.free > 0}
        return max(free, key=free.__getitem__) if free else None

    def _send(self, stage: str, number: int, connection: str) -> Iterator[Action]:
        frame, worker = self._frames[number], self._workers[connection]
        worker.last_seq += 1
        worker.under_way[worker.last_seq] = number
        frame.holders[stage] = connection
        if stage != DETECT:
            yield SendCrops(connection, stage, number, worker.last_seq)
            return
        frame.attempt += 1
        # The frame first: render will be waiting for what detect finds in it, not for the picture.
        yield SendFrame(connection, number, worker.last_seq, frame.attempt, tuple(frame.given_up))
        if frame.attempt == 1:
            yield SendPicture(number)

    # --- Dropping and giving up: live sources only ---

    def _give_up_late(self, now_s: float) -> Iterator[Action]:
        gone = set(self._stages_gone({worker.stage for worker in self._workers.values()}, now_s))
        for number, frame in list(self._frames.items()):
            late = now_s - frame.read_s >= self._rules.deadline_s
            if not late and not gone:
                break  # Frames are held in the order in which they were read.
            # What render lacks is known from its last ack: only if that is from well after the deadline it is lost.
            long_late = now_s - frame.read_s >= self._rules.deadline_s + 2 * NOTICE_S
            lost = long_late and self._lacks(number) & {PICTURE, DETECT}
            if lost or (frame.crops is None and (late or DETECT in gone)):
                yield from self._blame_who_is_late(number, frame, (DETECT,))
                yield from self._drop(number, DETECT, "late" if late else "stage gone")
            elif frame.crops is not None and (frame.crops.faces or self._contradicts(frame, self._lacks(number))):
                stages = self._rules.attributes if late else [s for s in self._rules.attributes if s in gone]
                yield from self._blame_who_is_late(number, frame, stages)
                self._give_up(number, frame, stages, "late" if late else "stage gone")

    def _stages_gone(self, present: set[str], now_s: float) -> Iterable[str]:
        for stage in self._stages:
            if stage in present:
                self._without_worker_since[stage] = None
            elif self._without_worker_since[stage] is None:
                self._without_worker_since[stage] = now_s
            elif now_s - self._without_worker_since[stage] >= self._rules.give_up_after_s:
                yield stage

    def _give_up(self, number: int, frame: _InFlight, stages: Iterable[str], reason: str) -> None:
        lacks = self._lacks(number)
        for stage in stages:
            if stage in lacks and stage not in frame.given_up:
                frame.given_up[stage] = reason
                self._due[stage].discard(number)
                self._said_s = float("-inf")

    def _drop(self, number: int, stage: str, reason: str) -> Iterator[Action]:
        if self._frames[number].attempt:
            self._ahead.add(number)
        yield from self._forget(number, None)
        self._said_s = float("-inf")
        last = self._drops[-1] if self._drops else None
        if last is not None and (last.last, last.stage, last.reason) == (number - 1, stage, reason):
            self._drops[-1] = SayDrop(last.first, number, stage, reason)
        else:
            self._drops.append(SayDrop(number, number, stage, reason))

    def _forget(self, number: int, latency_s: float | None) -> Iterator[Action]:
        frame = self._frames.pop(number)
        self._bytes -= frame.size
        for stage in self._stages:
            self._due[stage].discard(number)
        self._suspects.forget(number)
        yield Forget(number, latency_s)

    # --- What is said until it is acknowledged ---

    def _repeat_notices(self, now_s: float) -> Iterator[Action]:
        if now_s - self._said_s < NOTICE_S or self._ack is None or self._finished:
            return
        self._said_s = now_s
        yield from self._drops
        for number, frame in self._frames.items():
            lacks = self._lacks(number)
            for stage, reason in frame.given_up.items():
                # Without detect nothing more is said about the faces either that render may have already.
                if stage in lacks or (stage == DETECT and lacks & set(self._stages)):
                    yield SayGivenUp(number, stage, reason)
        if self._read_all:
            yield SayEnd(self.read)
