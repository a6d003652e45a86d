"""SMPTE time codes: rates as editors know them, drop frame, and the rate of a video by its frames' times. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

_DAY_H = 24  # after which a time code begins again
_DROPPED = {30: 2, 60: 4}  # numbers left out a minute, of 29.97 and 59.94
_ROUNDED_S = 0.0007  # so far from its frame may a time be: containers count milliseconds, results four decimals


class NoTimecode(ValueError):
    """A text that is no rate or no time code; its message says what to write."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Frames a second, and how they are counted."""

    base: int  # frames that a second of time code counts: 30 of 29.97
    is_ntsc: bool = False  # whether there are 1000/1001 as many
    drops: bool = False  # drop frame: numbers are left out so that the time code keeps up with the clock

    @property
    def exact(self) -> Fraction:
        """Frames a second."""
        return Fraction(self.base * 1000, 1001) if self.is_ntsc else Fraction(self.base)

    def dropping(self) -> Rate:
        """The same with drop frame where it is usual, at 29.97 and 59.94."""
        return Rate(self.base, self.is_ntsc, self.is_ntsc and self.base in _DROPPED)

    def frame_at(self, seconds: float) -> int:
        """The frame whose time is nearest."""
        return round(Fraction(seconds) * self.exact)

    def timecode(self, frame: int) -> str:
        """Of a frame, from 0: such as 01:00:00:00, with drop frame 01:00:00;00. It begins again after a day."""
        if self.drops:
            dropped = _DROPPED[self.base]
            ten_minutes, rest = divmod(frame, self.base * 600 - 9 * dropped)
            minutes = max(0, rest - dropped) // (self.base * 60 - dropped)  # The first of ten drops none.
            frame += dropped * (9 * ten_minutes + minutes)
        seconds, frames = divmod(frame, self.base)
        hours = seconds // 3600 % _DAY_H
        mark = ";" if self.drops else ":"
        return f"{hours:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{frames:02}"

    def frame_of(self, timecode: str) -> int:
        """The number of the frame, from 0, that has this time code; raises `NoTimecode`."""
        found = re.fullmatch(r"(\d\d)[:;](\d\d)[:;](\d\d)[:;.](\d\d)", timecode, re.ASCII)
        hours, minutes, seconds, frames = map(int, found.groups()) if found else (_DAY_H, 0, 0, 0)
        if hours >= _DAY_H or minutes >= 60 or seconds >= 60 or frames >= self.base:
            raise NoTimecode(f"{timecode!r} is no time code at {self}; write such as 01:00:00:00")
        count = (hours * 3600 + minutes * 60 + seconds) * self.base + frames
        if not self.drops:
            return count
        dropped, whole = _DROPPED[self.base], hours * 60 + minutes
        if seconds == 0 and frames < dropped and minutes % 10:
            raise NoTimecode(f"{timecode!r} is left out by drop frame; write {timecode[:-2]}{dropped:02}")
        return count - dropped * (whole - whole // 10)

    def __str__(self) -> str:
        return f"{float(self.exact):.3f}".rstrip("0").rstrip(".")


USUAL = (Rate(24, True), Rate(24), Rate(25), Rate(30, True), Rate(30), Rate(48), Rate(50), Rate(60, True), Rate(60))


def rate_named(text: str) -> Rate:
    """The rate that 29.97, 30000/1001 or 25 means; raises `NoTimecode`."""
    try:
        number = float(Fraction(text)) if re.fullmatch(r"[\d./]{1,20}", text, re.ASCII) else 0.0
    except (ValueError, ZeroDivisionError):
        number = 0.0
    whole = Rate(round(number)) if 1 <= number <= 120 else None
    known = [rate for rate in (*USUAL, whole) if rate and abs(float(rate.exact) - number) < 0.005]
    if not known:
        raise NoTimecode(f"{text!r} is no rate of frames; write one such as 23.976, 25 or 29.97")
    return min(known, key=lambda rate: abs(float(rate.exact) - number))


def rate_of(times_s: Iterable[float]) -> tuple[Rate, bool]:
    """The rate at which frames with these times, which ascend, were counted, and whether it fits all of them.

    The lowest that fits: frames of 25 are on the grid of 50, too. Of a variable rate, or one that editors do not have,
    the one nearest to the mean.
    """
    worst, total, last_s, count = [0.0] * len(USUAL), [0.0] * len(USUAL), 0.0, 0
    rates = [float(rate.exact) for rate in USUAL]
    for last_s in times_s:
        count += 1
        for place, rate in enumerate(rates):
            off_s = abs(last_s - round(last_s * rate) / rate)
            worst[place], total[place] = max(worst[place], off_s), total[place] + off_s
    mean = (count - 1) / last_s if last_s > 0 else 25.0
    fits = [place for place in range(len(USUAL)) if worst[place] <= _ROUNDED_S and count > 1]
    if not fits:
        return min(USUAL, key=lambda rate: abs(float(rate.exact) - mean)), count < 2
    # The first second of 29.97 is on the grid of 30 but for what is rounded: of such neighbours the nearer one.
    lowest = [place for place in fits if USUAL[place].base == USUAL[fits[0]].base]
    return USUAL[min(lowest, key=lambda place: total[place])], True
