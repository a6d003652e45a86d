"""What is drawn of the faces of one picture, and where: all of it decided before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...frames import Face, LabelPlace
from .gliding import Motion
from .label_box import LabelBox, lay_out
from .labels import Bar, Colour, Line, Tag, brief_lines, everything_about, lines_about, tag_of
from .placement import place_label_boxes
from .scene import Choice, Spot

# Height of capitals: a share of the face's side, within these shares of the picture's shorter side.
_CAPITAL_OF_FACE, CAPITAL_LEAST, _CAPITAL_MOST = 0.11, 0.016, 0.030
_CAPITAL_LEAST_IN_A_CROWD, CROWD = 0.009, 8  # for more faces than that: larger label boxes would hide the faces
_GLIDE = 16  # at most so many faces have label boxes that glide: with 30 it would take 14 ms a frame instead of 4
_TINY_CAPITAL = 8  # pixels, where the usual label box finds no room
_SAME_CAPITAL = 0.2  # letters change their size only with a change of the face's by so much
_TALLEST = 1.6  # of the face's side: a label box with everything
# The share of its own face that a label box may cover: beside the head it only touches; without room there it lies on
# the face, where a smaller one may cover more.
_TOUCHES, _COVERS, _HIDES = 0.05, 0.12, 0.2


@dataclass(frozen=True, slots=True, eq=False)
class FaceLayout:
    """What is drawn of one face."""

    box: np.ndarray  # float (4,): x1, y1, x2, y2 of its part in the picture
    colour: Colour
    label_box: LabelBox | None = None  # None where it has none, or none finds room
    corner: tuple[int, int] = (0, 0)  # left, top of the label box, in pixels
    spot: Spot | None = None
    capital: int = 0  # pixels: the size of its letters


def lay_out_faces(
    faces: Sequence[Face],
    width: int,
    height: int,
    show: frozenset[str] | None = None,
    style: str = "compact",
    numbered: bool = True,
    taken: Sequence[Sequence[float]] = (),
    former: Sequence[LabelPlace | None] = (),
    may_move: Sequence[bool] = (),
    motion: Motion | None = None,
) -> list[FaceLayout]:
    """The layout of a picture of width x height pixels.

    show, style, numbered: as in `annotate`. taken: x1, y1, x2, y2 of what else is written. former, may_move,
    motion: where the label box of each face was in the frame before, whether it may go to a better place, and how the
    faces move, as in `place_label_boxes`.
    """
    boxes = np.array([_visible(face.box, width, height) for face in faces], float).reshape(-1, 4)
    tags = [tag_of(face, place if numbered else None, len(faces) == 1) for place, face in enumerate(faces, 1)]
    short, former = min(width, height), former or [None] * len(faces)
    least = (CAPITAL_LEAST if len(faces) <= CROWD else _CAPITAL_LEAST_IN_A_CROWD) * short
    capitals = [_capital(box, least, _CAPITAL_MOST * short, before) for box, before in zip(boxes, former, strict=True)]
    is_full = style == "full" and len(faces) <= CROWD
    label_boxes = [
        _label_boxes(face, tag, capital, box, width, height, show, style if style == "plain" or is_full else "compact")
        for face, tag, capital, box in zip(faces, tags, capitals, boxes, strict=True)
    ]
    choices = [[of and Choice(of.size, share) for of, share in each] for each in label_boxes]
    spots = [None if before is None else Spot(before.choice, before.side, before.shift) for before in former]
    gap = max(2, round(short * 0.01))
    placed = place_label_boxes(
        boxes, choices, gap, width, height, taken, spots, may_move, motion if len(faces) <= _GLIDE else None
    )
    return [
        FaceLayout(box, tag.bgr, each[at.spot.choice][0], at.corner, at.spot, capital)
        if at
        else FaceLayout(box, tag.bgr, capital=capital)
        for box, tag, each, at, capital in zip(boxes, tags, label_boxes, placed, capitals, strict=True)
    ]


def _visible(box: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 of the part of a box that lies in the picture, so that all four of its sides can be seen."""
    x, y, wide, high = box
    right, lower = width - 1, height - 1
    return min(max(x, 0), right), min(max(y, 0), lower), min(max(x + wide, 0), right), min(max(y + high, 0), lower)


def _capital(box: np.ndarray, least: float, most: float, before: LabelPlace | None) -> int:
    """Height of the capitals on a face's label box, in pixels."""
    wanted = min(max(_CAPITAL_OF_FACE * max(box[2] - box[0], box[3] - box[1]), least), most)
    if before is not None and abs(wanted - before.capital) <= _SAME_CAPITAL * before.capital:
        return before.capital
    return round(wanted)


def _label_boxes(
    face: Face,
    tag: Tag,
    capital: int,
    box: np.ndarray,
    width: int,
    height: int,
    show: frozenset[str] | None,
    style: str,
) -> list[tuple[LabelBox | None, float]]:
    """What a face could have, the preferred first: in the end hardly more than its name. Always as many.

    With each the share of the face that it may cover.
    """
    strip = None if style == "plain" else tag.bgr

    def of(lines: Sequence[Line | Bar], size: int) -> LabelBox | None:
        return lay_out(lines, size, width, height, strip) if lines else None

    lines = lines_about(face, show, tag) if style == "plain" else brief_lines(face, show, tag)
    usual, tiny = of(lines, capital), of(lines, min(capital, _TINY_CAPITAL))
    one_line = of(lines[:1], _TINY_CAPITAL)
    name = of([Line(tag.name, tag.bgr)], _TINY_CAPITAL) if lines and tag.name else None
    # Larger letters for so much would take more room than the face.
    full = of(everything_about(face, show, tag), round(capital * 0.8)) if style == "full" else None
    if full and full.size[1] > _TALLEST * max(box[2] - box[0], box[3] - box[1]):
        full = None
    beside = [(full, _TOUCHES), (usual, _TOUCHES), (tiny, _TOUCHES)]
    return [*beside, (usual, _COVERS), (tiny, _HIDES), (one_line, _HIDES), (name, _HIDES)]
