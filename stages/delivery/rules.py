"""What the configuration says about handing out the tasks of one source. Pure."""

from __future__ import annotations

from collections.abc import Mapping
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


def asked(frame: int, rate: float | None, every: Mapping[str, int]) -> tuple[str, ...]:
    """The stages that are asked about the frame of this number, in the order of `every`.

    A person's gender does not change thirty times a second. Who is asked follows from the frame's number and the
    source's nominal rate alone, so that it is the same however often a run is killed, and by however many processes
    it is done.

    `rate`: nominal frames a second of its video or camera; of a picture, which has none, every stage is asked.
    `every`: by stage, the number that the numbers of its frames are multiples of. It is made smaller where there
    would be fewer than ASKED_PER_S frames in a second.
    """
    most = max(1, int(rate / limits.ASKED_PER_S)) if rate else 1
    return tuple(stage for stage, multiple in every.items() if frame % min(multiple, most) == 0)
