"""The launcher's side of the process that sends events: it is started, heard, started again, and given time to finish.

Whatever a broker or server does to that process, the run does not notice: nothing here waits for it, but for `finish`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import reason
from ..exit_status import ExitStatus
from ..project import IMPORT_ROOT
from .endpoints import Endpoints

AGAIN_S = 1.0  # before a process that has ended is started again
LEAVING_S = 0.5  # for its last words, when its time is over

Report = dict[str, dict]  # destination -> sent, refused, connected; at the end also waiting


class ConnectProcess:
    """The process that sends the events of one run."""

    def __init__(
        self,
        folder: Path,
        run: str,
        endpoints: Endpoints,
        say: Callable[[str], None],
        tell: Callable[[Report], None] = lambda report: None,
    ):
        """Start it. `say` is told what a person should know, `tell` what has become of the events, at every change."""
        self.report: Report = {}
        self._say, self._tell = say, tell
        # On its input and not on its command line, which every user of the machine can read.
        told = {"folder": str(folder), "run": run, "endpoints": endpoints.to_json()}
        self._told = json.dumps(told).encode() + b"\n"
        self._process: subprocess.Popen | None = None
        self._is_over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def finish(self, within_s: float) -> Report:
        """Give it time to send what is left, and return what has become of the events."""
        self._is_over.set()
        if (process := self._process) is not None:
            with contextlib.suppress(OSError, ValueError):  # It has ended.
                process.stdin.write(json.dumps({"finish": within_s}).encode() + b"\n")
                process.stdin.flush()
            self._watching.join(within_s + LEAVING_S)
        return self.report

    def close(self) -> None:
        """End it at once."""
        self._is_over.set()
        if (process := self._process) is not None:
            process.kill()
        self._watching.join()

    def _watch(self) -> None:
        """Run it until the end of the run, however often it ends before."""
        while not self._is_over.is_set():
            status = self._run()
            if self._is_over.is_set() or status == ExitStatus.REFUSED:
                return
            self._say("the process that sends events has ended; it is started again, and no event is lost.")
            self._is_over.wait(AGAIN_S)

    def _run(self) -> int:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __package__, "--launched"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, (str(IMPORT_ROOT), os.environ.get("PYTHONPATH")))),
                },
                start_new_session=True,  # Ctrl-C is for the launcher.
            )
        except OSError as error:
            self._say(f"the process that sends events cannot be started: {reason(error)}.")
            return ExitStatus.FAILED
        with self._process as process:
            with contextlib.suppress(OSError):
                process.stdin.write(self._told)
                process.stdin.flush()
            for line in process.stdout:
                self._hear(line)
            return process.wait()

    def _hear(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # A library that prints.
        match said:
            case {"say": sentence}:
                self._say(sentence)
            case {"report": report} if report != self.report:
                self.report = report
                self._tell(report)


@contextmanager
def connected(*arguments, **options) -> Iterator[ConnectProcess]:
    """A `ConnectProcess` with these arguments, which is ended in any case."""
    process = ConnectProcess(*arguments, **options)
    try:
        yield process
    finally:
        process.close()
