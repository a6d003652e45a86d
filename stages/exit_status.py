"""The exit statuses of the command and of every stage."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a process ended. One that another signal has ended has 128 and the signal's number, as in a shell."""

    DONE = 0
    FAILED = 1
    REFUSED = 2  # arguments, configuration, model or source are wrong, or a place is taken
    INTERRUPTED = 130  # Ctrl-C
    TERMINATED = 143  # SIGTERM


def after_signal(number: int) -> int:
    """The exit status after a signal."""
    return 128 + number
