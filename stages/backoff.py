"""How long to wait before the next attempt: pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

FIRST_S, LONGEST_S = 1.0, 60.0
ASKED_S = 3600.0  # a server that asks for more patience than this is asked again all the same
JITTER = 0.25  # a share: a thousand clients of a server that was away must not all come back in one second


@dataclass(slots=True)
class Backoff:
    """Doubles with every failure in a row, up to `longest_s`."""

    failures: int = 0
    longest_s: float = LONGEST_S
    random: random.Random = field(default_factory=random.Random)

    def failed(self, asked_s: float | None = None) -> float:
        """Note a failure; returns the seconds to wait. `asked_s`: what the server asks for, by Retry-After."""
        own_s = min(FIRST_S * 2 ** min(self.failures, 16), self.longest_s) * self.random.uniform(1 - JITTER, 1 + JITTER)
        self.failures += 1
        return own_s if asked_s is None else max(own_s, min(asked_s, ASKED_S))

    def succeeded(self) -> None:
        self.failures = 0
