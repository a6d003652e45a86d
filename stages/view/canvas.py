"""Draws what a window shows, at its own resolution: the annotated picture, panels beside it, and a sign in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..frames import Face, FinishedFrame
from .history import is_still
from .overlay.label_box import draw_label_box, lay_out, with_pause
from .overlay.labels import Line
from .overlay.panels import MARGIN, Block, Panel, draw_blocks, size_of
from .window_layout import Layout, Rectangle, Size, covered, lay_out_window, sign_places

_CAPITAL, _CAPITAL_OF_SIGN = 0.022, 0.028  # heights of the letters, as shares of the window's shorter side
_CAPITAL_LEAST = 8  # pixels
_KEEPS = 0.7  # of its size that the picture keeps beside panels; they get smaller letters rather than take more
_SELECTED = (255, 255, 255)  # BGR, around the face whose history is shown


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """Where everything lies in a window, and its panels laid out."""

    layout: Layout
    blocks: tuple[list[Block], ...]  # of each panel
    capital: int  # height of their capitals in pixels


@dataclass(frozen=True, slots=True)
class Sign:
    """What the window says of itself, in the picture."""

    lines: tuple[Line, ...]
    paused: bool = False  # two bars stand before it


def arrange(picture: Size, window: Size, panels: Iterable[Panel]) -> Arrangement:
    """Lay out a window for a picture with panels; those without content are left out."""
    panels = list(panels)
    whole = lay_out_window(picture, window)
    capital = max(_CAPITAL_LEAST, round(_CAPITAL * min(window)))
    while True:
        blocks = tuple(filter(None, (panel.blocks(capital) for panel in panels)))
        layout = lay_out_window(picture, window, [size_of(each, capital) for each in blocks])
        is_good = len(layout.panels) == len(blocks) and layout.scale >= _KEEPS * whole.scale
        if is_good or capital == _CAPITAL_LEAST:
            return Arrangement(layout, blocks, capital)
        capital = max(_CAPITAL_LEAST, round(capital * 0.85))


def scaled_frame(frame: FinishedFrame, layout: Layout) -> FinishedFrame:
    """The frame with its picture in the size that it has in the window, and its faces where they are there."""
    pixels, size = frame.picture.pixels, (layout.picture.width, layout.picture.height)
    if size != pixels.shape[1::-1]:
        pixels = cv2.resize(pixels, size, interpolation=_interpolation(layout.scale, is_still(frame)))
    faces = [replace(face, box=tuple(layout.scale * side for side in face.box)) for face in frame.faces]
    places = tuple(of and replace(of, capital=max(1, round(layout.scale * of.capital))) for of in frame.label_places)
    return replace(frame, picture=replace(frame.picture, pixels=pixels), faces=faces, label_places=places)


def _interpolation(scale: float, is_still: bool) -> int:
    """The best for a still picture; for a video the fastest, 1 ms instead of 12 for 720 lines made a little smaller."""
    if is_still:
        return cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.INTER_LINEAR if scale > 0.5 else cv2.INTER_AREA


def compose(arrangement: Arrangement, drawn: np.ndarray) -> np.ndarray:
    """The inside of the window, uint8 (H, W, 3) BGR: a picture of the layout's size, and the panels."""
    layout = arrangement.layout
    if layout.picture == Rectangle(0, 0, *layout.size):
        return drawn
    canvas = np.full((*layout.size[::-1], 3), MARGIN, np.uint8)
    canvas[layout.picture.rows, layout.picture.columns] = drawn
    for place, blocks in zip(layout.panels, arrangement.blocks, strict=False):
        draw_blocks(canvas, (place.left, place.top), blocks, arrangement.capital)
    return canvas


def mark_face(drawn: np.ndarray, face: Face) -> None:
    """Draw a second frame around a face whose history is shown, onto a picture of its scale."""
    thick = max(1, round(min(drawn.shape[:2]) * 0.003))
    x, y, width, height = face.box
    upper_left, lower_right = (round(x) - 2 * thick, round(y) - 2 * thick), (round(x + width), round(y + height))
    cv2.rectangle(drawn, upper_left, tuple(side + 2 * thick for side in lower_right), _SELECTED, thick, cv2.LINE_AA)


def draw_sign(
    canvas: np.ndarray,
    sign: Sign,
    layout: Layout,
    frame: FinishedFrame,
    drawn: np.ndarray,
    before: Rectangle | None,
) -> Rectangle | None:
    """Draw a sign where it covers no face, and nothing that is drawn; returns where, None without room.

    frame: in the size that it has in the window; drawn: its annotated picture; before: where the sign was, which is
    preferred, so that it does not jump.
    """
    capital = max(_CAPITAL_LEAST, round(_CAPITAL_OF_SIGN * min(layout.size)))
    room = layout.free.width - (2 * capital if sign.paused else 0), layout.free.height
    label_box = lay_out(sign.lines, capital, *room)
    if label_box is None:
        return None
    if sign.paused:
        label_box = with_pause(label_box, capital)
    places = sign_places(label_box.size, layout)
    places.sort(key=lambda place: (_hides(place, layout, frame, drawn), place != before))
    place = places[0]
    draw_label_box(canvas, (place.left, place.top), label_box)
    return place


def _hides(place: Rectangle, layout: Layout, frame: FinishedFrame, drawn: np.ndarray) -> tuple[float, bool]:
    """How much a sign would hide there: pixels of faces, and whether anything that is drawn."""
    inside = Rectangle(place.left - layout.picture.left, place.top - layout.picture.top, place.width, place.height)
    rows, columns = (slice(max(0, side.start), max(0, side.stop)) for side in (inside.rows, inside.columns))
    is_drawn = not np.array_equal(frame.picture.pixels[rows, columns], drawn[rows, columns])
    return sum(covered(inside, face.box) for face in frame.faces), is_drawn
