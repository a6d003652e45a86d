"""Decides which process is started again, when a run ends and how: pure, without process, pipe or clock.

Put in what was seen, do what comes back. While the run is running, a stage that ends or hangs is started again, unless
it has said why it cannot go on, or ends time after time without having done anything. Phases only go forward:

    running ──► finishing: the captures read no more, what is under way is finished    (a person's stop)
       │            │
       │            ▼
       └──────► closing: everybody is told to stop, render closes its outputs    (after the last capture, or a failure)
                    │
                    ▼
                terminating ──► killing
"""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum

DONE, FAILED, REFUSED = 0, 1, 2  # exit statuses, of a stage and of the run

READY_S = 120.0  # until then a stage may be silent: TensorFlow from a slow disk
# A person who presses Ctrl-C is promised the end within 5 s. What is left of them is for the account of the run.
FINISHING_S = 2.1
CLOSING_S = 1.5
TERMINATING_S = 0.2
KILLING_S = 0.3  # one that has not ended then waits for a disk or a device, and no kill ends that
STOOD_STILL_S = 1.0  # a watcher that was away for so long has heard nobody, and must blame nobody for it

RESTART_S = 0.1  # after the first end; doubles with every further one until a task is finished
RESTART_MOST_S = 2.0
IDLE_ENDS = 5  # so many ends in a row without a finished task, and it is not the tasks that are at fault
CRASHES = 2  # so many ends of a stage before it was ready, and it will not become ready
SAME_PLACE = 3  # so many ends of capture or render at one frame, and they will not get past it

EXIT, HANG, KILLED = "exit", "hang", "killed"  # causes of an end; only the first two are a stage's own fault


class Phase(IntEnum):
    RUNNING, FINISHING, CLOSING, TERMINATING, KILLING = range(5)


@dataclass(frozen=True, slots=True)
class Member:
    """One process of the run."""

    label: str  # "render", "detect-0": unique in the run
    stage: str
    hang_s: float  # without a sign of life for so long it counts as hung
    replica: int = 0


# --- Events ---


@dataclass(frozen=True, slots=True)
class Ready:
    label: str


@dataclass(frozen=True, slots=True)
class StageHeartbeat:
    label: str
    finished: int = 0  # tasks so far in this life; of capture and render: how often more was acknowledged


@dataclass(frozen=True, slots=True)
class Position:
    """Where a process is that may not survive it: a worker at a task that it has in isolation, the others at a
    frame."""

    label: str
    place: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A process has ended."""

    label: str
    status: int  # negative: the signal that killed it
    sentence: str | None = None  # why, as it said itself
    last_words: str | None = None  # of its log
    log: str | None = None  # its path, for a person


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A person has asked for the end: by Ctrl-C, another signal, or in the window."""

    status: int  # of the run, if nothing goes wrong


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Ready | StageHeartbeat | Position | Exited | StopAsked | Tick

# --- Actions ---


@dataclass(frozen=True, slots=True)
class TellStop:
    label: str


@dataclass(frozen=True, slots=True)
class Terminate:
    label: str


@dataclass(frozen=True, slots=True)
class Kill:
    label: str


@dataclass(frozen=True, slots=True)
class StartAgain:
    """Start this process again: its settings are told anew."""

    label: str


@dataclass(frozen=True, slots=True)
class ReportExit:
    """Tell the captures that this process has ended, and by what."""

    label: str
    cause: str  # EXIT, HANG or KILLED


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the person."""

    sentence: str


Action = TellStop | Terminate | Kill | StartAgain | ReportExit | Say


@dataclass(frozen=True, slots=True)
class EndRun:
    """The decision to end the run."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Restart:
    """The decision to start a process again."""

    delay_s: float


@dataclass(slots=True)
class RestartHistory:
    """What is remembered of the former lives of one process."""

    ends: int = 0  # in a row by its own fault without a finished task; all failures of one task count as one
    fruitless: int = 0  # in a row by whatever doing without a finished task
    was_ready: bool = False  # in any life
    is_ready: bool = False  # in the life that has ended
    crashes: int = 0  # of its stage before it was ready, this one included
    place: str | None = None  # where it was, if it said so
    same_place: int = 0  # ends of its stage by its own fault there


def cause_of(status: int, hung: bool = False) -> str:
    """Whether an end was a process's own fault. The kernel's memory killer looks like a person's KILL."""
    if hung:
        return HANG
    return KILLED if -status in (signal.SIGKILL, signal.SIGTERM) else EXIT


def after_exit(
    exited: Exited, stage: str, cause: str, record: RestartHistory, once: bool = False
) -> EndRun | Restart | None:
    """Decide what it means that a process has ended unasked; None: nothing, its work is done.

    `once`: workers may end by themselves.
    """
    if exited.status == DONE and (stage == "capture" or once):
        return None
    if exited.sentence or exited.status == REFUSED:
        # One that was ready before has nothing wrong with what it was told: something has changed under it. But only
        # one that was ready can be told by the run that it is not taken.
        refused = exited.status == REFUSED and record.was_ready == record.is_ready
        return EndRun(REFUSED if refused else FAILED, exited.sentence or exit_description(exited, cause))
    if how_often := _too_often(stage, record):
        return EndRun(FAILED, f"{exit_description(exited, cause, '')}, {how_often}{_log(exited)}.")
    return Restart(min(RESTART_S * 2 ** max(0, record.fruitless - 1), RESTART_MOST_S))


def _too_often(stage: str, record: RestartHistory) -> str | None:
    if record.crashes >= CRASHES:
        return "twice before it was ready"
    if stage in ("capture", "render") and record.same_place >= SAME_PLACE:
        return f"{record.same_place} times at {record.place}"
    if record.ends >= IDLE_ENDS:
        return f"{record.ends} times in a row without having finished anything"
    return None


def exit_description(exited: Exited, cause: str, end: str | None = None) -> str:
    """How a process ended and what its last words were, in a sentence."""
    if cause == HANG:
        how = "hung"
    elif exited.status == DONE:
        how = "ended although it was not asked to"
    elif exited.status < 0:
        how = f"was killed by {_signal_name(-exited.status)}"
    else:
        how = f"ended with status {exited.status}"
    words = f": {exited.last_words}" if exited.last_words and cause != HANG else ""
    return f"{exited.label} {how}{words}" + (f"{_log(exited)}." if end is None else end)


def _log(exited: Exited) -> str:
    return f" ({exited.log})" if exited.log else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # A real-time signal has no name of its own.
        return f"signal {number}"


@dataclass(slots=True)
class _Life:
    heard_s: float
    is_ready: bool = False
    finished: int = 0
    position: str | None = None
    hung: bool = False


@dataclass(slots=True)
class Supervision:
    """Watches over the processes of one run."""

    members: list[Member]
    now_s: float  # when they were started
    once: bool = False  # workers may end by themselves
    ends_with: str = "capture"  # the last process of this stage ends when all is done, and the run here with it
    seconds: float | None = None  # so long after all were ready the run ends as if a person had asked for it
    phase: Phase = field(init=False, default=Phase.RUNNING)
    status: int = field(init=False, default=DONE)  # of the run
    sentence: str | None = field(init=False, default=None)  # what went wrong first
    stop_asked: bool = field(init=False, default=False)  # by a person, or by `seconds`
    stop_asked_s: float | None = field(init=False, default=None)  # when
    restarts: Counter[str] = field(init=False, default_factory=Counter)  # by stage
    _alive: dict[str, Member] = field(init=False)
    _lives: dict[str, _Life] = field(init=False)
    _records: dict[str, RestartHistory] = field(init=False)
    _crashes: Counter[str] = field(init=False, default_factory=Counter)  # before it was ready, by stage
    _places: Counter[tuple[str, str]] = field(init=False, default_factory=Counter)  # ends by own fault: stage, place
    _coming: dict[str, tuple[float, Member]] = field(init=False, default_factory=dict)  # label -> when it is started
    _all_is_done: bool = field(init=False, default=False)
    _phase_ends_s: float = field(init=False, default=float("inf"))
    _enough_s: float = field(init=False, default=float("inf"))

    def __post_init__(self):
        self._alive = {member.label: member for member in self.members}
        self._lives = {member.label: _Life(self.now_s) for member in self.members}
        self._records = {member.label: RestartHistory() for member in self.members}

    @property
    def is_over(self) -> bool:
        """Whether every process has ended and none is to be started again."""
        return not self._alive and not self._coming

    def step(self, event: Event, now_s: float) -> list[Action]:
        """Take one event; return what is to be done, in order."""
        if now_s - self.now_s > STOOD_STILL_S:
            for life in self._lives.values():
                life.heard_s = now_s
        self.now_s = now_s
        match event:
            case Exited():
                return self._after_exit(event)
            case StopAsked(status):
                return self._after_stop_asked(status)
            case Ready(label):
                self._hear(label)
                self._after_ready(label)
            case StageHeartbeat(label, finished):
                self._hear(label)
                self._after_work(label, finished)
            case Position(label, place):
                self._hear(label)
                self._lives[label].position = place
        return self._after_time()

    # --- Somebody has ended ---

    def _after_exit(self, exited: Exited) -> list[Action]:
        member, life = self._alive.pop(exited.label, None), self._lives[exited.label]
        if member is None:
            return []  # It was left behind, and has ended after all.
        cause = cause_of(exited.status, life.hung)
        if self.phase == Phase.RUNNING:
            gone = [] if member.stage in ("capture", "render") else [ReportExit(exited.label, cause)]
            record = self._note_end(member, life, cause)
            match after_exit(exited, member.stage, cause, record, self.once or member.stage == self.ends_with):
                case Restart(delay_s):
                    self._coming[exited.label] = (self.now_s + delay_s, member)
                    self.restarts[member.stage] += 1
                    return [*gone, Say(f"{exit_description(exited, cause, '')}; it is started again{_log(exited)}.")]
                case EndRun() as stop:
                    self._set_failure(stop)
                    return self._close()
        elif self._is_failure(exited, member.stage):
            self._set_failure(EndRun(FAILED, exited.sentence or exit_description(exited, cause)))
            return self._close()
        if member.stage == self.ends_with and not self._count(self.ends_with):
            self._all_is_done = exited.status == DONE
            return self._close()
        if member.stage == "render" and self._count("capture"):
            return self._kill()  # Nobody is left for whom the captures could finish anything.
        return []

    def _note_end(self, member: Member, life: _Life, cause: str) -> RestartHistory:
        record = self._records[member.label]
        record.fruitless += 1
        record.is_ready = life.is_ready
        if cause != KILLED:
            place = (member.stage, life.position)
            self._places[place] += life.position is not None
            record.place, record.same_place = life.position, self._places[place]
            record.ends += record.same_place < 2
            self._crashes[member.stage] += not life.is_ready
            record.crashes = self._crashes[member.stage] if not life.is_ready else 0
        return record

    def _is_failure(self, exited: Exited, stage: str) -> bool:
        """Who was asked to stop may end as it likes, except that what it holds must have come to its place."""
        if self._all_is_done and exited.status < 0:
            return False  # A capture ends when render has closed its outputs: a render killed now has lost nothing.
        unwell = exited.status != DONE and (exited.sentence or stage in ("capture", "render"))
        return self.phase <= Phase.CLOSING and bool(unwell)

    def _set_failure(self, stop: EndRun) -> None:
        if self.sentence is None:
            self.status, self.sentence = stop.status, stop.sentence

    # --- A person has asked for the end ---

    def _after_stop_asked(self, status: int) -> list[Action]:
        if self.phase > Phase.RUNNING:
            return self._next_phase()  # Asked again: at once.
        self.status, self.stop_asked, self.stop_asked_s = status, True, self.now_s
        if not self._count("capture"):
            return self._close()
        self._enter(Phase.FINISHING, FINISHING_S)
        return [TellStop(label) for label, member in self._alive.items() if member.stage == "capture"]

    # --- A sign of life ---

    def _hear(self, label: str) -> None:
        self._lives[label].heard_s = self.now_s

    def _after_ready(self, label: str) -> None:
        self._lives[label].is_ready = self._records[label].was_ready = True
        everybody = all(record.was_ready for record in self._records.values())
        if self.seconds is not None and self._enough_s == float("inf") and everybody:
            self._enough_s = self.now_s + self.seconds

    def _after_work(self, label: str, finished: int) -> None:
        life, record = self._lives[label], self._records[label]
        if finished > life.finished:
            life.finished = finished
            record.ends = record.fruitless = 0
            if self._alive.get(label) and self._alive[label].stage not in ("capture", "render"):
                life.position = None  # It has survived the task.

    # --- Time has passed ---

    def _after_time(self) -> list[Action]:
        if self.phase > Phase.RUNNING and self.now_s >= self._phase_ends_s:
            return self._next_phase()
        if self.phase == Phase.RUNNING and self.now_s >= self._enough_s:
            return self._after_stop_asked(DONE)
        return [*self._start_again(), *(self._kill_hung() if self.phase == Phase.RUNNING else [])]

    def _start_again(self) -> list[Action]:
        due = [label for label, (due_s, _) in self._coming.items() if self.now_s >= due_s]
        for label in due:
            _, self._alive[label] = self._coming.pop(label)
            self._lives[label] = _Life(self.now_s)
        return [StartAgain(label) for label in due]

    def _kill_hung(self) -> list[Action]:
        hung = [m for m in self._alive.values() if not self._lives[m.label].hung and self._is_silent(m)]
        for member in hung:
            self._lives[member.label].hung = True
        return [
            action
            for m in hung
            for action in (Say(f"{m.label} has shown no sign of life for {self._patience_s(m):g} s."), Kill(m.label))
        ]

    def _is_silent(self, member: Member) -> bool:
        return self.now_s - self._lives[member.label].heard_s > self._patience_s(member)

    def _patience_s(self, member: Member) -> float:
        return member.hang_s if self._lives[member.label].is_ready else max(READY_S, member.hang_s)

    # --- Ending ---

    def _next_phase(self) -> list[Action]:
        if self.phase < Phase.CLOSING:
            return self._close()
        if self.phase == Phase.CLOSING:
            self._enter(Phase.TERMINATING, TERMINATING_S)
            return [Terminate(label) for label in self._alive]
        return self._leave() if self.phase == Phase.KILLING and self.now_s >= self._phase_ends_s else self._kill()

    def _close(self) -> list[Action]:
        if self.phase >= Phase.CLOSING:
            return []
        self._coming.clear()
        self._enter(Phase.CLOSING, CLOSING_S)
        if self.sentence and not self._count("render"):
            return self._kill()  # Nothing is left to be brought in order.
        return [TellStop(label) for label in self._alive]

    def _kill(self) -> list[Action]:
        if self.phase < Phase.KILLING:
            self._enter(Phase.KILLING, KILLING_S)
        return [Kill(label) for label in self._alive]

    def _leave(self) -> list[Action]:
        """Wait no longer for those that no kill has ended."""
        who = " and ".join(self._alive)
        self._set_failure(
            EndRun(
                self.status or FAILED,
                f"{who} could not be ended, not even by a kill: a disk or device does not answer; look after it.",
            )
        )
        self._alive.clear()
        return []

    def _enter(self, phase: Phase, for_s: float) -> None:
        self.phase, self._phase_ends_s = phase, self.now_s + for_s

    def _count(self, stage: str) -> int:
        coming = (member for _, member in self._coming.values())
        return sum(member.stage == stage for member in (*self._alive.values(), *coming))
