"""Tiny stages, written as programs, and a launcher for them, run as a program too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from stages.config.schema import Pipeline
from stages.config.settings import Settings, SourceSettings
from stages.protocol.control import SourceOpened
from stages.protocol.stats import CaptureReport, RenderReport
from stages.supervision.child import Start
from stages.supervision.events import Member
from stages.supervision.launcher import Outcome, launch
from tests.conftest import PROJECT

HEAD = """
import os, signal, subprocess, sys, time
from stages.errors import FacepipeError
from stages.supervision import stage as process
from stages.program import run_stage
from stages.protocol.stats import CaptureReport, RenderReport, SourceReport
from tests.conftest import PROJECT

def serve(control):
    while not control.stop_requested:
        control.heartbeat()
        time.sleep(0.01)
"""
TAIL = """
run_stage(main)
"""

SERVES = """
def main(settings, control):
    control.ready()
    serve(control)
    control.report(RenderReport(notes=[settings.stage]))
"""
CAPTURES = """
def main(settings, control):
    control.opened("clip.mp4", "3 frames")
    control.ready()
    control.progress(CaptureReport(source="clip.mp4", captured=2))
    control.report(CaptureReport(source="clip.mp4", captured=3))
"""
DEAF = """
def main(settings, control):
    control.ready()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        control.heartbeat()
        time.sleep(0.01)
"""


def settings(stage: str) -> Settings:
    """What a stage is told, as far as these stages look at it."""
    source = SourceSettings("clip.mp4", None, False)
    return Settings(stage, 0, Pipeline(), "ipc:///r", ("ipc:///c",), (source,), {}, {}, "/out")


def program(folder: Path, name: str, body: str) -> Path:
    """A stage as a file."""
    path = folder / f"{name}.py"
    path.write_text(HEAD + body + TAIL)
    return path


def start(path: Path, hang_s: float = 30.0) -> Start:
    return Start(Member(path.stem, path.stem.partition("-")[0], hang_s), (sys.executable, str(path), "--launched"))


class Seen:
    """A view that remembers, and at a certain word does something."""

    def __init__(self, **at):
        self.said: list[str] = []
        self.sources: list[SourceOpened] = []
        self.again: list[tuple[str, str]] = []
        self.reports: dict[str, CaptureReport | RenderReport] = {}  # the newest of each process
        self._at = at

    def opened(self, source: SourceOpened) -> None:
        self.sources.append(source)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)
        if sentence in self._at:
            self._at[sentence]()

    def heard(self, label: str, is_ready: bool) -> None:
        pass

    def ended(self, label: str) -> None:
        pass

    def progress(self, label: str, report: CaptureReport | RenderReport) -> None:
        self.reports[label] = report

    def started_again(self, label: str, stage: str) -> None:
        self.again.append((label, stage))


def run(folder: Path, view: Seen | None = None, *, hang_s: float = 30.0, waiting=None, **stages: str) -> Outcome:
    """Launch stages given by their bodies, in this process; none of them may be left."""
    more = {"waiting": waiting} if waiting else {}
    starts = [start(program(folder, name.replace("_", "-"), body), hang_s) for name, body in stages.items()]
    told = {s.member.label: settings(s.member.stage) for s in starts}
    with none_left():
        return launch(starts, lambda: told, folder, view or Seen(), **more)


@contextmanager
def none_left() -> Iterator[None]:
    """No process is left that was not there before: other tests of this process may have some, as Keras has workers."""
    before = set(psutil.Process().children(recursive=True))
    try:
        yield
    finally:
        left = set(psutil.Process().children(recursive=True)) - before
        assert not left, f"left behind: {left}"


LAUNCHER = """
import sys
from pathlib import Path
from tests.supervision.stages_for_tests import Seen, settings, start
from stages.supervision.launcher import launch

class Printing(Seen):
    def say(self, sentence):
        print(sentence, flush=True)

starts = [start(Path(path)) for path in sys.argv[2:]]
told = {s.member.label: settings(s.member.stage) for s in starts}
outcome = launch(starts, lambda: told, Path(sys.argv[1]), Printing())
print(outcome.sentence, flush=True)
sys.exit(outcome.status)
"""


class LauncherProcess:
    """A launcher as a process of its own, for what cannot be done to the one that runs the tests."""

    def __init__(self, folder: Path, *wrapper: str, **stages: str):
        """`wrapper`: a command that runs the launcher's."""
        script = folder / "launcher_for_test.py"
        script.write_text(LAUNCHER)
        paths = [str(program(folder, name.replace("_", "-"), body)) for name, body in stages.items()]
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, str(script), str(folder), *paths],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )

    def wait_for(self, *sentences: str) -> None:
        """Wait until the stages have said all of these, in any order."""
        missing = set(sentences)
        while missing:
            line = self.process.stdout.readline()
            assert line, f"the launcher ended before {missing} was said"
            missing.discard(line.strip())

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for its end: exit status and the last line that it printed."""
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, (out.strip().splitlines() or [""])[-1]
