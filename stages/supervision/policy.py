"""Decides which process is started again, when a run ends and how: pure, without process, pipe or clock.

Put in what was seen, do what comes back. While the run is running, a stage that ends or hangs is started again, unless
it has said why it cannot go on, or ends time after time without having done anything. Of several sources one that
cannot be read on ends alone: the others lose nothing by it, and the run says at its end that it has failed. Sources
come and go while a run is running. Phases only go forward:

    running ──► finishing: the captures read no more, what is under way is finished    (a person's stop)
       │            │
       │            ▼
       └──────► closing: everybody is told to stop, render closes its outputs    (after the last capture, or a failure)
                    │
                    ▼
                terminating ──► killing
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf

from ..exit_status import ExitStatus
from ..protocol.control import FromStage, Position, Quit, Ready, Say, StageHeartbeat
from .events import (
    Action,
    Announce,
    Event,
    Exited,
    Kill,
    Member,
    ReportExit,
    SourceAdded,
    SourceEnded,
    SourceIsThere,
    SourceRemoved,
    StageMessage,
    StartAgain,
    StopAsked,
    TellStop,
    Terminate,
    Tick,
)
from .exits import EndRun, Restart, RestartHistories, after_exit, cause_of, exit_description

READY_S = 120.0  # until then a stage may be silent: TensorFlow from a slow disk
# A person who presses Ctrl-C is promised the end within 5 s. What is left of them is for the account of the run.
FINISHING_S = 2.1
CLOSING_S = 1.5
TERMINATING_S = 0.2
KILLING_S = 0.8  # since the last one ended: one that is still there waits for a disk or device, and no kill ends that
LEAVING_S = 10.0  # without a finished frame, for a source that is removed: slow stages may finish what it has read
STOOD_STILL_S = 1.0  # a watcher that was away for so long has heard nobody, and must blame nobody for it


class Phase(IntEnum):
    """How far the end of the run has come; it only goes forward."""

    RUNNING, FINISHING, CLOSING, TERMINATING, KILLING = range(5)


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
    leaves: bool = False  # SIGTERM ends this part of a run, and not the run: it will be started again
    phase: Phase = field(init=False, default=Phase.RUNNING)
    status: int = field(init=False, default=ExitStatus.DONE)  # of the run
    sentence: str | None = field(init=False, default=None)  # what went wrong first
    stop_asked: bool = field(init=False, default=False)  # by a person, or by `seconds`
    stop_asked_s: float | None = field(init=False, default=None)  # when
    restarts: Counter[str] = field(init=False, default_factory=Counter)  # by stage
    failed: dict[str, str] = field(init=False, default_factory=dict)  # captures that ended alone: label -> sentence
    _alive: dict[str, Member] = field(init=False)
    _lives: dict[str, _Life] = field(init=False)
    _histories: RestartHistories = field(init=False)
    _coming: dict[str, tuple[float, Member]] = field(init=False, default_factory=dict)  # label -> when it is started
    _new: set[str] = field(init=False, default_factory=set)  # captures that were added, and are not there yet
    _leaving: dict[str, float] = field(init=False, default_factory=dict)  # removed captures -> when patience ends
    _all_is_done: bool = field(init=False, default=False)
    _phase_ends_s: float = field(init=False, default=inf)
    _enough_s: float = field(init=False, default=inf)

    def __post_init__(self):
        self.members = list(self.members)
        self._alive = {member.label: member for member in self.members}
        self._lives = {member.label: _Life(self.now_s) for member in self.members}
        self._histories = RestartHistories(self._alive)

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
            case StageMessage(_, Quit()):
                return self._after_stop_asked(ExitStatus.DONE)
            case SourceAdded(member):
                self._add(member)
            case SourceRemoved(label):
                return self._remove(label)
            case StageMessage(label, message):
                self._after_message(label, message)
                if label in self._new and isinstance(message, Ready | Say):  # A live one that is away says so.
                    self._new.discard(label)
                    return [SourceIsThere(label, isinstance(message, Say)), *self._after_time()]
            case Tick() if self.phase == Phase.KILLING and now_s >= self._phase_ends_s:
                return self._leave()
        return self._after_time()

    # --- Somebody has ended ---

    def _after_exit(self, exited: Exited) -> list[Action]:
        member, life = self._alive.pop(exited.label, None), self._lives[exited.label]
        if member is None:
            return []  # It was left behind, and has ended after all.
        cause = cause_of(exited.status, life.hung)
        if self.phase == Phase.KILLING:
            self._enter(Phase.KILLING, KILLING_S)
        if self.phase == Phase.RUNNING and exited.label in self._leaving:
            return self._end_source(exited.label, None, is_complete=exited.status == ExitStatus.DONE)
        if self.phase == Phase.RUNNING:
            history = self._histories.ended(member, cause, life.is_ready, life.position)
            may_end = self.once or member.stage == self.ends_with
            match after_exit(exited, member.stage, cause, history, may_end):
                case Restart(delay_s):
                    return self._plan_restart(member, delay_s, exited, cause)
                case EndRun() as end if self._ends_alone(member, end):
                    return self._end_source(member.label, end.sentence)
                case EndRun() as end:
                    self._set_failure(end)
                    return self._close()
        elif self._is_failure(exited, member.stage):
            self._set_failure(EndRun(ExitStatus.FAILED, exited.sentence or exit_description(exited, cause)))
            return self._close()
        if member.stage == self.ends_with and not self._count(self.ends_with):
            self._all_is_done = exited.status == ExitStatus.DONE and not self.failed
            return self._close()
        if member.stage == "render" and self._count("capture"):
            return self._kill()  # Nobody is left for whom the captures could finish anything.
        return []

    def _plan_restart(self, member: Member, delay_s: float, exited: Exited, cause: str) -> list[Action]:
        self._coming[member.label] = (self.now_s + delay_s, member)
        self.restarts[member.stage] += 1
        sentence = Announce(exit_description(exited, cause, "; it is started again"))
        is_worker = member.stage not in ("capture", "render")
        return [ReportExit(member.label, cause), sentence] if is_worker else [sentence]

    # --- Sources come and go ---

    def _add(self, member: Member) -> None:
        self.members.append(member)
        self._alive[member.label] = member
        self._lives[member.label] = _Life(self.now_s)
        self._histories.add(member.label)
        self._new.add(member.label)

    def _remove(self, label: str) -> list[Action]:
        if label in self._alive:
            self._leaving.setdefault(label, self.now_s + LEAVING_S)
            return [TellStop(label)]
        self._coming.pop(label, None)
        self.failed.pop(label, None)  # Who removes it knows.
        return self._end_source(label, None)

    def _ends_alone(self, member: Member, end: EndRun) -> bool:
        """Whether a capture ends without the others: one that was added, and one of several.

        A mistake in what the run was told ends it, as long as no frame is in the outputs: nothing is lost by that.
        """
        captures = [other.label for other in self.members if other.stage == "capture"]
        if member.label not in captures or len(captures) < 2:
            return False
        has_begun = any(self._lives[label].finished for label in captures if label != member.label)
        return member.label in self._new or end.status != ExitStatus.REFUSED or has_begun

    def _end_source(self, label: str, failure: str | None, is_complete: bool = True) -> list[Action]:
        was_refused = failure is not None and label in self._new
        self._new.discard(label)
        self._leaving.pop(label, None)
        self._histories.await_no_more(label)
        actions: list[Action] = [SourceEnded(label, failure, was_refused, is_complete)]
        if failure is not None and not was_refused:
            self.failed[label] = failure
            actions.append(Announce(f"{failure} The other sources continue."))
        if self._count("capture") or self.ends_with != "capture":
            return actions
        self._all_is_done = not self.failed
        return [actions[0], *self._close()]

    def _is_failure(self, exited: Exited, stage: str) -> bool:
        """Who was asked to stop may end as it likes, except that what it holds must have come to its place."""
        if self._all_is_done and exited.status < 0:
            return False  # A capture ends when render has closed its outputs: a render killed now has lost nothing.
        unwell = exited.status != ExitStatus.DONE and (exited.sentence or stage in ("capture", "render"))
        return self.phase <= Phase.CLOSING and bool(unwell)

    def _set_failure(self, end: EndRun) -> None:
        if self.sentence is None:
            self.status, self.sentence = end.status, end.sentence

    # --- A person has asked for the end ---

    def _after_stop_asked(self, status: int) -> list[Action]:
        if self.phase > Phase.RUNNING:
            return self._next_phase()  # Asked again: at once.
        self.status, self.stop_asked, self.stop_asked_s = status, True, self.now_s
        if not self._count("capture"):
            return self._close()
        self._enter(Phase.FINISHING, FINISHING_S)
        leave = self.leaves and status == ExitStatus.TERMINATED
        return [TellStop(label, leave) for label, member in self._alive.items() if member.stage == "capture"]

    # --- A sign of life ---

    def _after_message(self, label: str, message: FromStage) -> None:
        life = self._lives[label]
        life.heard_s = self.now_s
        match message:
            case Ready():
                life.is_ready = True
                self._histories.ready(label)
                if self.seconds is not None and self._enough_s == inf and self._histories.all_were_ready:
                    self._enough_s = self.now_s + self.seconds
            case Position(place):
                life.position = place
            case StageHeartbeat(finished) if finished > life.finished:
                life.finished = finished
                self._histories.finished(label)
                if self._leaving.get(label, inf) < inf:
                    self._leaving[label] = self.now_s + LEAVING_S
                if self._alive.get(label) and self._alive[label].stage not in ("capture", "render"):
                    life.position = None  # It has survived the task.

    # --- Time has passed ---

    def _after_time(self) -> list[Action]:
        if self.phase > Phase.RUNNING and self.now_s >= self._phase_ends_s:
            return self._next_phase()
        if self.phase == Phase.RUNNING and self.now_s >= self._enough_s:
            return self._after_stop_asked(ExitStatus.DONE)
        if self.phase > Phase.RUNNING:
            return self._start_again()
        return [*self._start_again(), *self._kill_hung(), *self._end_leaving()]

    def _end_leaving(self) -> list[Action]:
        """A source that is removed and does not end is ended: what it has read and not finished is lost."""
        late = [label for label, until_s in self._leaving.items() if self.now_s >= until_s]
        self._leaving |= dict.fromkeys(late, inf)
        return [Kill(label) for label in late]

    def _start_again(self) -> list[Action]:
        due = [label for label, (due_s, _) in self._coming.items() if self.now_s >= due_s]
        for label in due:
            _, self._alive[label] = self._coming.pop(label)
            self._lives[label] = _Life(self.now_s)
        return [StartAgain(label) for label in due]

    def _kill_hung(self) -> list[Action]:
        actions = []
        for member in self._alive.values():
            if not self._lives[member.label].hung and self._is_silent(member):
                self._lives[member.label].hung = True
                sentence = f"{member.label} has shown no sign of life for {self._patience_s(member):g} s."
                actions += [Announce(sentence), Kill(member.label)]
        return actions

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
        return self._kill()

    def _close(self) -> list[Action]:
        if self.phase >= Phase.CLOSING:
            return []
        if self.failed:
            self._set_failure(EndRun(self.status or ExitStatus.FAILED, next(iter(self.failed.values()))))
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
        """Wait no longer for those that no kill has ended.

        To be called when all that was said is heard: on a busy machine the end of a process may be behind other events.
        """
        who = " and ".join(self._alive)
        self._set_failure(
            EndRun(
                self.status or ExitStatus.FAILED,
                f"{who} could not be ended, not even by a kill: a disk or device does not respond, or this machine is"
                " overloaded; check whether the process is still there.",
            )
        )
        self._alive.clear()
        return []

    def _enter(self, phase: Phase, for_s: float) -> None:
        self.phase, self._phase_ends_s = phase, self.now_s + for_s

    def _count(self, stage: str) -> int:
        coming = (member for _, member in self._coming.values())
        return sum(member.stage == stage for member in (*self._alive.values(), *coming))
