"""A command as a process: what it says, and how it ends when nobody listens any more or Ctrl-C is pressed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TextIO

from ..errors import FacepipeError
from ..exit_status import ExitStatus
from ..names import printable

UNHEARD_S = 4.2  # a signal that no thread has taken for so long: five seconds are promised
LOOK_S = 0.2


class Unheard(FacepipeError):
    """Nothing can be written to standard output."""


def say(*lines: str) -> None:
    """Print lines at once; raises `Unheard`."""
    try:
        print(*map(printable, lines), sep="\n", flush=True)
    except OSError as error:
        # What is left in its buffer would be tried again at the end of the process, and end in a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        reason = error.strerror or type(error).__name__
        raise Unheard(f"standard output cannot be written: {reason}; the files that were made are whole.") from error


@contextmanager
def alive(what: str, every_s: float = 10.0, stream: TextIO | None = None) -> Iterator[None]:
    """Say on standard error now and then that work which says nothing itself goes on, and for how long it has."""
    stream, over, started_s = stream or sys.stderr, threading.Event(), time.monotonic()

    def tell() -> None:
        while not over.wait(every_s):
            try:
                print(f"{what}: {time.monotonic() - started_s:.0f} s so far", file=stream, flush=True)
            except (OSError, ValueError):
                return  # Nobody listens any more; the work goes on.

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run(main: Callable[[], int]) -> NoReturn:
    """End the process with the status that `main` returns; after Ctrl-C, whenever that is, with 130 and in silence."""
    sys.stdout.reconfigure(errors="backslashreplace")  # The name of a file may be no text.
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # What was begun is cleared away.
        status = main()
        at_once()
    except KeyboardInterrupt:
        at_once()
        status = ExitStatus.INTERRUPTED
    sys.exit(status)


def at_once() -> None:
    """Let Ctrl-C end the process where it is: while modules are read, and when all is done."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(ExitStatus.INTERRUPTED))


def end_when_unheard(numbers: Iterable[int], end: Callable[[int], None]) -> None:
    """From now on call `end` with one of these signals when no thread has taken it for `UNHEARD_S`.

    A thread that computes or waits for another process takes it at once. One that waits in the kernel for a file server
    that does not answer never does; the launcher kills stages that wait so, and this is for the launcher itself, which
    opens files at the start and at the end.
    """
    if hasattr(signal, "sigpending"):
        with contextlib.suppress(RuntimeError):  # There is no room for a thread, and none for a stage either.
            threading.Thread(target=_watch, args=(frozenset(numbers), end), daemon=True).start()


def _watch(numbers: frozenset[int], end: Callable[[int], None]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # Of this thread, which would take them itself.
    since_s: dict[int, float] = {}
    while True:
        time.sleep(LOOK_S)
        now_s = time.monotonic()
        since_s = {number: since_s.get(number, now_s) for number in signal.sigpending() & numbers}
        for number, from_s in since_s.items():
            if now_s - from_s >= UNHEARD_S:
                end(number)
