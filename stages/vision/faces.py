"""From what the stages have computed about one picture to its faces: numbers become labels by the cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..frames import Face, marked
from .inference.answers import answer

if TYPE_CHECKING:
    from ..config.settings import CardSettings
    from .inference.card import Card

Mark = tuple[Sequence[float], Sequence[float], float | None]  # as `stages.vision.detectors.quality.Marks`


def faces_of(
    boxes: Sequence[Sequence[float]],
    scores: Sequence[float],
    marks: Sequence[Mark],
    rows: Mapping[str, Sequence[Sequence[float]]],
    cards: Mapping[str, Card] | Mapping[str, CardSettings],
) -> list[Face]:
    """The faces of one picture, in the order of the boxes (N x 4: x, y, width, height, pixels of the frame).

    `scores`: (N,). `marks`: N of them, or nothing where the detector gives no landmarks. `rows`: by stage, as
    `Model.answers` gives them, (N, K); a stage that gave no answer is absent.
    """
    faces = []
    for place, (box, score) in enumerate(zip(boxes, scores, strict=True)):
        answers = {stage: answer(cards[stage], of_stage[place]) for stage, of_stage in rows.items()}
        faces.append(Face(tuple(box), score, answers))
    return [marked(face, *mark) for face, mark in zip(faces, marks, strict=True)] if marks else faces
