"""Times of a video's frames out of its time stamps, which may jump back, repeat, be absurd or be absent.

No file and no decoder here: stamps in, times out. They depend on the stamps alone, so a file that is read again, from
its beginning to some frame, gives each frame the same time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from statistics import median
from typing import TypeVar

_MOST_HELD = 4  # frames that wait until later ones tell which stamp is wrong; each is a decoded picture in memory
_NEAR = 3  # steps: what lies further ahead is looked at together with what follows
_STEPS = 5  # of which the middle one is taken for that of the frames
_LAST_GAP_S, _LAST_GAP = 86_400.0, 1000  # before the last frame: a day, or so many times the longest step just seen
_JITTER = 2.5  # steps: stamps that go back by less are in disorder; by more, another recording begins
_ROOM_S = 1e-7  # the least that others fit into; time bases of videos are a hundred times coarser, rounding far finer
T = TypeVar("T")


def timed(frames: Iterable[tuple[float | None, T]], rate: float) -> Iterator[tuple[float, T]]:
    """Give every frame its time, in seconds from the first one; times always ascend.

    frames: each with its time stamp in seconds, None where it has none. Where stamps ascend, they count. Where they
    jump back and go on from there, as in files that were put one behind the other, time goes on from where it was, by
    one frame at `rate`. One that fits neither to those before nor to those after it counts as absent.
    """
    clock = None
    for stamp, frame in frames:
        if clock is None:
            clock = _Clock(stamp or 0.0, 1 / rate)
            yield 0.0, frame
        else:
            yield from clock.take(stamp, frame)
    if clock is not None:
        yield from clock.rest()


class _Clock:
    def __init__(self, stamp: float, usual_s: float):
        self._stamp = self._origin = stamp  # the last one that is believed; the stamp at which time is 0
        self._time = 0.0  # of the last frame given
        self._usual_s, self._last_step_s = usual_s, usual_s
        self._steps: deque[float] = deque(maxlen=_STEPS)
        self._held: list[tuple[float, object]] = []

    def take(self, stamp: float | None, frame: T) -> Iterator[tuple[float, T]]:
        before = self._held[-1][0] if self._held else self._stamp
        stamp = before + self._seen_step_s if stamp is None else stamp
        if not self._held and 0 < stamp - before <= _NEAR * self._step_s:
            yield self._believe(stamp, frame)
            return
        self._held.append((stamp, frame))
        while len(self._held) > 1:
            if not (known := self._settle()):
                return
            yield from known

    def rest(self) -> Iterator[tuple[float, T]]:
        """What is held when nothing follows."""
        while self._held:
            yield from self._settle_last() or self._settle() or [self._begin_anew(*self._held.pop(0))]

    def _settle_last(self) -> list[tuple[float, T]]:
        """The very last frame, if its stamp is absurd: nothing that follows can tell."""
        stamp = self._held[0][0]
        is_gap = stamp - self._stamp <= max(_LAST_GAP_S, _LAST_GAP * max(self._steps, default=math.inf))
        return [] if len(self._held) > 1 or is_gap else [self._ignore(self._held.pop()[1])]

    @property
    def _step_s(self) -> float:
        """From one frame to the next. A nominal rate far below what was just seen comes from an absurd length."""
        return self._usual_s if self._usual_s <= _NEAR * self._last_step_s else self._last_step_s

    @property
    def _seen_step_s(self) -> float:
        """The same by what was seen: the nominal rate of AVI counts places, of which most may be empty."""
        return median(self._steps) if len(self._steps) == _STEPS else self._step_s

    def _settle(self) -> list[tuple[float, T]]:
        """Times of some held frames, by what the newest of them says; empty while that is not clear."""
        (first, frame), (newest, _) = self._held[0], self._held[-1]
        if len(self._held) > 1 and self._are_outliers(first, newest):
            return self._spread()
        if newest > first or (first > self._stamp and len(self._held) == 1):
            return [self._begin_anew(*self._held.pop(0))]
        if newest < first > self._stamp or len(self._held) > _MOST_HELD:
            self._held.pop(0)
            return [self._ignore(frame)]  # Nothing goes on from it: a stamp that is absurd, or one for all frames.
        return []

    def _are_outliers(self, first: float, newest: float) -> bool:
        """Whether the newest frame goes on from what is believed, and those before it do not belong there."""
        if newest <= self._stamp or newest - self._origin - self._time < _ROOM_S:
            return False
        if first > self._stamp:
            return newest <= first
        if self._stamp - first < _JITTER * self._step_s:
            return True
        between = len(self._held) - 1
        off_if_outliers = abs(newest - self._stamp - (between + 1) * self._step_s)
        return off_if_outliers < abs(newest - first - between * self._step_s)

    def _spread(self) -> list[tuple[float, T]]:
        """The newest one at its own time, and those before it evenly in between."""
        held, self._held = self._held, []
        begin_s, (stamp, last) = self._time, held.pop()
        gap_s = (stamp - self._origin - begin_s) / (len(held) + 1)
        between = [(begin_s + gap_s * place, frame) for place, (_, frame) in enumerate(held, 1)]
        return [*between, self._believe(stamp, last)]

    def _begin_anew(self, stamp: float, frame: T) -> tuple[float, T]:
        """Go on from this stamp: behind a gap where it lies ahead, else one frame later."""
        if stamp <= self._stamp:
            self._origin = stamp - self._time - self._step_s
            self._stamp = stamp - self._step_s
        return self._believe(stamp, frame)

    def _believe(self, stamp: float, frame: T) -> tuple[float, T]:
        step_s, time_s = stamp - self._stamp, stamp - self._origin
        if time_s <= self._time:  # Others were put where this one belongs.
            time_s = self._time + self._step_s
            self._origin = stamp - time_s
        if step_s <= _NEAR * self._usual_s or step_s < self._last_step_s:
            self._last_step_s = step_s
        self._steps.append(step_s)
        self._stamp, self._time = stamp, time_s
        return time_s, frame

    def _ignore(self, frame: T) -> tuple[float, T]:
        self._time += self._step_s
        return self._time, frame
