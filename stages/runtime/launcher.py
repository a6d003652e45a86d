"""Starts the stage processes of a run, watches over them, and sees to it that none is left."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from stages.core.supervision import (
    DONE,
    Action,
    Beat,
    Event,
    Kill,
    Ready,
    StopAsked,
    Supervision,
    TellStop,
    Terminate,
    Tick,
)
from stages.runtime.child import Child, Said, Start

TICK_S = 0.1
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class View(Protocol):
    """Who shows a run to the person who started it."""

    def opened(self, source: dict) -> None:
        """A capture has opened its source."""

    def say(self, sentence: str) -> None:
        """A stage has something to tell."""

    def progress(self, label: str, progress: dict) -> None:
        """Where a stage is."""


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    status: int  # 0 done; 1 failed; 2 refused; 130, 143: stopped by a signal
    sentence: str | None  # what went wrong
    reports: dict[str, dict] = field(default_factory=dict)  # what each process said at its end, by label
    progress: dict[str, dict] = field(default_factory=dict)  # what it said last about where it is


def launch(
    starts: list[Start],
    settings: Callable[[], dict[str, dict]],
    logs: Path,
    view: View,
    *,
    once: bool = False,
    ends_with: str = "capture",
    seconds: float | None = None,
) -> Outcome:
    """Run these processes to their end; `settings` gives what each is told, by label.

    `settings` is called when the processes are starting already: they import their libraries meanwhile. What it raises
    ends them. `once`: workers may end by themselves; `ends_with`: the stage whose end is that of the run here;
    `seconds`: so long after all were ready the run is ended.
    To be called from the main thread: signals come to it, and Linux ends a process with the thread that started it.
    """
    events: SimpleQueue[Event | Said] = SimpleQueue()
    with _signals_into(events), _children(starts, logs, events) as children:
        for label, told in settings().items():
            children[label].tell(told)
        supervision = Supervision([start.member for start in starts], time.monotonic(), once, ends_with, seconds)
        outcome = Outcome(DONE, None)
        while not supervision.is_over:
            event = _next_event(events, outcome, view)
            for action in supervision.step(event, time.monotonic()):
                _do(action, children)
        outcome.status, outcome.sentence = supervision.status, supervision.sentence
        return outcome


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
def _children(starts: list[Start], logs: Path, events: SimpleQueue[Event | Said]) -> Iterator[dict[str, Child]]:
    """The processes while they run; none is left afterwards, whatever happens."""
    children: dict[str, Child] = {}
    try:
        for start in starts:
            children[start.member.label] = Child(start, logs / f"{start.member.label}.log", events)
        yield children
    finally:
        for child in children.values():
            child.kill()
        for child in children.values():
            child.close()


def _next_event(events: SimpleQueue[Event | Said], outcome: Outcome, view: View) -> Event:
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
        case Said(label):
            _note(event, outcome, view)
            return Beat(label)
    return event


def _note(said: Said, outcome: Outcome, view: View) -> None:
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


def _do(action: Action, children: dict[str, Child]) -> None:
    match action:
        case TellStop(label):
            children[label].tell({"do": "stop"})
        case Terminate(label):
            children[label].terminate()
        case Kill(label):
            children[label].kill()
