"""A command as a process: its signals, its exit status, and what it says when nobody listens."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from ..exit_status import ExitStatus, after_signal
from ..supervision.command import end_when_unheard
from ..view.live_line import takes

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def as_a_program(main: Callable[[list[str]], int], argv: list[str], is_service: bool) -> NoReturn:
    """Run as a process: nobody has to listen to what it says, and no name can be too strange to be said.

    `main` takes `argv`, the words after the command's name, and returns the exit status. A service has done its work
    when its manager ends it by SIGTERM.
    """
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    # One that whoever started this has switched off stays so; an interrupt counts even for a script's background job.
    heard = [n for n in SIGNALS if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]
    try:
        for number in heard:
            signal.signal(number, _interrupt)
        end_when_unheard(heard, functools.partial(_leave, is_service))
        status = main(argv)
    except KeyboardInterrupt as interrupt:  # Before anything was started, or when it was over.
        status = _ended_by(*interrupt.args, is_service)
    for number in heard:
        signal.signal(number, lambda *_: os._exit(status))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)  # The interpreter would try to flush once more, and complain.


def _ended_by(number: int, is_service: bool) -> int:
    """The exit status after this signal where no run is under way; for a service its manager's is no failure."""
    return ExitStatus.DONE if number == signal.SIGTERM and is_service else after_signal(number)


def _leave(is_service: bool, number: int) -> NoReturn:
    """End although a file system holds this process: what follows in order would wait for it as well."""
    if takes(sys.stderr):
        print(
            "facepipe: A file system does not answer. What was written before is there when it does, and --resume goes"
            " on with it.",
            file=sys.stderr,
            flush=True,
        )
    os._exit(_ended_by(number, is_service))


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt(number)
