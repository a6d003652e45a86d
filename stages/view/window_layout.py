"""Where picture, panels and sign lie in a window. Pure geometry, in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..vision.tracking import Box

Size = tuple[int, int]  # width, height

_OF_SCREEN = 0.8  # of its width and height that a new window takes at most: the rest is for frames, bars and panels
_LARGEST = 2560, 1440  # a new window: more pixels are costly to draw at every frame of a video
_LEAST = 480, 360


@dataclass(frozen=True, slots=True)
class Rectangle:
    left: int
    top: int
    width: int
    height: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.left + self.width)

    def covers(self, x: float, y: float) -> bool:
        return self.left <= x < self.left + self.width and self.top <= y < self.top + self.height


_UNKNOWN_SCREEN = Rectangle(0, 0, 1600, 900)


@dataclass(frozen=True, slots=True)
class Layout:
    """A window's inside: the picture, enlarged or made smaller by `scale`, and the panels beside or below it."""

    size: Size
    picture: Rectangle
    scale: float
    free: Rectangle  # picture and margins, without the panels
    panels: tuple[Rectangle, ...] = ()

    def in_picture(self, x: float, y: float) -> tuple[float, float] | None:
        """A point of the window in pixels of the frame; None beside the picture."""
        if not self.picture.covers(x, y):
            return None
        return (x + 0.5 - self.picture.left) / self.scale, (y + 0.5 - self.picture.top) / self.scale


def first_place(picture: Size, screen: Rectangle | None, number: int = 0, windows: int = 1) -> Rectangle:
    """The inside of a new window: the picture as large as suits the screen, small pictures enlarged.

    number, windows: which of how many windows it is; they lie side by side, two to four half as wide and high as one.
    """
    screen = screen or _UNKNOWN_SCREEN
    columns = math.ceil(math.sqrt(windows))
    cell = screen.width // columns, screen.height // columns
    room = [min(_OF_SCREEN * side, most) for side, most in zip(cell, _LARGEST, strict=True)]
    scale = min(side / own for side, own in zip(room, picture, strict=True))
    width, height = (
        min(max(round(scale * own), least), max(1, int(side)))
        for own, least, side in zip(picture, _LEAST, room, strict=True)
    )
    left = screen.left + number % columns * cell[0] + (cell[0] - width) // 2
    top = screen.top + number // columns * cell[1] + (cell[1] - height) // 4  # Its title lies above it.
    return Rectangle(left, top, width, height)


def lay_out_window(picture: Size, window: Size, panels: Sequence[Size] = ()) -> Layout:
    """The picture as large as it can be with all `panels` beside it, or below it where it is larger so.

    Panels never lie over the picture. Those that do not fit into the window are left out, the last first.
    """
    while panels:
        options = list(filter(None, (_beside(panels, window), _below(panels, window))))
        if options:
            free, places = max(options, key=lambda option: _scale(picture, option[0]))
            return _laid_out(picture, window, free, places)
        panels = panels[:-1]
    return _laid_out(picture, window, Rectangle(0, 0, *window), ())


def sign_places(size: Size, layout: Layout) -> list[Rectangle]:
    """Where a sign could lie, the preferred first: the corners of what the panels leave free, and between them.

    One that would lie half over the picture's edge comes after those within the picture.
    """
    free, picture = _places_in(layout.free, size), layout.picture
    fits = size[0] <= picture.width and size[1] <= picture.height
    return [
        *(place for place in free if _is_apart(place, picture)),
        *(place for place in (_places_in(picture, size) if fits else ()) if place not in free),
        *(place for place in free if not _is_apart(place, picture)),
    ]


def _places_in(room: Rectangle, size: Size) -> list[Rectangle]:
    right, low = max(0, room.width - size[0]), max(0, room.height - size[1])
    places = ((0, low), (right, low), (right, 0), (0, 0), (right // 2, low), (right // 2, 0), (0, low // 2))
    return [Rectangle(room.left + x, room.top + y, *size) for x, y in (*places, (right, low // 2))]


def _is_apart(place: Rectangle, picture: Rectangle) -> bool:
    """Whether all of a place lies in the picture, or nothing of it."""
    box = picture.left, picture.top, picture.width, picture.height
    return covered(place, box) in (0, place.width * place.height)


def covered(place: Rectangle, box: Box) -> float:
    """How many pixels of a box, x, y, width and height in the same pixels, a rectangle covers."""
    across = min(place.left + place.width, box[0] + box[2]) - max(place.left, box[0])
    down = min(place.top + place.height, box[1] + box[3]) - max(place.top, box[1])
    return max(0.0, across) * max(0.0, down)


def _beside(panels: Sequence[Size], window: Size) -> tuple[Rectangle, tuple[Rectangle, ...]] | None:
    """What is left free, and the panels in columns to the right of it; None without room."""
    packed = _packed(panels, window[1])
    if packed is None or packed[1] >= window[0]:
        return None
    corners, width = packed
    left = window[0] - width
    places = (Rectangle(left + x, y, *size) for (x, y), size in zip(corners, panels, strict=True))
    return Rectangle(0, 0, left, window[1]), tuple(places)


def _below(panels: Sequence[Size], window: Size) -> tuple[Rectangle, tuple[Rectangle, ...]] | None:
    """What is left free, and the panels in rows below it; None without room."""
    packed = _packed([size[::-1] for size in panels], window[0])
    if packed is None or packed[1] >= window[1]:
        return None
    corners, height = packed
    top = window[1] - height
    places = (Rectangle(x, top + y, *size) for (y, x), size in zip(corners, panels, strict=True))
    return Rectangle(0, 0, window[0], top), tuple(places)


def _packed(panels: Sequence[Size], length: int) -> tuple[list[Size], int] | None:
    """Panels in columns of this length: where each begins, and the width of all; None where one is longer."""
    corners, left, top, width = [], 0, 0, 0
    for wide, high in panels:
        if high > length:
            return None
        if top + high > length:
            left, top, width = left + width, 0, 0
        corners.append((left, top))
        top, width = top + high, max(width, wide)
    return corners, left + width


def _scale(picture: Size, free: Rectangle) -> float:
    return min(free.width / picture[0], free.height / picture[1])


def _laid_out(picture: Size, window: Size, free: Rectangle, panels: tuple[Rectangle, ...]) -> Layout:
    scale = _scale(picture, free)
    width = min(max(1, round(scale * picture[0])), free.width)
    height = min(max(1, round(scale * picture[1])), free.height)
    place = Rectangle(free.left + (free.width - width) // 2, free.top + (free.height - height) // 2, width, height)
    return Layout(window, place, scale, free, panels)
