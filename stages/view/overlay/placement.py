"""Where the label box with a face's labels goes: inside the picture, beside the head, and where it was before.

From one place to another it glides around its face, and it sets out before somebody comes in its way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .orbit import Orbit, Rectangle, Way

Size = tuple[int, int]

# What a pixel of a label box costs on somebody's body, which is taken to be so many faces wide and high, and near the
# face of another, in units of one on its own face; what a label box costs for each place further down the list, in
# units of its area: decides between equals.
_ON_BODY, _NEAR_OTHERS, _LATER = 0.3, 0.4, 0.02
_BODY_WIDTH, _BODY_HEIGHT = 2.0, 2.5
_NEAR = 2.0  # of a face's side: so far to its left and right somebody else's label box is soon in its way
_APART = 2  # pixels between two label boxes
_RAISED = 0.55  # of a face's side at most: as much as a brief label box is high
_CLEAR = 8  # pixels around a place that a label box goes to although it need not
_FAR, _FAR_SIDES = 0.3, (4, 5)  # what it costs, in units of its area, to be above with room for another one
# A label box stays where it is until it covers something, by half more than a new one may; or until it would
# hide less of face and bodies elsewhere, by so much of its area.
_STAYS, _BETTER = 1.5, 0.25
# It glides at so many sides of its face a second, and by no more than so many from frame to frame.
_SPEED, _STEP = 4.0, 0.16
_FARTHEST = 1.0  # of a face's side: so far from it a label box makes room for somebody
_COVERS_GLIDING = 0.3  # of its own face, where the picture's edge leaves no way around
# It looks for another place when its own will be covered so soon, and takes one that stays free for so much longer.
_AHEAD_S = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.25])
_SOON_S, _LONGER_S = 0.7, 0.3
_THERE = (0.0, 0.0)
_AROUND = np.array([(0, -1), (1, 0), (-1, 0), (0, 1), *np.array([(1, -1), (-1, -1), (1, 1), (-1, 1)]) * 0.5**0.5])
_ASIDE = np.concatenate([_AROUND, 1.4 * _AROUND])  # in steps, where it has to make room
_TRAVEL = 0.15  # what a place costs for each side of its face that the way to it is long, in units of its area


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


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How faces move, for label boxes that glide."""

    velocities: np.ndarray  # float (N, 2), pixels a second
    passed_s: float  # since the frame before
    hidden: np.ndarray  # float (M, 4): faces that were seen a moment ago, where they may come back
    hidden_velocities: np.ndarray  # float (M, 2)


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
    motion: Motion | None = None,
) -> list[Placed | None]:
    """The place of each face's label box; None where none finds room.

    boxes: float (N, 4) x1, y1, x2, y2 in pixels; choices: the label boxes that each face could have, the preferred
    first, None for one that cannot be had; gap: pixels between box and label box; width, height: of the picture;
    taken: x1, y1, x2, y2 of what else is written there.

    No label box covers another one, what is `taken`, or any part of another face. former: where each was in the frame
    before; it stays on that side as long as it may, also where a new one would be placed otherwise, and rather becomes
    smaller. may_move: which of these may become larger again, or go to a much better place. motion: with it, label
    boxes glide; without, each is at once where it goes to, or where it was on its way.
    """
    scene = _Scene(boxes, gap, width, height, taken, motion)
    placed: list[Placed | None] = [None] * len(choices)
    for face, spot in enumerate(former):
        if spot is not None:
            placed[face] = scene.keep(face, choices[face], spot)
    for face, of_face in enumerate(choices):
        now, may = placed[face], len(may_move) and may_move[face]
        if now is None:
            spot = former[face] if motion and len(former) else None
            placed[face] = (spot and scene.dodge(face, of_face, spot)) or scene.find(face, of_face)
        elif motion:
            has_shrunk = now.spot.choice != former[face].choice
            placed[face] = now if has_shrunk else scene.glide(face, of_face, now, may)
        elif may:
            placed[face] = scene.improve(face, of_face, now)
    return placed


class _Scene:
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
        motion: Motion | None,
    ):
        self._array, self._boxes, self._motion = boxes, [tuple(box) for box in boxes.tolist()], motion
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
            if number != there[0] and spot.shift != _THERE:
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

    def dodge(self, face: int, choices: Sequence[Choice | None], spot: Spot) -> Placed | None:
        """A little aside, where somebody came in its way faster than it could go; None where that is not enough."""
        step = self._step(face) / self._sides[face]
        for aside in _ASIDE:
            shift = tuple((spot.shift + step * aside).tolist())
            if found := self.keep(face, choices, replace(spot, shift=shift)):
                if self._distance(face) <= _FARTHEST * self._sides[face]:
                    return found
                del self._rectangles[face]
        return None

    def _distance(self, face: int) -> float:
        """Pixels between a face and its label box."""
        (x1, y1, x2, y2), (left, top, right, bottom) = self._boxes[face], self._rectangles[face]
        return max(0.0, left - x2, x1 - right, top - y2, y1 - bottom)

    def glide(self, face: int, choices: Sequence[Choice | None], now: Placed, may_move: bool) -> Placed:
        """A step nearer to where it is to be."""
        if may_move and now.spot.shift == _THERE:
            better = self.improve(face, choices, now)
            if better.spot.side == now.spot.side:
                return better  # Larger, in the same corner.
            self._rectangles[face] = (*now.corner, *np.add(now.corner, choices[now.spot.choice].size).tolist())
            side = better.spot.side
        else:
            side = self._aim(face, choices, now)
        if side == now.spot.side and now.spot.shift == _THERE:
            return now
        here, choice = self._rectangles[face], now.spot.choice
        target = self._candidates(face, choices[choice].size)[side]
        if math.dist(here[:2], target[:2]) <= self._step(face) and self._is_free(face, target, choices[choice].covers):
            return self._place(face, Spot(choice, side), target)
        for way in self._ways(face, here, target):
            rectangle = self._within(way.at(self._step(face)))
            if self._is_free(face, rectangle, _COVERS_GLIDING):
                return self._place(face, self._on_the_way(face, choices, choice, side, rectangle), rectangle)
        return self._place(face, self._on_the_way(face, choices, choice, side, here), here)

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
        if spot.shift != _THERE:
            rectangle = self._within(self._shifted(face, choice.size, spot))
            covers = max(covers, _COVERS_GLIDING)
        return self._place(face, spot, rectangle) if self._is_free(face, rectangle, covers, margin) else None

    def _shifted(self, face: int, size: Size, spot: Spot) -> Rectangle:
        """The rectangle of a label box on its way, wherever that is."""
        x, y = np.add(self._corners(face, size)[spot.side], np.multiply(self._sides[face], spot.shift)).tolist()
        return x, y, x + size[0], y + size[1]

    def _is_free(self, face: int, rectangle: Rectangle, covers: float, margin: int = 0) -> bool:
        others = (box for number, box in enumerate(self._boxes) if number != face)
        if any(_common(rectangle, of) for of in (*self._written(face, margin), *_wider(others, margin))):
            return False
        return _common(rectangle, self._boxes[face]) <= covers * self._areas[face]

    def _aim(self, face: int, choices: Sequence[Choice | None], now: Placed) -> int:
        """On which side it is to be: where it is or goes to, unless something will be in its way there soon."""
        choice, side = choices[now.spot.choice], now.spot.side
        rectangles = self._candidates(face, choice.size)
        free_s = self._free_s(face, choice)
        if free_s[side] > _SOON_S:
            return side
        good = free_s >= free_s[side] + _LONGER_S
        if not good.any():
            return side
        here, area = self._rectangles[face], choice.size[0] * choice.size[1]
        orbit = Orbit(self._boxes[face], choice.size, self._gap)
        travel = [orbit.ways(here, rectangle)[0].length / self._sides[face] for rectangle in rectangles]
        costs = self._costs(face, rectangles, np.array(rectangles)) + _TRAVEL * area * np.array(travel)
        longest = good & (free_s >= min(free_s[good].max(), _AHEAD_S[-1]))
        return int(np.argmin(np.where(longest, costs, np.inf)))

    def _free_s(self, face: int, choice: Choice) -> np.ndarray:
        """How long a label box may be on each side of its face, if all faces go on as they do: float (K,)."""
        velocities = self._motion.velocities
        moved = _AHEAD_S[:, None] * velocities[face]  # (T, 2)
        most = np.maximum((self._width - choice.size[0], self._height - choice.size[1]), 0)
        corners = np.clip(np.array(self._corners(face, choice.size))[:, None] + moved, 0, most)  # (K, T, 2)
        candidates = np.concatenate([corners, corners + choice.size], axis=2)
        own = self._array[face] + np.tile(moved, 2)  # (T, 4)
        is_blocked = _common_areas(candidates, own[None]) > choice.covers * self._areas[face]
        boxes, velocities = self._in_the_way(face)
        if len(boxes):
            then = boxes[None] + _AHEAD_S[:, None, None] * np.tile(velocities, 2)[None]  # (T, M, 4)
            is_blocked |= (_common_areas(candidates[:, :, None], then[None]) > 0).any(axis=2)
        return np.where(is_blocked.any(axis=1), _AHEAD_S[is_blocked.argmax(axis=1)], np.inf)

    def _in_the_way(self, face: int) -> tuple[np.ndarray, np.ndarray]:
        """What a label box of this face must not cover: boxes (M, 4), and their velocities (M, 2)."""
        others = [number for number in range(len(self._boxes)) if number != face]
        written = [number for number in self._rectangles if number != face]
        motion, labels = self._motion, [*_wider((self._rectangles[number] for number in written), _APART), *self._taken]
        boxes = [self._array[others], np.array(labels).reshape(-1, 4), motion.hidden]
        of_labels = [motion.velocities[written], np.zeros((len(self._taken), 2))]
        return np.concatenate(boxes), np.concatenate([motion.velocities[others], *of_labels, motion.hidden_velocities])

    def _ways(self, face: int, here: Rectangle, target: Rectangle) -> list[Way]:
        """The ways to a place on which nothing will be, the shorter first."""
        size, step = (round(here[2] - here[0]), round(here[3] - here[1])), max(1.0, self._step(face))
        boxes, velocities = self._in_the_way(face)
        velocities = velocities - self._motion.velocities[face]

        def is_blocked(way: Way) -> bool:
            stops = range(2, 2 + math.ceil(way.length / step), 4)  # in steps
            passed_s = self._motion.passed_s * np.array(stops)
            rectangles = np.array([self._within(way.at(step * stop)) for stop in stops])
            then = boxes[None] + passed_s[:, None, None] * np.tile(velocities, 2)[None]
            own = _common_areas(rectangles, self._array[face][None]) > _COVERS_GLIDING * self._areas[face]
            return bool(own.any() or _common_areas(rectangles[:, None], then).any())

        return [way for way in Orbit(self._boxes[face], size, self._gap).ways(here, target) if not is_blocked(way)]

    def _step(self, face: int) -> float:
        """Pixels that its label box may glide from one frame to the next."""
        return self._sides[face] * min(_SPEED * self._motion.passed_s, _STEP)

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
        blocked = np.array([*self._written(face, margin), *_wider(others, margin)]).reshape(-1, 4)
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
        yield from _wider(self._taken, margin)
        others = (rectangle for number, rectangle in self._rectangles.items() if number != face)
        yield from _wider(others, max(margin, _APART))

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
        raised = above - min(high, _RAISED * self._sides[face]) - _APART
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


def _common_areas(rectangles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many pixels rectangles (..., 4) have in common, those in the same places of two arrays: (...)."""
    low = np.maximum(rectangles[..., :2], others[..., :2])
    high = np.minimum(rectangles[..., 2:], others[..., 2:])
    return np.clip(high - low, 0, None).prod(axis=-1)


def _covered(candidates: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
    """How many pixels of each of `rectangles` (M, 4) each of the candidates (K, 4) covers: float (K, M)."""
    return _common_areas(candidates[:, None], rectangles[None])


def _wider(rectangles: Iterable[Rectangle], margin: int) -> Iterator[Rectangle]:
    return ((x1 - margin, y1 - margin, x2 + margin, y2 + margin) for x1, y1, x2, y2 in rectangles)


def _common(one: Rectangle, other: Rectangle) -> float:
    """How many pixels two rectangles have in common."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across * down if across > 0 and down > 0 else 0.0
