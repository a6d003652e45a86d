"""The way of a label box around its face: along the head, never across it."""

from __future__ import annotations

import math

Rectangle = tuple[float, float, float, float]  # x1, y1, x2, y2 exclusive


class Orbit:
    """Where the middle of a label box of one size is while it touches the face from outside, and multiples of that.

    A place is given by how far along it is, in pixels clockwise from the left upper corner, and by how many times as
    far from the middle of the face.
    """

    def __init__(self, box: Rectangle, size: tuple[int, int], gap: float):
        """`box`: of the face; `gap`: pixels between both."""
        x1, y1, x2, y2 = box
        self._middle, self._size = ((x1 + x2) / 2, (y1 + y2) / 2), size
        self._across, self._down = (x2 - x1 + size[0]) / 2 + gap, (y2 - y1 + size[1]) / 2 + gap
        self._length = 4 * (self._across + self._down)

    def ways(self, start: Rectangle, end: Rectangle) -> list[Way]:
        """The two ways from one place to another, the shorter first."""
        (along, far), (end_along, end_far) = self._place(start), self._place(end)
        clockwise = (end_along - along) % self._length
        ways = [Way(self, along, far, turn, end_far - far) for turn in (clockwise, clockwise - self._length)]
        return sorted(ways, key=lambda way: way.length)

    def radial_length(self, far: float) -> float:
        """Pixels by which a place moves whose distance changes by `far`, at most."""
        return abs(far) * math.hypot(self._across, self._down)

    def rectangle(self, along: float, far: float) -> Rectangle:
        """The label box at a place."""
        x, y = self._point(along % self._length)
        left = self._middle[0] + far * x - self._size[0] / 2
        top = self._middle[1] + far * y - self._size[1] / 2
        return left, top, left + self._size[0], top + self._size[1]

    def _place(self, rectangle: Rectangle) -> tuple[float, float]:
        x = (rectangle[0] + rectangle[2]) / 2 - self._middle[0]
        y = (rectangle[1] + rectangle[3]) / 2 - self._middle[1]
        far = max(abs(x) / self._across, abs(y) / self._down, 1e-6)
        x, y, across, down = x / far, y / far, self._across, self._down
        if abs(y) / down >= abs(x) / across:
            return (across + x if y < 0 else 3 * across + 2 * down - x), far
        return (2 * across + down + y if x > 0 else 4 * across + 3 * down - y), far

    def _point(self, along: float) -> tuple[float, float]:
        across, down = self._across, self._down
        if along < 2 * across:
            return along - across, -down
        if along < 2 * (across + down):
            return across, along - 2 * across - down
        if along < 4 * across + 2 * down:
            return 3 * across + 2 * down - along, down
        return -across, 4 * across + 3 * down - along


class Way:
    """From one place on an orbit to another, in one direction."""

    def __init__(self, orbit: Orbit, along: float, far: float, turn: float, farther: float):
        self._orbit, self._along, self._far, self._turn, self._farther = orbit, along, far, turn, farther
        self.length = abs(turn) * max(far, far + farther) + orbit.radial_length(farther)  # pixels, at most

    def at(self, pixels: float) -> Rectangle:
        """The label box after so many pixels of the way."""
        done = min(1.0, pixels / self.length) if self.length else 1.0
        return self._orbit.rectangle(self._along + done * self._turn, self._far + done * self._farther)
