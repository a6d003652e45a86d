"""What the configuration says about handing out the tasks of one source."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..protocol import limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration says about handing out the tasks of one source."""

    attributes: tuple[str, ...]
    cards: dict[str, str]  # stage -> the hash that its workers must show
    window: int = 16  # frames between read and acknowledged
    window_bytes: int = 256_000_000  # pictures and crops of these frames; one frame may always go
    credit: int = limits.CREDIT  # tasks that one worker is given; beyond CREDIT they travel in batches
    live: bool = False
    deadline_s: float = 1.0  # live: a frame is emitted or dropped within it
    give_up_after_s: float = 5.0  # a stage without a worker (of a file: a good one) for so long is not waited for
    resend_after_s: float = 10.0  # without progress of render, what it is missing is sent again; doubles
    tries: int = 3  # so often a task may end a worker that has it in isolation before its answer is given up
    hang_s: dict[str, float] = field(default_factory=dict)  # stage -> a worker silent for so long is gone

    @property
    def batches(self) -> bool:
        """Whether tasks wait for others, to travel several at once: of a file."""
        return self.credit > limits.CREDIT

    @property
    def most_credit(self) -> int:
        """What is believed of a worker's credit."""
        return self.credit if self.batches else limits.MAX_CREDIT
