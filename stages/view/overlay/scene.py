"""The places for label boxes in one picture: inside it, beside the head, and where they were before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .orbit import Rectangle

Size = tuple[int, int]

# What a pixel of a label box costs on somebody's body, which is taken to be so many faces wide and high, and near the
# face of another, in units of one on its own face; what a label box costs for each place further down the list, in
# units of its area: decides between equals.
_ON_BODY, _NEAR_OTHERS, _LATER = 0.3, 0.4, 0.02
_BODY_WIDTH, _BODY_HEIGHT = 2.0, 2.5
_NEAR = 2.0  # of a face's side: so far to its left and right somebody else's label box is soon in its way
APART = 2  # pixels between two label boxes
_RAISED = 0.55  # of a face's side at most: as much as a brief label box is high
_CLEAR = 8  # pixels around a place that a label box goes to although it need not
_FAR, _FAR_SIDES = 0.3, (4, 5)  # what it costs, in units of its area, to be above with room for another one
# A label box stays where it is until it covers something, by half more than a new one may; or until it would
# hide less of face and bodies elsewhere, by so much of its area.
_STAYS, _BETTER = 1.5, 0.25
THERE = (0.0, 0.0)  # the shift of one that is where it is to be
COVERS_GLIDING = 0.3  # of its own face, where the picture's edge leaves no way around


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
    shift: tuple[float, float] = (0.0, 0.0)  # from there, in sides of the face: it is on its way


@dataclass(frozen=True, slots=True)
class Placed:
    """A label box in the picture."""

    spot: Spot
    corner: tuple[int, int]  # left, top, in pixels


class Scene:
    """The faces of a picture, and the label boxes that are placed already.

    One rectangle is looked at in plain Python: NumPy takes longer for so few numbers, and from frame to frame most
    label boxes only stay where they are.
    """

    def __init__(
        self,
        boxes: np.ndarray,
        gap: int,
        width: int,
        height: int,
        taken: Sequence[Sequence[float]],
    ):
        """The arguments are those of `place_label_boxes`."""
        self._array, self._boxes = boxes, [tuple(box) for box in boxes.tolist()]
        self._sides = [max(1.0, x2 - x1, y2 - y1) for x1, y1, x2, y2 in self._boxes]
        self._gap, self._width, self._height = gap, width, height
        self._areas = [max(1.0, (x2 - x1) * (y2 - y1)) for x1, y1, x2, y2 in self._boxes]
        self._bodies = [_body(*box) for box in self._boxes]
        self._taken, self._rectangles = [tuple(of) for of in taken], {}  # label boxes by their faces

    def keep(self, face: int, choices: Sequence[Choice | None], spot: Spot) -> Placed | None:
        """On the side where it was: as it was, or smaller where it would cover something now; None where that would."""
        there = [number for number in range(spot.choice, len(choices)) if choices[number] is not None]
        for number in there:
            smaller = replace(spot, choice=number)
            if number != there[0] and spot.shift != THERE:
                smaller = self._shrunk(face, choices, replace(spot, choice=there[0]), number)
            if found := self._at(face, choices, smaller, _STAYS):
                return found
        return None

    def _shrunk(self, face: int, choices: Sequence[Choice | None], spot: Spot, number: int) -> Spot:
        """On its way, with a smaller label box: the corner that is nearest to the face stays."""
        x1, y1, x2, y2 = self._shifted(face, choices[spot.choice].size, spot)
        (left, top, right, bottom), (wide, high) = self._boxes[face], choices[number].size
        x = x1 if abs(2 * x1 - left - right) <= abs(2 * x2 - left - right) else x2 - wide
        y = y1 if abs(2 * y1 - top - bottom) <= abs(2 * y2 - top - bottom) else y2 - high
        return self._on_the_way(face, choices, number, spot.side, (x, y, x + wide, y + high))

    def improve(self, face: int, choices: Sequence[Choice | None], now: Placed) -> Placed:
        """A larger label box on the same side, or a much better side, or where it is."""
        wide, high = choices[now.spot.choice].size
        is_largest = all(choice is None for choice in choices[: now.spot.choice])
        if is_largest and self._hidden(face, self._rectangles[face], now.spot.side) < _BETTER * wide * high:
            return now  # No place is so much better.
        before = self._rectangles.pop(face)
        for number in range(now.spot.choice):
            if found := self._at(face, choices, Spot(number, now.spot.side), margin=_CLEAR):
                return found
        found = self.find(face, choices[: now.spot.choice + 1], margin=_CLEAR)
        if found is not None:
            rectangles = before, self._rectangles[face]
            hidden = [self._hidden(face, of, at.spot.side) for of, at in zip(rectangles, (now, found), strict=True)]
            if found.spot.choice < now.spot.choice or hidden[0] - hidden[1] >= _BETTER * wide * high:
                return found
        self._rectangles[face] = before
        return now

    def _at(
        self, face: int, choices: Sequence[Choice | None], spot: Spot, slack: float = 1.0, margin: int = 0
    ) -> Placed | None:
        """There, if it may be, with a `margin` of so many pixels that is free too."""
        choice = choices[spot.choice]
        if choice is None:
            return None
        rectangle, covers = self._candidates(face, choice.size)[spot.side], slack * choice.covers
        if spot.shift != THERE:
            rectangle = self._within(self._shifted(face, choice.size, spot))
            covers = max(covers, COVERS_GLIDING)
        return self._place(face, spot, rectangle) if self._is_free(face, rectangle, covers, margin) else None

    def _shifted(self, face: int, size: Size, spot: Spot) -> Rectangle:
        """The rectangle of a label box on its way, wherever that is."""
        x, y = np.add(self._corners(face, size)[spot.side], np.multiply(self._sides[face], spot.shift)).tolist()
        return x, y, x + size[0], y + size[1]

    def _is_free(self, face: int, rectangle: Rectangle, covers: float, margin: int = 0) -> bool:
        others = (box for number, box in enumerate(self._boxes) if number != face)
        if any(_common(rectangle, of) for of in (*self._written(face, margin), *wider(others, margin))):
            return False
        return _common(rectangle, self._boxes[face]) <= covers * self._areas[face]

    def _on_the_way(self, face: int, choices: Sequence[Choice | None], choice: int, side: int, here: Rectangle) -> Spot:
        # From where it would be if the picture had no edges: then it goes along with the face.
        shift = np.subtract(here[:2], self._corners(face, choices[choice].size)[side]) / self._sides[face]
        return Spot(choice, side, tuple(shift.tolist()))

    def _within(self, rectangle: Rectangle) -> Rectangle:
        """The rectangle in whole pixels, moved into the picture."""
        wide, high = round(rectangle[2] - rectangle[0]), round(rectangle[3] - rectangle[1])
        x = min(max(round(rectangle[0]), 0), max(0, self._width - wide))
        y = min(max(round(rectangle[1]), 0), max(0, self._height - high))
        return x, y, x + wide, y + high

    def find(self, face: int, choices: Sequence[Choice | None], margin: int = 0) -> Placed | None:
        """The best place for the first label box that has any; `margin`: as for `_at`."""
        others = (box for number, box in enumerate(self._boxes) if number != face)
        blocked = np.array([*self._written(face, margin), *wider(others, margin)]).reshape(-1, 4)
        for number, choice in enumerate(choices):
            if choice is None:
                continue
            rectangles = self._candidates(face, choice.size)
            candidates = np.array(rectangles)
            own = _covered(candidates, self._array[face : face + 1])[:, 0] / self._areas[face]
            allowed = (_covered(candidates, blocked).sum(axis=1) == 0) & (own <= choice.covers)
            if allowed.any():
                side = int(np.argmin(np.where(allowed, self._costs(face, rectangles, candidates), np.inf)))
                return self._place(face, Spot(number, side), rectangles[side])
        return None

    def _place(self, face: int, spot: Spot, rectangle: Rectangle) -> Placed:
        self._rectangles[face] = rectangle
        return Placed(spot, (int(rectangle[0]), int(rectangle[1])))

    def _written(self, face: int, margin: int) -> Iterator[Rectangle]:
        """What a label box of this face must not cover: other ones, with some pixels around them, and what is taken."""
        yield from wider(self._taken, margin)
        others = (rectangle for number, rectangle in self._rectangles.items() if number != face)
        yield from wider(others, max(margin, APART))

    def _costs(self, face: int, rectangles: list[Rectangle], candidates: np.ndarray) -> np.ndarray:
        x1, y1, x2, y2 = rectangles[0]
        near = _covered(candidates, np.delete(_sides(self._array), face, axis=0)).sum(axis=1)
        hidden = np.array([self._hidden(face, rectangle, side) for side, rectangle in enumerate(rectangles)])
        return hidden + _NEAR_OTHERS * near + _LATER * (x2 - x1) * (y2 - y1) * np.arange(len(rectangles))

    def _hidden(self, face: int, rectangle: Rectangle, side: int) -> float:
        """What a label box there costs because of what is below it, or because it is far from its face."""
        on_bodies = sum(_common(rectangle, body) for body in self._bodies)
        far = _FAR * (rectangle[2] - rectangle[0]) * (rectangle[3] - rectangle[1]) if side in _FAR_SIDES else 0.0
        return _common(rectangle, self._boxes[face]) + _ON_BODY * on_bodies + far

    def _candidates(self, face: int, size: Size) -> list[Rectangle]:
        """Rectangles x1, y1, x2, y2 for a label box, the preferred first, moved into the picture."""
        (wide, high), right, lower = size, max(0, self._width - size[0]), max(0, self._height - size[1])
        corners = self._corners(face, size)
        within = [(min(max(round(x), 0), right), min(max(round(y), 0), lower)) for x, y in corners]
        return [(x, y, x + wide, y + high) for x, y in within]

    def _corners(self, face: int, size: Size) -> tuple[tuple[float, float], ...]:
        """Their left upper corners, wherever these are."""
        (x1, y1, x2, y2), (wide, high), gap = self._boxes[face], size, self._gap
        above = y1 - gap - high
        raised = above - min(high, _RAISED * self._sides[face]) - APART
        return (
            (x2 + gap, y1),  # to the right
            (x1 - gap - wide, y1),  # to the left
            (x1, above),
            (x2 - wide, above),
            (x1, raised),  # with room for another one below it
            (x2 - wide, raised),
            (x2 + gap, y2 - high),
            (x1 - gap - wide, y2 - high),
            (x1, y2 + gap),  # below
            (x2 - wide, y2 + gap),
            (x1 + gap, y2 - high - gap),  # within the box, over the chin
        )


def _body(x1: float, y1: float, x2: float, y2: float) -> Rectangle:
    """Roughly where the body below a face is."""
    middle, half = (x1 + x2) / 2, _BODY_WIDTH / 2 * (x2 - x1)
    return middle - half, y2, middle + half, y2 + _BODY_HEIGHT * (y2 - y1)


def _sides(boxes: np.ndarray) -> np.ndarray:
    """Faces, and what is to their left and right: float (N, 4)."""
    reach = _NEAR * (boxes[:, 2] - boxes[:, 0])
    return boxes + np.stack([-reach, np.zeros_like(reach), reach, np.zeros_like(reach)], axis=1)


def common_areas(rectangles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many pixels rectangles (..., 4) have in common, those in the same places of two arrays: (...)."""
    low = np.maximum(rectangles[..., :2], others[..., :2])
    high = np.minimum(rectangles[..., 2:], others[..., 2:])
    return np.clip(high - low, 0, None).prod(axis=-1)


def _covered(candidates: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
    """How many pixels of each of `rectangles` (M, 4) each of the candidates (K, 4) covers: float (K, M)."""
    return common_areas(candidates[:, None], rectangles[None])


def wider(rectangles: Iterable[Rectangle], margin: int) -> Iterator[Rectangle]:
    return ((x1 - margin, y1 - margin, x2 + margin, y2 + margin) for x1, y1, x2, y2 in rectangles)


def _common(one: Rectangle, other: Rectangle) -> float:
    """How many pixels two rectangles have in common."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across * down if across > 0 and down > 0 else 0.0
