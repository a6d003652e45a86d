"""Ends a process that waits in the kernel, where no signal handler runs, for a file server that does not answer.

The launcher kills stages that wait so. This is for the launcher itself, which opens files at the start and at the end.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable

UNHEARD_S = 4.2  # a signal that nobody has taken for so long: five seconds are promised
LOOK_S = 0.2


def end_when_unheard(numbers: Iterable[int], end: Callable[[int], None]) -> None:
    """From now on call `end` with one of these signals when no thread has taken it for `UNHEARD_S`.

    Whoever computes or waits for another process takes it at once.
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
