"""Recall by how far faces are turned away. No set of profiles may be used, so YuNet's landmarks tell the yaw.

So a face that YuNet does not see belongs to no kind, and of profiles YuNet's own recall is too good. Yaw is told some
four degrees off (`stages.vision.detectors.landmarks.looks`), and the landmarks' error comes on top.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.vision.detectors.landmarks import looks, upright
from train.detection.data import Labels, Photographs
from train.detection.score import SMALLEST, matched
from train.detection.teacher import YuNetTeacher, with_taught

PRECISION = 0.9  # at which recall is told; not every detector reaches 95 % with more than a few faces
SIDES = (640, 1280)  # pixels of the longest side in which YuNet looks: larger ones show the landmarks of small faces
KINDS = {"up to 30°": (0, 30), "30° to 60°": (30, 60), "from 60°": (60, 181)}  # of yaw, to either side
UNKNOWN = "no landmarks"


def kinds_of(photographs: Photographs, yunet: Path) -> list[np.ndarray]:
    """For every picture the name in KINDS of each of its faces, or UNKNOWN, object (N,)."""
    teacher, numbers = YuNetTeacher(yunet), range(len(photographs))
    return [kinds(photographs.labels[n], teacher.find(np.array(photographs.picture(n)), SIDES)) for n in numbers]


def kinds(truth: Labels, found: np.ndarray) -> np.ndarray:
    """The same for one picture; `found`: as `YuNetTeacher.find` gives it."""
    points = with_taught(truth, found).points[: len(truth.boxes)]
    squares, rolls = upright(points)
    yaws = np.abs(looks(points, squares, rolls)[:, 0])  # NaN without landmarks
    names = np.full(len(yaws), UNKNOWN, object)
    for name, (least, end) in KINDS.items():
        names[(yaws >= least) & (yaws < end)] = name
    return names


def by_yaw(
    answers: list[tuple[np.ndarray, np.ndarray]], labels: list[Labels], kinds: list[np.ndarray]
) -> dict[str, tuple[int, float]]:
    """Of each kind how many faces there are, and recall where PRECISION of all boxes are faces; 0 if none is so sure.

    `answers` and `labels` as in `matched`.
    """
    sizes = SMALLEST, np.inf
    least = matched(answers, labels, sizes).score_at(PRECISION)
    least = np.inf if least is None else least
    sure = [(boxes[scores >= least], scores[scores >= least]) for boxes, scores in answers]
    found = {}
    for kind in (*KINDS, UNKNOWN):
        pairs = zip(labels, kinds, strict=True)
        only = [Labels(truth.boxes, truth.ignored | (of_each != kind), truth.points) for truth, of_each in pairs]
        matches = matched(sure, only, sizes)
        found[kind] = matches.faces, matches.recall()
    return found
