"""Zones and lines on a picture, each with its name; an arrow shows which way over a line is in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...areas import Areas, Point
from .label_box import LabelBox, draw_label_box, lay_out
from .labels import RIM, Line

_ZONE, _LINE = (150, 220, 180), (90, 200, 250)  # BGR
_CAPITAL = 0.018  # of the picture's shorter side: height of the capitals of a name
_THICK = 0.0035  # of it
_ARROW = 0.05  # of it: length of the arrow

Rectangle = tuple[int, int, int, int]  # x1, y1, x2, y2 exclusive


def draw_areas(drawn: np.ndarray, areas: Areas, names: Sequence[AreaName]) -> None:
    """Draw onto uint8 (H, W, 3) BGR; `names`: of `names_of` this picture."""
    if not areas:
        return
    height, width = drawn.shape[:2]
    pixels = areas.scaled(width - 1, height - 1)
    for corners in pixels.zones.values():
        _draw_path(drawn, corners, _ZONE, is_closed=True)
    for ends in pixels.lines.values():
        _draw_path(drawn, ends, _LINE)
        _draw_path(drawn, _arrow(*ends, _ARROW * min(height, width)), _LINE)
    for name in names:
        draw_label_box(drawn, name.corner, name.label_box)


@dataclass(frozen=True, slots=True, eq=False)
class AreaName:
    """The name of a zone or line, and where it stands."""

    label_box: LabelBox
    corner: tuple[int, int]  # left, top, in pixels

    @property
    def rectangle(self) -> Rectangle:
        (left, top), (wide, high) = self.corner, self.label_box.size
        return left, top, left + wide, top + high


def names_of(areas: Areas, width: int, height: int) -> list[AreaName]:
    """The names in a picture of this size; those that find no room are left out."""
    if not areas:
        return []
    pixels = areas.scaled(width - 1, height - 1)
    named = [(name, _highest(corners), _ZONE) for name, corners in pixels.zones.items()]
    named += [(name, ends[0], _LINE) for name, ends in pixels.lines.items()]
    return [found for one in named if (found := _name(*one, width, height))]


def _draw_path(drawn: np.ndarray, points: Sequence[Point], bgr: tuple[int, int, int], is_closed: bool = False) -> None:
    path = np.rint(np.array(points)).astype(np.int32)[:, None]
    thick = max(1, round(_THICK * min(drawn.shape[:2])))
    cv2.polylines(drawn, [path], is_closed, RIM, thick + 2, cv2.LINE_AA)
    cv2.polylines(drawn, [path], is_closed, bgr, thick, cv2.LINE_AA)


def _arrow(first: Point, second: Point, length: float) -> list[Point]:
    """From the middle of a line to its right, and back to the tip over both of its barbs."""
    wide, high = second[0] - first[0], second[1] - first[1]
    whole = math.hypot(wide, high) or 1.0
    along, inwards = (wide / whole, high / whole), (-high / whole, wide / whole)

    def at(right: float, on: float) -> Point:
        return (
            (first[0] + second[0]) / 2 + length * (right * inwards[0] + on * along[0]),
            (first[1] + second[1]) / 2 + length * (right * inwards[1] + on * along[1]),
        )

    return [at(0, 0), at(1, 0), at(0.6, 0.3), at(1, 0), at(0.6, -0.3)]


def _highest(corners: Sequence[Point]) -> Point:
    """The uppermost corner, of several the leftmost."""
    return min(corners, key=lambda corner: (corner[1], corner[0]))


def _name(name: str, at: Point, bgr: tuple[int, int, int], width: int, height: int) -> AreaName | None:
    """At a point, or as near as it finds room in the picture."""
    label_box = lay_out([Line(name, bgr)], round(_CAPITAL * min(height, width)), width, height)
    if label_box is None:
        return None
    wide, high = label_box.size
    corner = min(max(round(at[0]), 0), width - wide), min(max(round(at[1]), 0), height - high)
    return AreaName(label_box, corner)
