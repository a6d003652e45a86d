"""Where the label box with a face's labels goes: inside the picture, beside the head, and where it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Size = tuple[int, int]

# What a pixel of a label box costs on somebody's body, which is taken to be so many faces wide and high, and near the
# face of another, in units of one on its own face; what a label box costs for each place further down the list, in
# units of its area: decides between equals.
_ON_BODY, _NEAR_OTHERS, _LATER = 0.3, 0.4, 0.02
_BODY_WIDTH, _BODY_HEIGHT = 2.0, 2.5
_NEAR = 2.0  # of a face's side: so far to its left and right somebody else's label box is soon in its way
_APART = 2  # pixels between two label boxes
# A label box stays where it is until it covers something, by half more than a new one may; or until it would
# hide less of face and bodies elsewhere, by so much of its area.
_STAYS, _BETTER = 1.5, 0.25


@dataclass(frozen=True, slots=True)
class Choice:
    """A label box that a face could have."""

    size: Size  # no larger than the picture
    covers: float  # the share of its own face that it may cover


@dataclass(frozen=True, slots=True)
class Spot:
    """Which of a face's label boxes is drawn, and where beside the face."""

    choice: int  # its place among those that the face could have
    side: int  # of `_candidates`


@dataclass(frozen=True, slots=True)
class Placed:
    """A label box in the picture."""

    spot: Spot
    corner: tuple[int, int]  # left, top, in pixels


def place_label_boxes(
    boxes: np.ndarray,
    choices: Sequence[Sequence[Choice | None]],
    gap: int,
    width: int,
    height: int,
    taken: Sequence[Sequence[float]] = (),
    former: Sequence[Spot | None] = (),
    may_move: Sequence[bool] = (),
) -> list[Placed | None]:
    """The place of each face's label box; None where none finds room.

    boxes: float (N, 4) x1, y1, x2, y2 in pixels; choices: the label boxes that each face could have, the preferred
    first, None for one that cannot be had; gap: pixels between box and label box; width, height: of the picture;
    taken: x1, y1, x2, y2 of what else is written there.

    No label box covers another one, what is `taken`, or any part of another face. former: where each was in the frame
    before; it stays on that side as long as it may, also where a new one would be placed otherwise, and rather becomes
    smaller. may_move: which of these may become larger again, or go to a much better place.
    """
    scene = _Scene(boxes, gap, width, height, np.array(taken, float).reshape(-1, 4))
    placed: list[Placed | None] = [None] * len(choices)
    for face, spot in enumerate(former):
        if spot is not None:
            placed[face] = scene.keep(face, choices[face], spot)
    for face, of_face in enumerate(choices):
        if placed[face] is None:
            placed[face] = scene.find(face, of_face)
        elif len(may_move) and may_move[face]:
            placed[face] = scene.improve(face, of_face, placed[face])
    return placed


class _Scene:
    """The faces of a picture, and the label boxes that are placed already."""

    def __init__(self, boxes: np.ndarray, gap: int, width: int, height: int, taken: np.ndarray):
        self._boxes, self._gap, self._width, self._height = boxes, gap, width, height
        self._areas = np.maximum(1.0, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
        self._bodies, self._near = _bodies(boxes), _sides(boxes)
        self._taken, self._placed = taken, {}

    def keep(self, face: int, choices: Sequence[Choice | None], spot: Spot) -> Placed | None:
        """On the side where it was: as it was, or smaller where it would cover something now; None where that would."""
        for number in range(spot.choice, len(choices)):
            if found := self._at(face, choices, Spot(number, spot.side), _STAYS):
                return found
        return None

    def find(self, face: int, choices: Sequence[Choice | None]) -> Placed | None:
        """The best place for the first label box that has any."""
        for number, choice in enumerate(choices):
            if choice is None:
                continue
            candidates = self._candidates(face, choice.size)
            allowed = self._allowed(face, candidates, choice.covers)
            if allowed.any():
                side = int(np.argmin(np.where(allowed, self._costs(face, candidates), np.inf)))
                return self._place(face, Spot(number, side), candidates[side])
        return None

    def improve(self, face: int, choices: Sequence[Choice | None], now: Placed) -> Placed:
        """A larger label box on the same side, or a much better side, or where it is."""
        before = self._placed.pop(face)
        for number in range(now.spot.choice):
            if found := self._at(face, choices, Spot(number, now.spot.side)):
                return found
        found = self.find(face, choices[: now.spot.choice + 1])
        if found is not None and (found.spot.choice < now.spot.choice or self._is_better(face, choices, found, now)):
            return found
        self._placed[face] = before
        return now

    def _at(self, face: int, choices: Sequence[Choice | None], spot: Spot, slack: float = 1.0) -> Placed | None:
        """There, if it may be."""
        choice = choices[spot.choice]
        if choice is None:
            return None
        candidate = self._candidates(face, choice.size)[spot.side : spot.side + 1]
        return (
            self._place(face, spot, candidate[0]) if self._allowed(face, candidate, slack * choice.covers)[0] else None
        )

    def _is_better(self, face: int, choices: Sequence[Choice | None], found: Placed, now: Placed) -> bool:
        wide, high = choices[now.spot.choice].size
        hidden = self._hidden(face, self._candidates(face, (wide, high)))
        return hidden[now.spot.side] - hidden[found.spot.side] >= _BETTER * wide * high

    def _place(self, face: int, spot: Spot, rectangle: np.ndarray) -> Placed:
        self._placed[face] = rectangle + (-_APART, -_APART, _APART, _APART)
        return Placed(spot, (int(rectangle[0]), int(rectangle[1])))

    def _allowed(self, face: int, candidates: np.ndarray, covers: float) -> np.ndarray:
        """Which of the rectangles may be taken: bool (K,)."""
        written = np.array([*self._taken, *self._placed.values()]).reshape(-1, 4)
        own = _covered(candidates, self._boxes[face : face + 1])[:, 0] / self._areas[face]
        others = _covered(candidates, np.delete(self._boxes, face, axis=0))
        free = (_covered(candidates, written).sum(axis=1) == 0) & (others.sum(axis=1) == 0)
        return free & (own <= covers)

    def _costs(self, face: int, candidates: np.ndarray) -> np.ndarray:
        (wide, high), count = candidates[0, 2:] - candidates[0, :2], len(candidates)
        near = _covered(candidates, np.delete(self._near, face, axis=0)).sum(axis=1)
        return self._hidden(face, candidates) + _NEAR_OTHERS * near + _LATER * wide * high * np.arange(count)

    def _hidden(self, face: int, candidates: np.ndarray) -> np.ndarray:
        on_face = _covered(candidates, self._boxes[face : face + 1])[:, 0]
        return on_face + _ON_BODY * _covered(candidates, self._bodies).sum(axis=1)

    def _candidates(self, face: int, size: Size) -> np.ndarray:
        """Rectangles x1, y1, x2, y2 for a label box, the preferred first, moved into the picture: float (11, 4)."""
        (x1, y1, x2, y2), (wide, high), gap = self._boxes[face], size, self._gap
        corners = np.array(
            [
                (x2 + gap, y1),  # to the right
                (x1 - gap - wide, y1),  # to the left
                (x1, y1 - gap - high),  # above
                (x2 - wide, y1 - gap - high),
                (x1, y1 - gap - 2 * high - _APART),  # above, with room for another one below it
                (x2 - wide, y1 - gap - 2 * high - _APART),
                (x2 + gap, y2 - high),
                (x1 - gap - wide, y2 - high),
                (x1, y2 + gap),  # below
                (x2 - wide, y2 + gap),
                (x1 + gap, y2 - high - gap),  # within the box, over the chin
            ]
        )
        limits = max(0, self._width - wide), max(0, self._height - high)
        corners = np.clip(np.rint(corners), 0, limits)
        return np.hstack([corners, corners + (wide, high)])


def _bodies(boxes: np.ndarray) -> np.ndarray:
    """Roughly where the bodies below faces are: float (N, 4)."""
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    half = _BODY_WIDTH / 2 * wide
    return np.stack([middle - half, boxes[:, 3], middle + half, boxes[:, 3] + _BODY_HEIGHT * high], axis=1)


def _sides(boxes: np.ndarray) -> np.ndarray:
    """Faces, and what is to their left and right: float (N, 4)."""
    reach = _NEAR * (boxes[:, 2] - boxes[:, 0])
    return boxes + np.stack([-reach, np.zeros_like(reach), reach, np.zeros_like(reach)], axis=1)


def _covered(candidates: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
    """How many pixels of each of `rectangles` (M, 4) each of the candidates (K, 4) covers: float (K, M)."""
    low = np.maximum(candidates[:, None, :2], rectangles[None, :, :2])
    high = np.minimum(candidates[:, None, 2:], rectangles[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2)
