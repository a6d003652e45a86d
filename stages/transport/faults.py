"""Fault injection for one stage: which of its messages are late, lost, doubled or corrupt, and where it ends.

Pure: it draws, and others do. One seed, stage, replica and life give the same draws again.
"""

from __future__ import annotations

import random

from ..config.schema import Chaos
from ..protocol.generations import Life

OVERTAKEN_S = 0.05  # how long a message waits that later ones are to overtake


class FaultInjector:
    """The faults of one process."""

    def __init__(self, chaos: Chaos, stage: str, replica: int, life: Life):
        self._chaos = chaos
        self._random = random.Random(f"{chaos.seed} {stage} {replica} {life}")
        self._due_s = 0.0

    def schedule(self, now_s: float) -> list[tuple[float, bool]]:
        """When the next message is to be sent, and whether it is to be corrupt: not at all, once or twice."""
        chaos, draw = self._chaos, self._random.random
        if draw() < chaos.drop:
            return []
        # Late, but in order: that is what a slow network does.
        self._due_s = max(self._due_s, now_s + 2 * chaos.delay * draw())
        is_corrupt = draw() < chaos.corrupt
        due_s = self._due_s + (OVERTAKEN_S if draw() < chaos.reorder else 0.0)
        return [(due_s, is_corrupt)] * (2 if draw() < chaos.duplicate else 1)

    def corrupt(self, header: bytes) -> bytes:
        """The header, cut off somewhere.

        Not with a byte changed: a number that becomes another one is a message like any other, and would be believed.
        """
        return header[: self._random.randrange(len(header))]

    @property
    def slow_s(self) -> float:
        """How much longer a frame takes."""
        return self._chaos.slow

    def crashes_between(self, frame: int) -> bool:
        """Whether the process ends when it has given the first of its two answers to this frame."""
        return frame in self._chaos.crash_between

    def fault_at(self, frame: int) -> str | None:
        """What this frame does to the process: "crash", "hang", "fail" or nothing."""
        if frame in self._chaos.crash_at or self._random.random() < self._chaos.crash:
            return "crash"
        if frame in self._chaos.hang_at:
            return "hang"
        return "fail" if frame in self._chaos.fail_at else None
