"""Draws what is known about each face onto a copy of the picture: a box, and a label box with labels and confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...areas import Areas
from ...frames import NO_AREAS, Face, FinishedFrame, LabelPlace
from .areas import AreaName, Rectangle, draw_areas, names_of
from .label_box import LabelBox, draw_label_box, lay_out
from .labels import RIM, Colour, Line
from .layout import CAPITAL_LEAST, FaceLayout, lay_out_faces

_SIDE_WITH_RIM = 16  # pixels; a rim would fill a smaller box
_CORNER_OF_SIDE = 0.10  # radius of a box's corners
_MARK_OF_SIDE = 0.12  # how far a corner's mark goes on beyond the arc
_AWAY = 0.5  # of a label box's height: from farther away a line leads to its face
_FRACTION_BITS = 3  # of the coordinates: boxes move by eighths of a pixel rather than jump
_NOTICE = (80, 160, 255)  # orange


def annotate(
    pixels: np.ndarray,
    faces: Sequence[Face],
    show: frozenset[str] | None = None,
    missing: Sequence[str] = (),
    error: str | None = None,
    style: str = "compact",
    areas: Areas = NO_AREAS,
    numbered: bool = True,
    label_places: Sequence[LabelPlace | None] = (),
) -> np.ndarray:
    """A copy of a picture, uint8 (H, W, 3) BGR, with every face in a box and its labels beside it.

    show: the stages whose labels are drawn, None for all. missing: stages that gave no answer for this frame; error:
    why it was not analysed; both are said at the lower edge. style: `compact`, gender and age in a line and a bar for
    the emotion; `plain`, a line for each answer; `full`, a bar for each emotion and how sure the detector is, where
    there is room for so much; `none`, nothing at all. areas: zones and lines, which are drawn with their names.
    numbered: whether several faces without an id are numbered, and coloured, from left to right. label_places: where
    label boxes are to be if they can, one for each face. Equal arguments give equal pixels.
    """
    drawn = np.array(pixels, order="C")
    if style == "none":
        return drawn
    height, width = drawn.shape[:2]
    said = written(areas, missing, error, width, height)
    laid_out = lay_out_faces(faces, width, height, show, style, numbered, said.taken, label_places)
    draw_areas(drawn, areas, said.names)
    for face in laid_out:
        _draw_box(drawn, face.box, face.colour)
    for face in laid_out:
        if face.label_box:
            _draw_leader(drawn, face)
            draw_label_box(drawn, face.corner, face.label_box)
    if said.notice:
        draw_label_box(drawn, (0, height - said.notice.size[1]), said.notice)
    return drawn


def annotate_frame(
    frame: FinishedFrame, style: str, show: frozenset[str] | None = None, error: str | None = None
) -> np.ndarray:
    """The annotated picture of a finished frame: uint8 (H, W, 3) BGR. `error` is said in place of the frame's own."""
    return annotate(
        frame.picture.pixels,
        frame.faces,
        show,
        frame.missing,
        frame.error if error is None else error,
        style,
        frame.areas,
        numbered=frame.picture.rate is None,
        label_places=frame.label_places,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What is written into a picture besides the labels of its faces."""

    names: list[AreaName]
    notice: LabelBox | None  # for the lower left corner
    taken: list[Rectangle]  # where all of it stands


def written(areas: Areas, missing: Sequence[str], error: str | None, width: int, height: int) -> Written:
    """The names of zones and lines, and what a frame lacks, in a picture of this size."""
    names, notice = names_of(areas, width, height), _notice(missing, error, width, height)
    taken = [name.rectangle for name in names]
    if notice:
        taken.insert(0, (0, height - notice.size[1], notice.size[0], height))
    return Written(names, notice, taken)


def _draw_box(drawn: np.ndarray, box: np.ndarray, bgr: Colour) -> None:
    """A thin rounded rectangle with marks at its corners and a dark rim, as thick as suits picture and face."""
    side = max(1.0, min(box[2] - box[0], box[3] - box[1]))
    thick = max(1, round(min(min(drawn.shape[:2]) * 0.006, side * 0.03)))
    outline = _rounded_rectangle(box, side * _CORNER_OF_SIDE)
    marks = _corner_marks(outline, side * _MARK_OF_SIDE) if thick > 1 else []
    for is_rim in (True, False) if side >= _SIDE_WITH_RIM else (False,):
        colour, more = (RIM, 2 if marks else 1) if is_rim else (bgr, 0)
        cv2.polylines(drawn, [outline], True, colour, 1 + more, cv2.LINE_AA, _FRACTION_BITS)
        if marks:
            cv2.polylines(drawn, marks, False, colour, thick + more, cv2.LINE_AA, _FRACTION_BITS)


def _draw_leader(drawn: np.ndarray, face: FaceLayout) -> None:
    """A line from a label box that is away from its face to the nearest point of the box, in its colour with a rim."""
    high = face.label_box.size[1]
    low, beyond = np.array(face.corner), np.add(face.corner, face.label_box.size) - 1
    on_face = np.clip((low + beyond) / 2, face.box[:2], face.box[2:])
    on_label = np.clip(on_face, low, beyond)
    on_face = np.clip(on_label, face.box[:2], face.box[2:])
    if np.hypot(*(on_label - on_face)) > _AWAY * high:
        ends = [tuple(map(round, point)) for point in (on_label.tolist(), on_face.tolist())]
        thick = max(1, round(high * 0.05))
        cv2.line(drawn, *ends, RIM, thick + 2, cv2.LINE_AA)
        cv2.line(drawn, *ends, face.colour, thick, cv2.LINE_AA)


_QUARTER = np.linspace(0, np.pi / 2, 6)
_ARCS = np.concatenate(
    [np.stack([np.cos(_QUARTER + a), np.sin(_QUARTER + a)], axis=1) for a in np.arange(4) * np.pi / 2]
)
# In which direction the arc of each corner begins; it ends in that of the next one.
_TANGENTS = np.array([(0.0, 1.0), (-1.0, 0.0), (0.0, -1.0), (1.0, 0.0)])


def _rounded_rectangle(box: np.ndarray, radius: float) -> np.ndarray:
    """The outline as int32 (24, 1, 2) with _FRACTION_BITS bits behind the point."""
    x1, y1, x2, y2 = box[0] + radius, box[1] + radius, box[2] - radius, box[3] - radius
    centres = np.repeat([(x2, y2), (x1, y2), (x1, y1), (x2, y1)], len(_QUARTER), axis=0)
    return np.rint((centres + radius * _ARCS) * 2**_FRACTION_BITS).astype(np.int32)[:, None]


def _corner_marks(outline: np.ndarray, leg: float) -> list[np.ndarray]:
    """The four arcs of an outline, going on straight for `leg` pixels at both ends: int32 (8, 1, 2) each."""
    arcs = outline.reshape(4, -1, 1, 2)
    legs = np.rint(leg * 2**_FRACTION_BITS * _TANGENTS).astype(np.int32)[:, None, None]
    return [
        np.concatenate([arc[:1] - legs[corner], arc, arc[-1:] + legs[(corner + 1) % 4]])
        for corner, arc in enumerate(arcs)
    ]


def _notice(missing: Sequence[str], error: str | None, width: int, height: int) -> LabelBox | None:
    """What a frame lacks, for the lower left corner of its picture; None where it lacks nothing."""
    texts = [f"no answer: {', '.join(missing)}"] if missing else []
    texts += [f"not analysed: {error}"] if error is not None else []
    capital = max(8, round(CAPITAL_LEAST * 1.2 * min(height, width)))
    room = max(4, int(width / (0.95 * capital)) - 4)  # characters
    lines = [Line(t if len(t) <= room else f"{t[: room - 3]}...", _NOTICE) for t in texts]
    return lay_out(lines, capital, width, height)
