"""The launcher's side of the pipe to one stage process: starting it, hearing it, telling it to stop, ending it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from queue import SimpleQueue

from ..errors import FacepipeError
from ..project import IMPORT_ROOT, PACKAGE
from ..protocol.control import Failed, Refused, decode
from .events import Exited, Member, StageMessage
from .stage_log import StageLog

STAGE_MODULES = ("capture", "detect", "gender", "emotion", "age", "render")
LINE_BYTES = 64_000_000  # a report names every file that could not be read; a longer line is none of ours
PIPE_BYTES = 65_536  # handed over at once
PATIENCE_S, KILLED_PATIENCE_S = 1.0, 0.1  # for the last lines of a process that has ended
# glibc gives the memory of every large picture back to the system and asks for it anew, page by page, and keeps a heap
# for each thread. Kept in one heap a frame takes 16.4 ms of processor time rather than 17.6.
MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "268435456"}


@dataclass(frozen=True, slots=True)
class Start:
    """How one process of the run is started."""

    member: Member
    command: tuple[str, ...]


class CannotStart(FacepipeError):
    """This machine has no room for another process."""


class Child:
    """A running stage process; what it says and its end are put into a queue."""

    def __init__(self, start: Start, log: StageLog, events: SimpleQueue[StageMessage | Exited]):
        """`log`: that of its former lives too. Raises `OSError` where the process cannot be started."""
        self.label = start.member.label
        self._log, self._events = log, events
        self._last_sentence: str | None = None
        self._untold = bytearray()
        self._is_killed = False
        self._log_from = log.size
        self._process = subprocess.Popen(
            start.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.descriptor,
            env=_environment(),
            start_new_session=True,  # Ctrl-C in the terminal reaches the launcher alone.
        )
        if os.name == "posix":
            os.set_blocking(self._process.stdin.fileno(), False)
        self._hearing = threading.Thread(target=self._hear, daemon=True)
        self._waiting = threading.Thread(target=self._wait, daemon=True)
        try:
            self._hearing.start()
            self._waiting.start()
        except RuntimeError as error:  # "can't start new thread": memory or processes are used up.
            self.kill()
            with self._process:  # It is waited for, and its pipes are closed.
                pass
            raise OSError(errno.EAGAIN, str(error)) from None

    def tell(self, line: bytes) -> None:
        """Send one line to the stage, as soon as it reads."""
        self._untold += line
        self.tell_on()

    def tell_on(self) -> None:
        """Hand over what has not been told yet, as far as the stage takes it now; nobody waits for a stage."""
        try:
            while self._untold:
                del self._untold[: os.write(self._process.stdin.fileno(), self._untold[:PIPE_BYTES])]
        except BlockingIOError:
            pass  # Its pipe is full; the rest is told when it has read.
        except (OSError, ValueError):
            self._untold.clear()  # A stage that is gone, or has closed its ear, is noticed by its end.

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL, with what it has started itself."""
        self._is_killed = True
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def close(self, within_s: float) -> None:
        """Wait for the end of a process that was killed, and give back what it held here.

        One that waits for a broken device may not have ended by then.
        """
        self._waiting.join(max(0.0, within_s))
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # It has ended: macOS calls that forbidden.
            if self._process.returncode is None:
                if sys.platform == "win32":
                    self._process.terminate()
                else:
                    os.killpg(self._process.pid, number)  # With what it may have started itself.

    def _wait(self) -> None:
        status = self._process.wait()
        words = None
        try:
            # Its last lines are still in the pipe. A process that it left behind may hold the other end and is not
            # waited for.
            patience_s = KILLED_PATIENCE_S if self._is_killed else PATIENCE_S
            self._hearing.join(patience_s)
            self._log.end_writing(patience_s)
            words = self._log.last_words(self._log_from) if not self._is_killed else None
        finally:  # Whatever becomes of its log, its end is heard.
            self._events.put(Exited(self.label, status, self._last_sentence, words, self._log.path))

    def _hear(self) -> None:
        with self._process.stdout as stdout:
            while line := stdout.readline(LINE_BYTES):
                try:
                    message = decode(line)
                except ValueError:
                    # A library that prints. An empty line is how a stage begins to speak.
                    if words := line.lstrip(b"\n"):
                        self._log.write(words)
                    continue
                if isinstance(message, Refused | Failed):
                    self._last_sentence = message.sentence
                self._events.put(StageMessage(self.label, message))


def stage_command(stage: str, *options: str) -> tuple[str, ...]:
    """The program of a stage; one that is not part of the project is an attribute stage of the user's own."""
    module = stage if stage in STAGE_MODULES else "attribute"
    # -P: a stages/ or numpy.py in the current folder must not be taken for ours.
    return (sys.executable, "-P", "-m", f"{PACKAGE}.{module}", "--launched", *options)


def _environment() -> dict[str, str]:
    paths = [str(IMPORT_ROOT), os.environ.get("PYTHONPATH", "")]
    # One thread a process: the processes are what runs in parallel, and answers must not depend on threads.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**MEMORY, **os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUTF8": "1"}
