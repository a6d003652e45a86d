"""Decides when a run ends and how its processes are ended: pure, without process, pipe or clock.

Put in what was seen, do what comes back. Phases only go forward:

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
from dataclasses import dataclass, field
from enum import IntEnum

DONE, FAILED, REFUSED = 0, 1, 2  # exit statuses, of a stage and of the run

READY_S = 120.0  # until then a stage may be silent: TensorFlow from a slow disk
# A person who presses Ctrl-C is promised the end within 5 s.
FINISHING_S = 2.5
CLOSING_S = 2.0
TERMINATING_S = 0.3
STOOD_STILL_S = 1.0  # a watcher that was away for so long has heard nobody, and must blame nobody for it


class Phase(IntEnum):
    RUNNING, FINISHING, CLOSING, TERMINATING, KILLING = range(5)


@dataclass(frozen=True, slots=True)
class Member:
    """One process of the run."""

    label: str  # "render", "detect-0": unique in the run
    stage: str
    hang_s: float  # without a sign of life for so long it counts as hung


# --- Events ---


@dataclass(frozen=True, slots=True)
class Ready:
    label: str


@dataclass(frozen=True, slots=True)
class Beat:
    label: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A process has ended."""

    label: str
    status: int  # negative: the signal that killed it
    sentence: str | None = None  # why, as it said itself
    last_words: str | None = None  # of its log


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A person has asked for the end: by Ctrl-C, another signal, or in the window."""

    status: int  # of the run, if nothing goes wrong


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Ready | Beat | Exited | StopAsked | Tick

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


Action = TellStop | Terminate | Kill


@dataclass(frozen=True, slots=True)
class Stop:
    """The decision to end the run."""

    status: int
    sentence: str


def after_exit(exited: Exited, stage: str, once: bool) -> Stop | None:
    """Decide what it means that a process has ended unasked; None: nothing, its work is done.

    `once`: workers may end by themselves. The place where a decision to start the stage again belongs.
    """
    if exited.status == DONE and (stage == "capture" or once):
        return None
    status = REFUSED if exited.status == REFUSED else FAILED
    return Stop(status, exited.sentence or _obituary(exited))


def _obituary(exited: Exited) -> str:
    if exited.status == DONE:
        how = "ended although it was not asked to"
    elif exited.status < 0:
        how = f"was killed by {_signal_name(-exited.status)}"
    else:
        how = f"ended with status {exited.status}"
    words = f": {exited.last_words}" if exited.last_words else ""
    return f"{exited.label} {how}{words} (logs/{exited.label}.log)."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # A real-time signal has no name of its own.
        return f"signal {number}"


@dataclass(slots=True)
class _Life:
    heard_s: float
    is_ready: bool = False


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
    _alive: dict[str, Member] = field(init=False)
    _lives: dict[str, _Life] = field(init=False)
    _phase_ends_s: float = field(init=False, default=float("inf"))
    _enough_s: float = field(init=False, default=float("inf"))

    def __post_init__(self):
        self._alive = {member.label: member for member in self.members}
        self._lives = {member.label: _Life(self.now_s) for member in self.members}

    @property
    def is_over(self) -> bool:
        """Whether every process has ended."""
        return not self._alive

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
            case Ready(label) | Beat(label):
                self._hear(label, isinstance(event, Ready))
        return self._after_time()

    # --- Somebody has ended ---

    def _after_exit(self, exited: Exited) -> list[Action]:
        member = self._alive.pop(exited.label)
        stop = after_exit(exited, member.stage, self.once or member.stage == self.ends_with)
        if stop and self._is_failure(exited, member.stage):
            self._blame(stop)
            return self._close()
        if member.stage == self.ends_with and not self._count(self.ends_with):
            return self._close()
        if member.stage == "render" and self._count("capture"):
            return self._kill()  # Nobody is left for whom the captures could finish anything.
        return []

    def _is_failure(self, exited: Exited, stage: str) -> bool:
        if self.phase == Phase.RUNNING:
            return True
        # Who was asked to stop may end as it likes, except that what it holds must have come to its place.
        unwell = exited.status != DONE and (exited.sentence or stage in ("capture", "render"))
        return self.phase <= Phase.CLOSING and bool(unwell)

    def _blame(self, stop: Stop) -> None:
        if self.sentence is None:
            self.status, self.sentence = stop.status, stop.sentence

    # --- A person has asked for the end ---

    def _after_stop_asked(self, status: int) -> list[Action]:
        if self.phase > Phase.RUNNING:
            return self._next_phase()  # Asked again: at once.
        self.status = status
        if not self._count("capture"):
            return self._close()
        self._enter(Phase.FINISHING, FINISHING_S)
        return [TellStop(label) for label, member in self._alive.items() if member.stage == "capture"]

    # --- Time has passed ---

    def _hear(self, label: str, is_ready: bool) -> None:
        life = self._lives[label]
        life.heard_s = self.now_s
        life.is_ready |= is_ready
        if is_ready and self.seconds is not None and all(life.is_ready for life in self._lives.values()):
            self._enough_s = self.now_s + self.seconds

    def _after_time(self) -> list[Action]:
        if self.phase > Phase.RUNNING:
            return self._next_phase() if self.now_s >= self._phase_ends_s else []
        if self.now_s >= self._enough_s:
            return self._after_stop_asked(DONE)
        hung = next((m for m in self._alive.values() if self._silent_s(m) > self._patience_s(m)), None)
        return self._after_hang(hung) if hung else []

    def _silent_s(self, member: Member) -> float:
        return self.now_s - self._lives[member.label].heard_s

    def _patience_s(self, member: Member) -> float:
        return member.hang_s if self._lives[member.label].is_ready else max(READY_S, member.hang_s)

    def _after_hang(self, hung: Member) -> list[Action]:
        how = "hung" if self._lives[hung.label].is_ready else "did not become ready"
        self._blame(
            Stop(
                FAILED, f"{hung.label} {how}: no sign of life for {self._patience_s(hung):g} s (logs/{hung.label}.log)."
            )
        )
        return [Kill(hung.label), *self._close()]

    # --- Ending ---

    def _next_phase(self) -> list[Action]:
        if self.phase < Phase.CLOSING:
            return self._close()
        if self.phase == Phase.CLOSING:
            self._enter(Phase.TERMINATING, TERMINATING_S)
            return [Terminate(label) for label in self._alive]
        return self._kill()

    def _close(self) -> list[Action]:
        if self.phase >= Phase.CLOSING:
            return []
        self._enter(Phase.CLOSING, CLOSING_S)
        if self.sentence and not self._count("render"):
            return self._kill()  # Nothing is left to be brought in order.
        return [TellStop(label) for label in self._alive]

    def _kill(self) -> list[Action]:
        self._enter(Phase.KILLING, TERMINATING_S)
        return [Kill(label) for label in self._alive]

    def _enter(self, phase: Phase, for_s: float) -> None:
        self.phase, self._phase_ends_s = phase, self.now_s + for_s

    def _count(self, stage: str) -> int:
        return sum(member.stage == stage for member in self._alive.values())
