"""When a sender has to come to its end."""

from __future__ import annotations

import threading
import time


class Ending:
    """Asked for once, by another thread; until then `deadline_s` is infinite."""

    def __init__(self, with_run: bool):
        """`with_run`: a sender also ends, without being asked, when the run is over and everything has arrived."""
        self.with_run = with_run
        self.deadline_s = float("inf")  # monotonic
        self._asked = threading.Event()

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    @property
    def is_past(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() >= self.deadline_s

    @property
    def left_s(self) -> float:
        """The seconds that are left, at least a tenth of one."""
        return max(0.1, self.deadline_s - time.monotonic())

    def ask(self, within_s: float) -> None:
        """Send what is left, but not for longer than this."""
        self.deadline_s = min(self.deadline_s, time.monotonic() + within_s)
        self._asked.set()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the moment at which the end is asked for."""
        self._asked.wait(seconds)
