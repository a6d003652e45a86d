"""How good a detector is: average precision and recall at an overlap of a half, as COCO's evaluation counts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.detection.data import Labels
from train.detection.teacher import overlaps

ENOUGH = 0.5  # intersection over union from which a face is found
PRECISION = 0.95  # at which recall is told
SMALLEST = 24.0  # pixels of a face's longer side that count, in a picture whose longest side is 640
BANDS = {"24-48 px": (24, 48), "48-96 px": (48, 96), "over 96 px": (96, np.inf)}


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The boxes of all pictures, the surest first, and how many faces there were to find."""

    scores: np.ndarray  # float (N,)
    right: np.ndarray  # bool (N,)
    faces: int
    pictures: np.ndarray  # int (N,)

    def precision_and_recall(self) -> tuple[np.ndarray, np.ndarray]:
        right = np.cumsum(self.right)
        return right / np.arange(1, len(right) + 1), right / max(1, self.faces)

    def average_precision(self) -> float:
        """Mean, over the recalls 0, 0.01 to 1, of the best precision at that recall or a higher one."""
        precision, recall = self.precision_and_recall()
        best = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
        return float(np.mean(np.append(best, 0)[np.minimum(at, len(best))]))

    def recall(self) -> float:
        return float(self.right.sum() / max(1, self.faces))

    def recall_at(self, precision: float) -> float:
        last = self._last_at(precision)
        return 0.0 if last is None else float(self.precision_and_recall()[1][last])

    def score_at(self, precision: float) -> float | None:
        """The least score from which so many of the boxes are faces; None if not even the surest are."""
        last = self._last_at(precision)
        return None if last is None else float(self.scores[last])

    def _last_at(self, precision: float) -> int | None:
        reached = np.flatnonzero(self.precision_and_recall()[0] >= precision)
        return int(reached[-1]) if len(reached) else None


def matched(answers: list[tuple[np.ndarray, np.ndarray]], labels: list[Labels], sizes=(0.0, np.inf)) -> Matches:
    """Boxes (N, 4) and scores (N,) of every picture against its labels; faces of other sizes are ignored.

    As in COCO: the surest box is first, and each takes that of the faces left which it overlaps most, an ignored one
    only if there is no other; a box that takes an ignored face, or none and is of another size, is ignored.
    """
    scores, right, pictures, faces = [], [], [], 0
    for number, ((boxes, sure), truth) in enumerate(zip(answers, labels, strict=True)):
        side = truth.boxes[:, 2:].max(axis=1, initial=0) if len(truth.boxes) else np.zeros(0)
        ignored = truth.ignored | (side < sizes[0]) | (side >= sizes[1])
        faces += int((~ignored).sum())
        order = np.argsort(-sure, kind="stable")
        same = overlaps(boxes[order].astype(float), truth.boxes.astype(float))
        taken = np.zeros(len(ignored), bool)
        for row, box in enumerate(order):
            fits = (same[row] >= ENOUGH) & ~taken
            real = np.flatnonzero(fits & ~ignored)
            rest = np.flatnonzero(fits & ignored)
            if len(real):
                taken[real[same[row, real].argmax()]] = True
            elif len(rest):
                taken[rest[same[row, rest].argmax()]] = True
                continue
            elif not sizes[0] <= boxes[box, 2:].max() < sizes[1]:
                continue
            scores.append(sure[box])
            right.append(len(real) > 0)
            pictures.append(number)
    order = np.argsort(-np.array(scores), kind="stable")
    return Matches(np.array(scores)[order], np.array(right, bool)[order], faces, np.array(pictures, int)[order])
