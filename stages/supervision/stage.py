"""The stage's side of the pipe to its launcher: how a launched stage speaks, is stopped and ends.

The launcher's lines come on the standard input: first the settings, then messages of `stages.protocol.control`; the
end of the input means that it is gone. The stage's messages go to its standard output. Beside the standard library only
msgspec is imported at the top: every stage process pays for what stands there.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

from ..config.settings import Settings
from ..exit_status import ExitStatus
from ..protocol.control import (
    Failed,
    FinalReport,
    FromStage,
    PageServed,
    Position,
    Progress,
    Quit,
    Ready,
    Refused,
    Restarts,
    Say,
    SettingsChanged,
    SourceOpened,
    StageHeartbeat,
    Stop,
    Waiting,
    WorkerExit,
    decode,
    encode,
)
from ..protocol.stats import CaptureReport, RenderReport

HEARTBEAT_S = 0.25
ORPHAN_S = 2.0  # what a stage may still do when its launcher is gone

_log = logging.getLogger(__name__)


class ControlChannel:
    """What a stage says to whoever started it, and whether it has been asked to stop."""

    def __init__(self, send: Callable[[FromStage], None]):
        """`send` hands a message to whoever started the stage."""
        self.stop_requested = False
        self.leave_requested = False  # of a capture: to stop, and to leave its source to the next one
        self.is_ready = False
        self.restarts: dict[str, int] = {}  # how often processes of this machine were started again, by stage
        self._send = send
        self._has_quit = False
        self._exits: deque[WorkerExit] = deque()  # filled by the thread that listens
        self._settings: Settings | None = None  # by the same
        self._lock = threading.Lock()
        self._finished = 0
        self._heartbeat_due_s = 0.0

    def ready(self) -> None:
        """Model and source are open, the sockets stand."""
        self.is_ready = True
        self.heartbeat()
        self._tell(Ready())
        _log.info("ready")

    def heartbeat(self) -> None:
        """The work loop is alive: to be called from it at least every 0.5 s, as often as is handy."""
        now_s = time.monotonic()
        if now_s >= self._heartbeat_due_s:
            self._heartbeat_due_s = now_s + HEARTBEAT_S
            self._tell(StageHeartbeat(self._finished))

    def finished(self, tasks: int = 1) -> None:
        """Tasks are finished: the next heartbeat says so. For capture and render: more is acknowledged."""
        self._finished += tasks

    def report_position(self, place: str) -> None:
        """Say what is being worked at, before it is: should this process not survive it, that is where it was."""
        self._tell(Position(place))

    def gone(self) -> Iterator[WorkerExit]:
        """What the launcher has said of workers' processes that have ended, each once."""
        while self._exits:
            yield self._exits.popleft()

    def changed_settings(self) -> Settings | None:
        """The settings, if the launcher has changed them since this was asked last: other sources are read now."""
        changed, self._settings = self._settings, None
        return changed

    def run_with_heartbeat(self, work: Callable[[], object]) -> object:
        """Do what may take long and cannot send heartbeats itself, such as closing a large file; raises what it
        raises."""
        from concurrent.futures import ThreadPoolExecutor, wait  # Only render needs it, once or twice in a run.

        with ThreadPoolExecutor(1) as aside:
            done = aside.submit(work)
            while not wait([done], HEARTBEAT_S).done:
                self.heartbeat()
            return done.result()

    def opened(
        self, source: str, description: str, chosen: str | None = None, frames: int | None = None, live: bool = False
    ) -> None:
        """Capture has opened its source; `chosen`: why this one, `frames`: how many there are, if that is known."""
        self._tell(SourceOpened(source, description, chosen, frames, live))
        _log.info("opened %s: %s", source, description)

    def page(self, port: int) -> None:
        """Render serves its page at this port, and is to have it again in its next life."""
        self._tell(PageServed(port))

    def say(self, sentence: str) -> None:
        """Tell the person who started the run."""
        self._tell(Say(sentence))

    def progress(self, report: CaptureReport | RenderReport) -> None:
        """Where the work is: for the live line, and the account so far."""
        self._tell(Progress(report))

    def report(self, report: CaptureReport | RenderReport) -> None:
        """The stage's part of the account of the run: its last word."""
        self._tell(FinalReport(report))

    def waiting(self, sentence: str, report: RenderReport) -> None:
        """Everything is written, and a person still looks at it; `sentence` says what the run waits for."""
        self._tell(Waiting(sentence, report))

    def quit(self) -> None:
        """The person has asked to end the run, in the window; may be repeated."""
        if not self._has_quit:
            self._has_quit = True
            self._tell(Quit())

    def refused(self, sentence: str) -> None:
        """The stage cannot work with what it was told."""
        self._tell(Refused(sentence))

    def failed(self, sentence: str) -> None:
        """The stage cannot go on."""
        self._tell(Failed(sentence))

    def hear(self, line: bytes) -> None:
        """Take a message of the launcher; raises `ValueError` for a line that is none."""
        match decode(line):
            case Stop(leave):
                _log.info("asked to leave" if leave else "asked to stop")
                self.leave_requested |= leave
                self.stop_requested = True
            case Restarts(by_stage):
                self.restarts = by_stage
            case WorkerExit() as ended:
                self._exits.append(ended)
            case SettingsChanged(settings):
                self._settings = Settings.from_json(settings)

    def _tell(self, message: FromStage) -> None:
        with self._lock:
            self._send(message)


def launched() -> tuple[ControlChannel, Settings] | None:
    """Connect this process to its launcher, and take its settings from it; None where that is gone already.

    From now on the process ends with its launcher, and what libraries print goes to the log, with the standard error.
    """
    _die_with_the_launcher()
    said = _take_over_stdout()

    def send(message: FromStage) -> None:
        try:
            said.write(encode(message).decode())
            said.flush()
        except (BrokenPipeError, ValueError):
            control.stop_requested = True  # The launcher is gone, and nobody is left to be told.

    control, settings = ControlChannel(send), sys.stdin.buffer.readline()
    if not settings:
        return None
    threading.Thread(target=_listen, args=(control,), daemon=True).start()
    return control, Settings.from_json(json.loads(settings))


def _take_over_stdout() -> TextIO:
    """Keep the standard output for the launcher; what libraries print goes to the log, with the standard error."""
    sys.stdout.flush()
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    said.write("\n")  # Ends a line that a library has begun while it was imported.
    said.flush()
    return said


def _listen(control: ControlChannel) -> None:
    """Hear the launcher until it is gone; then see to it that this process ends."""
    for line in sys.stdin.buffer:
        control.hear(line)
    control.stop_requested = True
    time.sleep(ORPHAN_S)
    os._exit(ExitStatus.FAILED)


def _die_with_the_launcher() -> None:
    """Ask Linux to kill this process with its launcher: one that is stopped or hangs hears nothing else."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        # Best effort: where it is not allowed, the end of the standard input is still heard.
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
