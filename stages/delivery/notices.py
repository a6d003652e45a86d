"""What render is told again and again until it acknowledges it: drops, answers given up, the end. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from ..protocol.messages import Ack, Drop, End, GivenUp
from .tasks import DETECT, Tasks

NOTICE_S = 0.2  # until the first repetition
# A render that cannot follow is not given more to do: each repetition comes twice as long after the one before, as long
# as some drop is not acknowledged, and has the oldest drops only, which render needs first.
SLOWEST_S, REPEATED = 2.0, 16


class Notices:
    """The notices of one source; the first is possible once render has been heard."""

    def __init__(self):
        self._about: dict[str, object] = {}  # run, epoch and source
        self._drops: list[Drop] = []  # until render has acknowledged them
        self._unsaid = 0  # how many of them, at the end, it has not been told yet
        self._is_hastened = False
        self._repeated_s, self._every_s = float("-inf"), NOTICE_S

    def begin(self, ack: Ack) -> None:
        """Render has been heard: notices are about what it says that it is about."""
        self._about = {"run": ack.run, "epoch": ack.epoch, "source": ack.source}
        self._unsaid, self._repeated_s, self._every_s = len(self._drops), float("-inf"), NOTICE_S

    def hasten(self) -> None:
        """There is something new about answers, or the end: say it at once."""
        self._is_hastened = True

    def drop(self, first: int, last: int, stage: str, reason: str) -> None:
        """These frames, both included, are dropped."""
        self._drops.append(Drop(first=first, last=last, stage=stage, reason=reason, **self._about))
        self._unsaid += 1

    def drop_one(self, number: int, stage: str, reason: str) -> None:
        """As `drop`; neighbours of the same reason are one notice."""
        last = self._drops[-1] if self._drops else None
        if last is not None and (last.last, last.stage, last.reason) == (number - 1, stage, reason):
            self._drops[-1] = replace(last, last=number)
            self._unsaid = max(1, self._unsaid)
        else:
            self.drop(number, number, stage, reason)

    def acknowledge(self, acked_up_to: int) -> None:
        """Render knows of all drops below this frame."""
        self._drops = [drop for drop in self._drops if drop.last >= acked_up_to]
        self._unsaid = min(self._unsaid, len(self._drops))
        if not self._drops:
            self._every_s = NOTICE_S

    def due(self, tasks: Tasks, frames: int | None, now_s: float) -> Iterator[Drop | GivenUp | End]:
        """What is to be said now; `frames`: how many there are, once that is known."""
        repeats = now_s - self._repeated_s >= self._every_s
        if repeats:
            self._every_s = min(2 * self._every_s, SLOWEST_S) if self._drops else NOTICE_S
            self._repeated_s = now_s
            yield from self._drops[: len(self._drops) - self._unsaid][:REPEATED]
        yield from self._drops[len(self._drops) - self._unsaid :]
        self._unsaid = 0
        if not repeats and not self._is_hastened:
            return
        self._is_hastened = False
        for number, frame in tasks.frames.items():
            missing_parts = tasks.missing_parts(number)
            for stage, reason in frame.given_up.items():
                # Without detect nothing more is said about the faces either that render may have already.
                if stage in missing_parts or (stage == DETECT and missing_parts & set(tasks.stages)):
                    yield GivenUp(frame=number, stage=stage, reason=reason, **self._about)
        if frames is not None:
            yield End(frames=frames, **self._about)
