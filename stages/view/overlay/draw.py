"""Draws what is known about each face onto a copy of the picture: a box, and a label box with labels and confidence."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ...areas import Areas
from ...frames import NO_AREAS, Face
from .areas import draw_areas
from .label_box import LabelBox, draw_label_box, lay_out
from .labels import RIM, Line, box_colour, everything_about, lines_about
from .placement import place_label_boxes

# Height of capitals: a share of the face's side, within these shares of the picture's shorter side.
_CAPITAL_OF_FACE, _CAPITAL_LEAST, _CAPITAL_MOST = 0.11, 0.014, 0.030
_CAPITAL_LEAST_IN_A_CROWD, _CROWD = 0.009, 8  # for more faces than that: larger label boxes would hide the faces
_TINY_CAPITAL = 8  # pixels, where the usual label box finds no room
_TALLEST = 1.6  # of the face's side: a label box with everything

_SIDE_WITH_RIM = 16  # pixels; a rim would fill a smaller box
_CORNER_OF_SIDE = 0.10  # radius of a box's corners
_FRACTION_BITS = 3  # of the coordinates: boxes move by eighths of a pixel rather than jump
_NOTICE = (80, 160, 255)  # orange


def annotate(
    pixels: np.ndarray,
    faces: Sequence[Face],
    show: frozenset[str] | None = None,
    missing: Sequence[str] = (),
    error: str | None = None,
    style: str = "plain",
    areas: Areas = NO_AREAS,
) -> np.ndarray:
    """A copy of a picture, uint8 (H, W, 3) BGR, with every face in a box and its labels beside it.

    show: the stages whose labels are drawn, None for all. missing: stages that gave no answer for this frame; error:
    why it was not analysed; both are said at the lower edge. style: `plain`, a line for each answer; `full`, also who
    it is and a bar for each emotion, where there is room for so much; `none`, nothing at all. areas: zones and lines,
    which are drawn with their names. Equal arguments give equal pixels.
    """
    drawn = np.array(pixels, order="C")
    if style == "none":
        return drawn
    height, width = drawn.shape[:2]
    short = min(height, width)
    least = (_CAPITAL_LEAST if len(faces) <= _CROWD else _CAPITAL_LEAST_IN_A_CROWD) * short
    boxes = np.array([_visible(face.box, width, height) for face in faces]).reshape(-1, 4)
    labels = [lines_about(face, show) for face in faces]
    taken = draw_areas(drawn, areas)
    for face, box, lines in zip(faces, boxes, labels, strict=True):
        _draw_box(drawn, box, box_colour(face, lines))
    label_boxes = []
    for face, box, lines in zip(faces, boxes, labels, strict=True):
        capital = _capital(box, least, _CAPITAL_MOST * short)
        all_lines = everything_about(face, show) if style == "full" and len(faces) <= _CROWD else []
        label_boxes.append(_label_boxes(all_lines, lines, capital, box, width, height))
    sizes = [[label_box.size for label_box in choices] for choices in label_boxes]
    notice = _notice(missing, error, width, height)
    if notice:
        taken.insert(0, (0, height - notice.size[1], notice.size[0], height))
    placed = place_label_boxes(boxes, sizes, _gap(short), width, height, taken)
    for choices, found in zip(label_boxes, placed, strict=True):
        if found:
            choice, corner = found
            draw_label_box(drawn, corner, choices[choice])
    if notice:
        draw_label_box(drawn, taken[0][:2], notice)
    return drawn


def _visible(box: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 of the part of a box that lies in the picture, so that all four of its sides can be seen."""
    x, y, wide, high = box
    right, lower = width - 1, height - 1
    return min(max(x, 0), right), min(max(y, 0), lower), min(max(x + wide, 0), right), min(max(y + high, 0), lower)


def _capital(box: np.ndarray, least: float, most: float) -> int:
    """Height of the capitals on a face's label box, in pixels."""
    return round(min(max(_CAPITAL_OF_FACE * max(box[2] - box[0], box[3] - box[1]), least), most))


def _label_boxes(
    all_lines, lines: list[Line], capital: int, box: np.ndarray, width: int, height: int
) -> list[LabelBox]:
    """The label boxes that a face could have, the preferred first."""
    # Larger letters for so much would take more room than the face.
    full = lay_out(all_lines, round(capital * 0.8), width, height) if all_lines else None
    if full and full.size[1] > _TALLEST * max(box[2] - box[0], box[3] - box[1]):
        full = None
    usual = lay_out(lines, capital, width, height)
    tiny = lay_out(lines, _TINY_CAPITAL, width, height) if usual and capital > _TINY_CAPITAL else None
    return [label_box for label_box in (full, usual, tiny) if label_box]


def _gap(short: int) -> int:
    return max(2, round(short * 0.01))


def _draw_box(drawn: np.ndarray, box: np.ndarray, bgr: tuple[int, int, int]) -> None:
    """A thin rounded rectangle with a dark rim, as thick as suits picture and face."""
    side = max(1.0, min(box[2] - box[0], box[3] - box[1]))
    thick = max(1, round(min(min(drawn.shape[:2]) * 0.0045, side * 0.03)))
    outline = _rounded_rectangle(box, side * _CORNER_OF_SIDE)
    if side >= _SIDE_WITH_RIM:
        cv2.polylines(drawn, [outline], True, RIM, thick + 2, cv2.LINE_AA, _FRACTION_BITS)
    cv2.polylines(drawn, [outline], True, bgr, thick, cv2.LINE_AA, _FRACTION_BITS)


_QUARTER = np.linspace(0, np.pi / 2, 6)
_ARCS = np.concatenate(
    [np.stack([np.cos(_QUARTER + a), np.sin(_QUARTER + a)], axis=1) for a in np.arange(4) * np.pi / 2]
)


def _rounded_rectangle(box: np.ndarray, radius: float) -> np.ndarray:
    """The outline as int32 (24, 1, 2) with _FRACTION_BITS bits behind the point."""
    x1, y1, x2, y2 = box[0] + radius, box[1] + radius, box[2] - radius, box[3] - radius
    centres = np.repeat([(x2, y2), (x1, y2), (x1, y1), (x2, y1)], len(_QUARTER), axis=0)
    return np.rint((centres + radius * _ARCS) * 2**_FRACTION_BITS).astype(np.int32)[:, None]


def _notice(missing: Sequence[str], error: str | None, width: int, height: int) -> LabelBox | None:
    """What a frame lacks, for the lower left corner of its picture; None where it lacks nothing."""
    texts = [f"no answer: {', '.join(missing)}"] if missing else []
    texts += [f"not analysed: {error}"] if error is not None else []
    capital = max(8, round(_CAPITAL_LEAST * 1.3 * min(height, width)))
    room = max(4, int(width / (0.95 * capital)) - 4)  # characters
    lines = [Line(t if len(t) <= room else f"{t[: room - 3]}...", _NOTICE) for t in texts]
    return lay_out(lines, capital, width, height)
