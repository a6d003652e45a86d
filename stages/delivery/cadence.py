"""Which attribute stages are asked about a frame: a person's gender does not change thirty times a second. Pure.

It follows from the frame's number and its source's nominal rate alone, so that it is the same however often a run is
killed, and by however many processes it is done.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.limits import ASKED_PER_S


def asked(frame: int, rate: float | None, every: Mapping[str, int]) -> tuple[str, ...]:
    """The stages that are asked about the frame of this number, in the order of `every`.

    `rate`: nominal frames a second of its video or camera; of a picture, which has none, every stage is asked.
    `every`: by stage, the number that the numbers of its frames are multiples of. It is made smaller where there
    would be fewer than ASKED_PER_S frames in a second.
    """
    most = max(1, int(rate / ASKED_PER_S)) if rate else 1
    return tuple(stage for stage, multiple in every.items() if frame % min(multiple, most) == 0)
