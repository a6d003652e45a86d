"""Zones and lines in a picture, in shares of its width and height: (0, 0) is its upper left corner. Pure geometry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

Point = tuple[float, float]  # x, y

MOST_POINTS = 64  # of a zone
EXAMPLE_ZONE, EXAMPLE_LINE = "[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]", "[[0.5, 0], [0.5, 1]]"


@dataclass(frozen=True, slots=True)
class Areas:
    """The zones and lines of one source, by name."""

    zones: dict[str, tuple[Point, ...]] = field(default_factory=dict)  # the corners in their order, each from 0 to 1
    lines: dict[str, tuple[Point, Point]] = field(default_factory=dict)

    @classmethod
    def of(cls, zones: Mapping[str, Sequence], lines: Mapping[str, Sequence]) -> Areas:
        """Of lists of points that have no flaw."""
        return cls(*({name: tuple(map(tuple, points)) for name, points in each.items()} for each in (zones, lines)))

    def __bool__(self) -> bool:
        return bool(self.zones or self.lines)

    def scaled(self, width: int, height: int) -> Areas:
        """The same in pixels of a picture of this size."""
        return Areas(
            *(
                {name: tuple((x * width, y * height) for x, y in points) for name, points in each.items()}
                for each in (self.zones, self.lines)
            )
        )


def flaw_of_zone(points: object) -> str | None:
    """What is wrong with the corners of a zone, for a sentence that begins with its name; None: nothing."""
    if flaw := _flaw_of_points(points, EXAMPLE_ZONE):
        return flaw
    if len(points) < 3:
        return f"has {_counted(len(points))}; write three or more, such as {EXAMPLE_ZONE}"
    if len(points) > MOST_POINTS:
        return f"has {len(points)} points; write at most {MOST_POINTS}"
    if repeated := next((one for one, other in _sides(points) if _is_one_place(one, other)), None):
        return f"has the point {_said(repeated)} twice in a row; write it once: the last is joined to the first anyway"
    if crossing := _crossing_sides(_sides(points)):
        one, other = (f"from {_said(a)} to {_said(b)}" for a, b in crossing)
        return f"crosses itself: its side {one} meets that {other}; write its corners in their order"
    if abs(_signed_area(points)) < 1e-9:
        return "has no area; write corners that do not lie on one line"
    return None


def flaw_of_line(points: object) -> str | None:
    """What is wrong with the two points of a line, as `flaw_of_zone`."""
    if flaw := _flaw_of_points(points, EXAMPLE_LINE):
        return flaw
    if len(points) != 2:
        return f"has {_counted(len(points))}; write two, such as {EXAMPLE_LINE}"
    if _is_one_place(*points):
        return f"begins where it ends; write two points, such as {EXAMPLE_LINE}"
    return None


def contains(zone: Sequence[Point], point: Point) -> bool:
    """Whether a point lies in a zone; of one on its border it depends on the side."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in _sides(zone):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def distance_to_border(zone: Sequence[Point], point: Point) -> float:
    """From a point to the nearest one on the border of a zone."""
    return min(_distance(point, *side) for side in _sides(zone))


def beyond(line: tuple[Point, Point], point: Point) -> float:
    """How far a point is to the right of a line without ends, as seen from its first point to its second; left: < 0."""
    (x1, y1), (x2, y2) = line
    return ((x2 - x1) * (point[1] - y1) - (y2 - y1) * (point[0] - x1)) / math.hypot(x2 - x1, y2 - y1)


def meet(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two segments have a point in common."""
    (a, b), (c, d) = one, other
    ends = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if ends[0] * ends[1] < 0 and ends[2] * ends[3] < 0:
        return True
    corners = (a, b, c), (a, b, d), (c, d, a), (c, d, b)
    return any(turn == 0 and _is_between(*corner) for turn, corner in zip(ends, corners, strict=True))


def _flaw_of_points(points: object, example: str) -> str | None:
    if not isinstance(points, list | tuple):
        return f"is no list of points; write such as {example}"
    for point in points:
        numbers = isinstance(point, list | tuple) and len(point) == 2 and all(type(n) in (int, float) for n in point)
        if not numbers:
            return f"has {_short(point)}, which is no point; write each as [x, y], such as {example}"
        if not all(0 <= number <= 1 for number in point):
            return (
                f"has the point {_said(point)}, which lies outside the picture; write shares of its width and height"
                " from 0 to 1"
            )
    return None


def _crossing_sides(sides: list[tuple[Point, Point]]) -> tuple[tuple[Point, Point], tuple[Point, Point]] | None:
    """Two sides that have more in common than a corner at which one follows the other."""
    for (i, one), (k, other) in combinations(enumerate(sides), 2):
        if k == i + 1:
            is_crossing = _folds_back(one, other)
        elif (i, k) == (0, len(sides) - 1):
            is_crossing = _folds_back(other, one)
        else:
            is_crossing = meet(one, other)
        if is_crossing:
            return one, other
    return None


def _sides(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    return [(tuple(one), tuple(other)) for one, other in zip(points, [*points[1:], points[0]], strict=True)]


def _signed_area(points: Sequence[Point]) -> float:
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in _sides(points)) / 2


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 where the way from a to b to c turns right in the picture, 0 where it goes straight on."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _folds_back(side: tuple[Point, Point], following: tuple[Point, Point]) -> bool:
    """Whether a side lies upon the one before it."""
    (a, b), (_, c) = side, following
    along = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return _turn(a, b, c) == 0 and along < 0


def _is_between(a: Point, b: Point, c: Point) -> bool:
    """Whether c, which lies on the line through a and b, lies between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _distance(point: Point, a: Point, b: Point) -> float:
    wide, high = b[0] - a[0], b[1] - a[1]
    along = ((point[0] - a[0]) * wide + (point[1] - a[1]) * high) / (wide * wide + high * high)
    share = min(max(along, 0.0), 1.0)
    return math.hypot(point[0] - a[0] - share * wide, point[1] - a[1] - share * high)


def _is_one_place(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two points are less than a pixel apart in any picture: the square of a tiny distance is 0."""
    return math.dist(one, other) < 1e-6


def _counted(count: int) -> str:
    return "one point" if count == 1 else f"{count or 'no'} points"


def _said(point: Sequence[float]) -> str:
    return f"[{point[0]:g}, {point[1]:g}]"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
