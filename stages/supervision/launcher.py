"""Starts the stage processes of a run, watches over them, and sees to it that none is left."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from ..config.settings import Settings
from ..exit_status import ExitStatus, after_signal
from ..protocol.control import FinalReport, PageServed, Progress, Ready, Say, SourceOpened, Stop, Waiting
from ..protocol.stats import CaptureReport, RenderReport
from .child import Start
from .children import Children, children
from .events import (
    Action,
    Announce,
    Event,
    Kill,
    ReportExit,
    SourceEnded,
    SourceIsThere,
    StageMessage,
    StartAgain,
    StopAsked,
    TellStop,
    Terminate,
    Tick,
)
from .policy import Phase, Supervision
from .run_sources import Admission, Remark, Request, RunSources

TICK_S = 0.1
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class RunView(Protocol):
    """Who shows a run to the person who started it."""

    def opened(self, source: SourceOpened) -> None:
        """A capture has opened its source."""

    def say(self, sentence: str) -> None:
        """A stage has something to tell."""

    def heard(self, label: str, is_ready: bool) -> None:
        """A process has given a sign of life; `is_ready`: it says that its model or source is open."""

    def progress(self, label: str, report: CaptureReport | RenderReport) -> None:
        """Where a process is: capture or render."""

    def started_again(self, label: str, stage: str) -> None:
        """A process that has ended is started again; its progress begins anew."""

    def ended(self, label: str) -> None:
        """A capture has ended for good, and the run goes on: its source was removed, or cannot be read."""

    def delivered(self, report: dict[str, dict]) -> None:
        """What has become of the events that are sent, by destination: `sent`, `refused`, `connected`."""


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    status: int  # an `ExitStatus`, or that of another signal
    sentence: str | None  # what went wrong
    # What each process reported last, by label and life: a life that was killed has at least said where it was.
    reports: dict[str, dict[int, CaptureReport | RenderReport]] = field(default_factory=dict)
    waited: bool = False  # when all was written, for a person who looked at it: `waiting` was called
    stopped: bool = False  # by a person, before the sources had ended
    stopped_s: float | None = None  # when the person asked for it, by the monotonic clock
    restarts: dict[str, int] = field(default_factory=dict)  # how often a process was started again, by stage
    failures: dict[str, str] = field(default_factory=dict)  # why sources ended before the others, by name


def launch(
    starts: list[Start],
    settings: Callable[[], dict[str, Settings]],
    logs: Path,
    view: RunView,
    *,
    once: bool = False,
    ends_with: str = "capture",
    seconds: float | None = None,
    leaves: bool = False,
    waiting: Callable[[str, Outcome], None] = lambda sentence, so_far: None,
    admission: Admission | None = None,
    requests: Callable[[Callable[[Request | Remark], None]], AbstractContextManager] | None = None,
) -> Outcome:
    """Run these processes to their end; `settings` gives what each is told, by label.

    `settings` is called when the processes are starting already: they import their libraries meanwhile. What it raises
    ends them. `logs`: the folder of their logs, as a person is told it; `once`: workers may end by themselves;
    `ends_with`: the stage whose end is that of the run here; `seconds`: so long after all were ready the run is ended;
    `leaves`: after SIGTERM the run goes on elsewhere, and captures leave their sources to the next ones;
    `waiting`: called once when all is written and the run stays for a person, with the sentence that says so and the
    outcome so far; `admission`: whether a source may be added while the run goes on; `requests`: hears, within the
    context that it returns, what a person asks of the sources, and hands it to what it is given, from any thread.
    To be called from the main thread: signals come to it, and Linux ends a process with the thread that started it.
    """
    events: SimpleQueue[Event | Request | Remark] = SimpleQueue()
    with _signals_into(events), children(starts, logs, events) as processes:
        for sentence in processes.log_troubles():
            view.say(sentence)
        told = settings()
        processes.tell_settings(told)
        members = [start.member for start in starts]
        supervision = Supervision(members, time.monotonic(), once, ends_with, seconds, leaves)
        outcome = Outcome(ExitStatus.DONE, None)
        sources = RunSources(told, admission)
        with requests(events.put) if requests else nullcontext():
            _watch(supervision, events, processes, sources, view, outcome, waiting)
        processes.is_over = True
    outcome.status, outcome.sentence = supervision.status, supervision.sentence
    outcome.stopped, outcome.stopped_s = supervision.stop_asked, supervision.stop_asked_s
    outcome.restarts, outcome.failures = dict(supervision.restarts), sources.failures
    return outcome


def _watch(
    supervision: Supervision,
    events: SimpleQueue[Event | Request | Remark],
    processes: Children,
    sources: RunSources,
    view: RunView,
    outcome: Outcome,
    waiting: Callable[[str, Outcome], None],
) -> None:
    """Do what the supervision decides until it is over, and note the reports of the processes in `outcome`."""
    while not supervision.is_over:
        try:
            event = events.get(timeout=TICK_S)
        except Empty:
            event = Tick()
        match event:
            case Remark(sentence):
                view.say(sentence.rstrip("."))
                event = Tick()
            case Request():
                event = _asked(event, supervision, processes, sources, outcome) or Tick()
            case StageMessage(label, Progress(report) | FinalReport(report) | Waiting(report=report)):
                outcome.reports.setdefault(label, {})[processes.life_of(label)] = report
        if isinstance(event, StageMessage):
            _show(event, processes, view)
            if isinstance(event.message, Waiting) and not outcome.waited:  # Another life of render may have said it.
                outcome.restarts = dict(supervision.restarts)
                waiting(event.message.sentence, outcome)
                outcome.waited = True
        for action in supervision.step(event, time.monotonic()):
            _do(action, processes, sources, view)
        processes.note_restarts(dict(supervision.restarts))
        processes.tell_on()


def _show(said: StageMessage, processes: Children, view: RunView) -> None:
    """Tell the person, and the later lives of the process, what is theirs to know."""
    view.heard(said.label, isinstance(said.message, Ready))
    match said.message:
        case Say(sentence):
            view.say(sentence)
        case Progress(report) | FinalReport(report):  # A source that is finished has all of its frames.
            view.progress(said.label, report)
        case SourceOpened(source=name) as opened if processes.settings_of(said.label).opened_s is None:
            processes.keep(said.label, opened_s=time.monotonic(), opened_as=name)
            view.opened(opened)
        case PageServed(port):
            # The browsers that look at it find the next life of render at the same port.
            processes.keep(said.label, web_port=port)


def _asked(
    request: Request, supervision: Supervision, processes: Children, sources: RunSources, outcome: Outcome
) -> Event | None:
    if supervision.phase > Phase.RUNNING:
        sources.refuse(request)
        return None
    return sources.asked(request, processes.add, outcome.reports)


def _do(action: Action, processes: Children, sources: RunSources, view: RunView) -> None:
    match action:
        case TellStop(label, leave):
            processes.tell(label, Stop(leave))
        case Terminate(label):
            processes.terminate(label)
        case Kill(label):
            processes.kill(label)
        case StartAgain(label):
            view.started_again(label, processes.stage_of(label))
            processes.start_again(label)
        case ReportExit(label, cause):
            processes.tell_exit(label, cause)
        case SourceIsThere(label, is_away):
            processes.change_sources(**sources.is_there(label, is_away))
        case SourceEnded(label, failure, was_refused, is_complete):
            processes.forget(label, failure if was_refused else None)
            view.ended(label)
            if was_refused:
                sources.was_refused(label, failure)
            else:
                processes.change_sources(**sources.ended(label, failure, is_complete))
        case Announce(sentence):
            view.say(sentence)


@contextmanager
def _signals_into(events: SimpleQueue[Event]) -> Iterator[None]:
    # A hang-up is ignored where the shell said so (nohup); an interrupt counts even for a script's background job.
    heard = [n for n in SIGNALS if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]
    # Putting into a SimpleQueue is safe in a handler, which may interrupt the very call that takes from it.
    before = {number: signal.signal(number, lambda n, _: events.put(StopAsked(after_signal(n)))) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
