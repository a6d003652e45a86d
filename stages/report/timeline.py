"""Seconds by bin of time, for spans of unknown length: what takes longer gets wider bins, and never more of them. Pure.

So 40 hours take no more memory than 40 seconds, and both make a drawing of the same size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_BINS = 1024  # of a full timeline; when they do not suffice, two become one
NARROWEST_S = 1 / 128  # so a clip of a second is drawn from 128 bins


@dataclass(slots=True)
class Scale:
    """How wide a bin is by now; shared by all that is drawn along one axis."""

    level: int = 0  # how often the width has doubled

    @property
    def width_s(self) -> float:
        return NARROWEST_S * 2**self.level

    def reach(self, time_s: float) -> None:
        """Make bins wide enough for this time to be in one of them."""
        while time_s >= MOST_BINS * self.width_s:
            self.level += 1


@dataclass(slots=True)
class Strip:
    """How many seconds of what lie in each bin."""

    scale: Scale
    _bins: dict[int, dict[str, float]] = field(default_factory=dict)
    _level: int = 0  # of the scale that these bins have

    def add(self, start_s: float, end_s: float, what: str, share: float = 1.0) -> None:
        """Say that `what` was there from one time to another; a `share` of 2: twice over."""
        self.scale.reach(end_s)
        self._widen()
        width_s = self.scale.width_s
        number = int(start_s / width_s)
        while True:
            next_s = (number + 1) * width_s
            inside_s = min(end_s, next_s) - start_s
            held = self._bins.setdefault(number, {})
            held[what] = held.get(what, 0.0) + share * inside_s
            if end_s <= next_s:
                return
            start_s, number = next_s, number + 1

    def bins(self) -> Iterator[tuple[int, dict[str, float]]]:
        """The bins that are not empty, in their order: number, and seconds by what."""
        self._widen()
        return iter(sorted(self._bins.items()))

    def include(self, other: Strip) -> None:
        """Add all that another strip of the same scale holds."""
        self._widen()
        for number, held in other.bins():
            _add(self._bins, number, held)

    def columns(self, most: int, length_s: float) -> Iterator[tuple[float, float, dict[str, float]]]:
        """At most so many neighbours of equal width, those of nothing left out: from when to when, how much of what.

        Of what was there all the time there is 1. The last one ends after `length_s`, with the video.
        """
        bins = list(self.bins())
        together = -(-(bins[-1][0] + 1) // most) if bins else 1
        wide: dict[int, dict[str, float]] = {}
        for number, held in bins:
            _add(wide, number // together, held)
        width_s = together * self.scale.width_s
        for number, held in wide.items():
            start_s, end_s = number * width_s, (number + 1) * width_s
            if start_s < length_s < end_s:
                end_s = length_s
            yield start_s, end_s, {what: seconds / (end_s - start_s) for what, seconds in held.items()}

    def runs(self) -> Iterator[tuple[float, float, str]]:
        """From when to when there was mostly what: neighbouring bins with the same are one."""
        start, end, last = 0, 0, None
        for number, held in self.bins():
            what = max(held, key=held.get)
            if last is not None and (number != end or what != last):
                yield start * self.scale.width_s, end * self.scale.width_s, last
                last = None
            if last is None:
                start, last = number, what
            end = number + 1
        if last is not None:
            yield start * self.scale.width_s, end * self.scale.width_s, last

    def _widen(self) -> None:
        """Follow the scale: bins that have become one are added."""
        narrower = self.scale.level - self._level
        if not narrower:
            return
        wide: dict[int, dict[str, float]] = {}
        for number, held in self._bins.items():
            _add(wide, number >> narrower, held)
        self._bins, self._level = wide, self.scale.level


def _add(bins: dict[int, dict[str, float]], number: int, held: dict[str, float]) -> None:
    into = bins.setdefault(number, {})
    for what, seconds in held.items():
        into[what] = into.get(what, 0.0) + seconds
