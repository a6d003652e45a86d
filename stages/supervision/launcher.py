"""Starts the stage processes of a run, watches over them, and sees to it that none is left."""

from __future__ import annotations

import errno
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from ..config.settings import Settings
from ..errors import reason, way_out
from ..protocol import limits
from ..results.manifest import Manifest
from .child import CannotStart, Child, Said, Start
from .policy import (
    DONE,
    FAILED,
    Action,
    Event,
    Exited,
    Kill,
    Position,
    Ready,
    ReportExit,
    Say,
    StageHeartbeat,
    StartAgain,
    StopAsked,
    Supervision,
    TellStop,
    Terminate,
    Tick,
)
from .stage_log import StageLog

TICK_S = 0.1
ENDING_S = 2.0  # what a killed process may take to end: one that waits for a broken device never does
LEAVING_S = 0.1  # for one that is left behind
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class RunView(Protocol):
    """Who shows a run to the person who started it."""

    def opened(self, source: dict) -> None:
        """A capture has opened its source."""

    def say(self, sentence: str) -> None:
        """A stage has something to tell."""

    def progress(self, label: str, progress: dict) -> None:
        """Where a stage is."""

    def started_again(self, label: str, stage: str) -> None:
        """A process that has ended is started again; its progress begins anew."""


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    status: int  # 0 done; 1 failed; 2 refused; 130, 143: stopped by a signal
    sentence: str | None  # what went wrong
    reports: dict[str, dict] = field(default_factory=dict)  # what each process said at its end, by label
    progress: dict[str, dict] = field(default_factory=dict)  # what it said last about where it is
    stopped: bool = False  # by a person, before the sources had ended
    stopped_s: float | None = None  # when the person asked for it, by the monotonic clock
    restarts: dict[str, int] = field(default_factory=dict)  # how often a process was started again, by stage
    earlier: dict[str, list[dict]] = field(default_factory=dict)  # by label: the last progress of each life that ended


def launch(
    starts: list[Start],
    settings: Callable[[], dict[str, Settings]],
    logs: Path,
    view: RunView,
    *,
    once: bool = False,
    ends_with: str = "capture",
    seconds: float | None = None,
) -> Outcome:
    """Run these processes to their end; `settings` gives what each is told, by label.

    `settings` is called when the processes are starting already: they import their libraries meanwhile. What it raises
    ends them. `logs`: the folder of their logs, as a person is told it; `once`: workers may end by themselves;
    `ends_with`: the stage whose end is that of the run here; `seconds`: so long after all were ready the run is ended.
    To be called from the main thread: signals come to it, and Linux ends a process with the thread that started it.
    """
    events: SimpleQueue[Event | Said] = SimpleQueue()
    with _signals_into(events), _crew(starts, logs, events) as crew:
        for sentence in crew.troubles():
            view.say(sentence)
        crew.tell_settings(settings())
        supervision = Supervision([start.member for start in starts], time.monotonic(), once, ends_with, seconds)
        outcome = Outcome(DONE, None)
        while not supervision.is_over:
            event = _next_event(events, outcome, view, crew)
            for action in supervision.step(event, time.monotonic()):
                if isinstance(action, StartAgain) and action.label in outcome.progress:
                    outcome.earlier.setdefault(action.label, []).append(outcome.progress.pop(action.label))
                _do(action, crew, view)
            crew.note_restarts(dict(supervision.restarts))
            crew.tell_on()
        crew.is_over = True
        outcome.status, outcome.sentence = supervision.status, supervision.sentence
        outcome.stopped, outcome.stopped_s = supervision.stop_asked, supervision.stop_asked_s
        outcome.restarts = dict(supervision.restarts)
        return outcome


class _Crew:
    """The processes of a run: started, told what they have to know, and started again."""

    def __init__(self, starts: list[Start], logs: Path, events: SimpleQueue[Event | Said]):
        self.children: dict[str, Child] = {}
        self._starts = {start.member.label: start for start in starts}
        self._folder, self._manifest, self._events = logs, Manifest(logs.parent), events
        self.is_over = False
        self._logs: dict[str, StageLog] = {}
        self._told: dict[str, Settings] = {}
        self._incarnations: dict[str, int] = dict.fromkeys(self._starts, 0)
        self._lives: dict[str, int] = dict.fromkeys(self._starts, 0)
        self._ended: dict[str, deque] = {label: deque(maxlen=limits.ENDS) for label in self._starts}
        self._restarts: dict[str, int] = {}  # by stage
        self._kept: dict[str, dict] = {}  # what a later life is told of the first

    def start(self, label: str) -> None:
        """Start a process for the first time; raises `CannotStart` where this machine has no room for it."""
        try:
            self._logs[label] = StageLog(self._folder / f"{label}.log", self._manifest)
            self._begin(label)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise  # A defect of ours.
            raise CannotStart(f"{label} cannot be started: {reason(error)}; {way_out(error)}.") from None

    def start_again(self, label: str) -> None:
        """Start a process again; where that cannot be, it has ended once more."""
        if child := self.children.pop(label, None):
            child.close(ENDING_S)
        self._lives[label] += 1
        try:
            self._begin(label)
        except OSError as error:
            self._events.put(Exited(label, FAILED, last_words=f"it could not be started: {reason(error)}"))
            return
        self._tell_settings(label)
        self._tell_restarts(label)

    def _begin(self, label: str) -> None:
        # The wall clock is right here: it is compared with a predecessor's, also of an earlier run, never subtracted.
        self._incarnations[label] = max(int(time.time() * 1000), self._incarnations[label] + 1)
        self.children[label] = Child(self._starts[label], self._logs[label], self._events)

    def troubles(self) -> Iterator[str]:
        """What a person should know of the logs."""
        return (log.trouble for log in self._logs.values() if log.trouble)

    def tell(self, label: str, what: dict) -> None:
        """Say one line to a process, if it is there."""
        if child := self.children.get(label):
            child.tell(what)

    def tell_on(self) -> None:
        """Hand over what a process that was busy has not been told yet."""
        for child in self.children.values():
            child.tell_on()

    def end(self) -> None:
        """No process is left, but for one that not even a kill ends."""
        for child in self.children.values():
            child.kill()
        # When the run is over, all have ended that a kill ends.
        by_s = time.monotonic() + (LEAVING_S if self.is_over else ENDING_S)
        for child in self.children.values():
            child.close(by_s - time.monotonic())
        for log in self._logs.values():
            log.close()

    def stage_of(self, label: str) -> str:
        return self._starts[label].member.stage

    def tell_settings(self, told: dict[str, Settings]) -> None:
        self._told = told
        for label in told:
            self._tell_settings(label)

    def opened(self, label: str, name: str | None) -> bool:
        """A capture has opened its source; returns whether it had done so in an earlier life."""
        is_again = label in self._kept
        self._kept.setdefault(label, {"opened_s": time.monotonic(), "opened_as": name})
        return is_again

    def serves_page(self, label: str, port: int) -> None:
        """The browsers that look at it find the next life of render at the same port."""
        self._kept[label] = {"web_port": port}

    def note_restarts(self, restarts: dict[str, int]) -> None:
        """Tell render, for whoever looks, how often the processes of each stage were started again."""
        if restarts != self._restarts:
            self._restarts = restarts
            for label in self._starts:
                self._tell_restarts(label)

    def _tell_restarts(self, label: str) -> None:
        if self._starts[label].member.stage == "render":
            self.tell(label, {"do": "restarts", "stages": self._restarts})

    def tell_gone(self, label: str, cause: str) -> None:
        """Tell every capture here that a worker's process is gone; those elsewhere hear of it from its next life."""
        self._ended[label].append([self._incarnations[label], cause])
        member = self._starts[label].member
        host = self._told[label].host if label in self._told else socket.gethostname()
        gone = {"stage": member.stage, "host": host, "replica": member.replica, "cause": cause}
        for other, start in self._starts.items():
            if start.member.stage == "capture":
                self.tell(other, {"do": "gone", **gone, "incarnation": self._incarnations[label]})

    def _tell_settings(self, label: str) -> None:
        now = {"incarnation": self._incarnations[label], "life": self._lives[label], "ended": list(self._ended[label])}
        self.tell(label, replace(self._told[label], **now, **self._kept.get(label, {})).to_json())


@contextmanager
def _signals_into(events: SimpleQueue[Event | Said]) -> Iterator[None]:
    # A hang-up is ignored where the shell said so (nohup); an interrupt counts even for a script's background job.
    heard = [n for n in SIGNALS if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]
    # Putting into a SimpleQueue is safe in a handler, which may interrupt the very call that takes from it.
    before = {number: signal.signal(number, lambda n, _: events.put(StopAsked(128 + n))) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _crew(starts: list[Start], logs: Path, events: SimpleQueue[Event | Said]) -> Iterator[_Crew]:
    """The processes while they run; none is left afterwards, whatever happens."""
    crew = _Crew(starts, logs, events)
    try:
        for start in starts:
            crew.start(start.member.label)
        yield crew
    finally:
        crew.end()


def _next_event(events: SimpleQueue[Event | Said], outcome: Outcome, view: RunView, crew: _Crew) -> Event:
    """The next event for the supervision; what is said to others goes to them."""
    try:
        event = events.get(timeout=TICK_S)
    except Empty:
        return Tick()
    match event:
        case Said(label, "ready"):
            return Ready(label)
        case Said(label, "quit"):
            return StopAsked(DONE)
        case Said(label, "heartbeat", finished):
            return StageHeartbeat(label, finished)
        case Said(label, "position", place):
            return Position(label, place)
        case Said(label, "page", port):
            crew.serves_page(label, port)
            return StageHeartbeat(label)
        case Said(label):
            if event.kind == "opened" and crew.opened(label, event.what.get("source")):
                return StageHeartbeat(label)  # The person knows what is read.
            _note(event, outcome, view)
            return StageHeartbeat(label)
    return event


def _note(said: Said, outcome: Outcome, view: RunView) -> None:
    match said.kind:
        case "opened":
            view.opened(said.what)
        case "say":
            view.say(said.what)
        case "progress":
            outcome.progress[said.label] = said.what
            view.progress(said.label, said.what)
        case "report":
            outcome.reports[said.label] = said.what


def _do(action: Action, crew: _Crew, view: RunView) -> None:
    match action:
        case TellStop(label):
            crew.tell(label, {"do": "stop"})
        case Terminate(label) if child := crew.children.get(label):
            child.terminate()
        case Kill(label) if child := crew.children.get(label):
            child.kill()
        case StartAgain(label):
            view.started_again(label, crew.stage_of(label))
            crew.start_again(label)
        case ReportExit(label, cause):
            crew.tell_gone(label, cause)
        case Say(sentence):
            view.say(sentence)
