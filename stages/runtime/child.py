"""The launcher's side of the pipe to one stage process: starting it, hearing it, telling it to stop, ending it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from stages.core.supervision import Exited, Member
from stages.runtime.output_folder import close_log, open_log

PROJECT = Path(__file__).resolve().parents[2]
STAGE_MODULES = ("capture", "detect", "gender", "emotion", "age", "render")
LINE_BYTES = 64_000_000  # a report names every file that could not be read; a longer line is none of ours
ENDING_S = 5.0  # what a killed process may take to end: one that waits for a broken device never does
LAST_WORDS_BYTES = 8192  # of the log, in which the last words are looked for
LAST_WORDS_CHARACTERS = 300
CHATTER = re.compile(r"(INFO|WARNING|[IW]\d{4})\b")  # LiteRT's and TensorFlow's, which is never the reason
# glibc gives the memory of every large picture back to the system and asks for it anew, page by page, and keeps a heap
# for each thread. Kept in one heap a frame takes 16.4 ms of processor time rather than 17.6.
MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "268435456"}
KINDS = {
    "ready": bool,
    "beat": int,
    "at": str,
    "opened": dict,
    "page": int,
    "say": str,
    "progress": dict,
    "quit": bool,
    "refused": str,
    "failed": str,
    "report": dict,
}


@dataclass(frozen=True, slots=True)
class Start:
    """How one process of the run is started."""

    member: Member
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One line that a stage has said to its launcher."""

    label: str
    kind: str  # one of KINDS
    what: object


class Child:
    """A running stage process; what it says and its end are put into a queue."""

    def __init__(self, start: Start, log: Path, events: SimpleQueue[Said | Exited], again: bool = False):
        """`again`: the log of its former lives is kept."""
        self.label = start.member.label
        self.log = log
        self._events = events
        self._last_sentence: str | None = None
        # Appended to by everybody who writes: the stage, its libraries, and we.
        self._log = open_log(log, again)
        self._log_from = os.fstat(self._log).st_size
        self._process = subprocess.Popen(
            start.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=_environment(),
            start_new_session=True,  # Ctrl-C in the terminal reaches the launcher alone.
        )
        self._hearing = threading.Thread(target=self._hear, daemon=True)
        self._hearing.start()
        self._waiting = threading.Thread(target=self._wait, daemon=True)
        self._waiting.start()

    def tell(self, what: dict) -> None:
        """Say one line to the stage."""
        # A stage that is gone, or has closed its ear, is noticed by its end.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(json.dumps(what).encode() + b"\n")
            self._process.stdin.flush()

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def close(self) -> None:
        """Wait for the end of a process that was killed, and give back what it held here."""
        self._waiting.join(ENDING_S)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if not self._hearing.is_alive():  # A process that it left behind may still hold the pipe, and we its log.
            close_log(self.log, self._log)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process.returncode is None:
                if sys.platform == "win32":
                    self._process.terminate()
                else:
                    os.killpg(self._process.pid, number)  # With what it may have started itself.

    def _wait(self) -> None:
        status = self._process.wait()
        # Its last lines are still in the pipe. A process that it left behind may hold the other end: not waited for.
        self._hearing.join(timeout=1.0)
        words = last_words(self.log, self._log_from)
        self._events.put(Exited(self.label, status, self._last_sentence, words, str(self.log)))

    def _hear(self) -> None:
        with self._process.stdout as stdout:
            while line := stdout.readline(LINE_BYTES):
                said = _parse(self.label, line)
                if said is None:
                    # A library that prints. An empty line is how a stage begins to speak.
                    os.write(self._log, line.lstrip(b"\n"))
                    continue
                if said.kind in ("refused", "failed"):
                    self._last_sentence = said.what
                self._events.put(said)


def last_words(log: Path, since: int = 0) -> str | None:
    """The line of a log, from byte `since` on, that says best why its process has ended, if there is one."""
    with log.open("rb") as opened:
        opened.seek(max(since, log.stat().st_size - LAST_WORDS_BYTES))
        lines = opened.read().decode(errors="replace").splitlines()
    crash = next((line for line in lines if line.startswith("Fatal Python error")), None)
    # The last line of a traceback is its reason; those that are indented say where.
    spoken = [line.strip() for line in lines if line.strip() and not line[0].isspace() and not CHATTER.match(line)]
    words = crash or (spoken[-1] if spoken else None)
    return words and words[:LAST_WORDS_CHARACTERS].rstrip(".")


def stage_command(stage: str) -> tuple[str, ...]:
    """The program of a stage; one that is not part of the project is an attribute stage of the user's own."""
    module = stage if stage in STAGE_MODULES else "attribute"
    # -P: a stages/ or numpy.py in the current folder must not be taken for ours.
    return (sys.executable, "-P", "-m", f"stages.{module}", "--launched")


def _environment() -> dict[str, str]:
    paths = [str(PROJECT), os.environ.get("PYTHONPATH", "")]
    # One thread a process: the processes are what runs in parallel, and answers must not depend on threads.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**MEMORY, **os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUTF8": "1"}


def _parse(label: str, line: bytes) -> Said | None:
    try:
        [(kind, what)] = json.loads(line).items()
    except (ValueError, AttributeError, RecursionError):
        return None
    return Said(label, kind, what) if kind in KINDS and isinstance(what, KINDS[kind]) else None
