"""What the end of a process means: whether it is started again, and the sentence about it. Pure.

A process is started again unless it has said why it cannot go on, or ends time after time without having done anything.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..exit_status import ExitStatus
from .events import Exited, Member

RESTART_S = 0.1  # after the first end; doubles with every further one until a task is finished
RESTART_MOST_S = 2.0
IDLE_ENDS = 5  # so many ends in a row without a finished task, and it is not the tasks that are at fault
CRASHES = 2  # so many ends of a stage before it was ready, and it will not become ready
SAME_PLACE = 3  # so many ends of capture or render at one frame, and they will not get past it

EXIT, HANG, KILLED = "exit", "hang", "killed"  # causes of an end; only the first two are a stage's own fault


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
    crashes: int = 0  # before it was ready, this one included: of its stage, or of a capture of its own
    place: str | None = None  # where it was, if it said so
    same_place: int = 0  # ends of its stage by its own fault there


class RestartHistories:
    """The restart histories of all processes of a run."""

    def __init__(self, labels: Iterable[str]):
        self._of = {label: RestartHistory() for label in labels}
        self._crashes: Counter[str] = Counter()  # ends before it was ready, by stage; of captures by label
        self._places: Counter[tuple[str, str | None]] = Counter()  # ends by own fault: stage and place

    @property
    def all_were_ready(self) -> bool:
        """Whether each was ready in one of its lives."""
        return all(history.was_ready for history in self._of.values())

    def add(self, label: str) -> None:
        """Another process belongs to the run."""
        self._of[label] = RestartHistory()

    def await_no_more(self, label: str) -> None:
        """A process does not belong to the run any more: nobody waits until it is ready."""
        self._of[label].was_ready = True

    def ready(self, label: str) -> None:
        """A process is ready."""
        self._of[label].was_ready = True

    def finished(self, label: str) -> None:
        """A process has finished a task."""
        self._of[label].ends = self._of[label].fruitless = 0

    def ended(self, member: Member, cause: str, is_ready: bool, place: str | None) -> RestartHistory:
        """A life has ended; returns what is remembered of the process, this life included.

        `is_ready`: whether it was, in this life; `place`: where it was, if it said so.
        """
        history = self._of[member.label]
        history.fruitless += 1
        history.is_ready = is_ready
        if cause != KILLED:
            self._places[member.stage, place] += place is not None
            history.place, history.same_place = place, self._places[member.stage, place]
            history.ends += history.same_place < 2
            # What one capture does not survive is its source, and no other has that.
            who = member.label if member.stage == "capture" else member.stage
            self._crashes[who] += not is_ready
            history.crashes = 0 if is_ready else self._crashes[who]
        return history


def cause_of(status: int, hung: bool = False) -> str:
    """Whether an end was a process's own fault. The kernel's memory killer looks like a person's KILL."""
    if hung:
        return HANG
    return KILLED if -status in (signal.SIGKILL, signal.SIGTERM) else EXIT


def after_exit(
    exited: Exited, stage: str, cause: str, history: RestartHistory, once: bool = False
) -> EndRun | Restart | None:
    """Decide what it means that a process has ended unasked; None: nothing, its work is done.

    `once`: workers may end by themselves.
    """
    if exited.status == ExitStatus.DONE and (stage == "capture" or once):
        return None
    if exited.sentence or exited.status == ExitStatus.REFUSED:
        # One that was ready before has nothing wrong with what it was told: something has changed under it. But only
        # one that was ready can be told by the run that it is not taken.
        refused = exited.status == ExitStatus.REFUSED and history.was_ready == history.is_ready
        status = ExitStatus.REFUSED if refused else ExitStatus.FAILED
        return EndRun(status, exited.sentence or exit_description(exited, cause))
    if how_often := _too_often(stage, history):
        return EndRun(ExitStatus.FAILED, exit_description(exited, cause, f", {how_often}"))
    return Restart(min(RESTART_S * 2 ** max(0, history.fruitless - 1), RESTART_MOST_S))


def _too_often(stage: str, history: RestartHistory) -> str | None:
    if history.crashes >= CRASHES:
        return "twice before it was ready"
    if stage in ("capture", "render") and history.same_place >= SAME_PLACE:
        return f"{history.same_place} times at {history.place}"
    if history.ends >= IDLE_ENDS:
        return f"{history.ends} times in a row without having finished anything"
    return None


def exit_description(exited: Exited, cause: str, more: str = "") -> str:
    """How a process ended, what its last words were, `more`, and where its log is: a sentence."""
    if cause == HANG:
        how = "hung"
    elif exited.status == ExitStatus.DONE:
        how = "ended although it was not asked to"
    elif exited.status < 0:
        how = f"was killed by {_signal_name(-exited.status)}"
    else:
        how = f"ended with status {exited.status}"
    words = f": {exited.last_words}" if exited.last_words and cause != HANG else ""
    log = f" ({exited.log})" if exited.log else ""
    return f"{exited.label} {how}{words}{more}{log}."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # A real-time signal has no name of its own.
        return f"signal {number}"
