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
_CLEAR = 8  # pixels around a place that a label box goes to although it need not
_FAR, _FAR_SIDES = 0.3, (4, 5)  # what it costs, in units of its area, to be above with room for another one
# A label box stays where it is until it covers something, by half more than a new one may; or until it would
# hide less of face and bodies elsewhere, by so much of its area.
_STAYS, _BETTER = 1.5, 0.25
# It glides at so many sides of its face a second, and by no more than so many from frame to frame.
_SPEED, _STEP = 4.0, 0.16
_COVERS_GLIDING = 0.3  # of its own face, where the picture's edge leaves no way around
# It looks for another place when its own will be covered so soon, and takes one that stays free for so much longer.
_AHEAD_S = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.25])
_SOON_S, _LONGER_S = 0.7, 0.3
_THERE = (0.0, 0.0)
_DIRECTIONS = np.array([(0, -1), (1, 0), (-1, 0), (0, 1), *np.array([(1, -1), (-1, -1), (1, 1), (-1, 1)]) * 0.5**0.5])
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
    hidden: Sequence[Rectangle] = ()  # faces that were seen a moment ago, where they may come back


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
        for number in range(spot.choice, len(choices)):
            if found := self._at(face, choices, replace(spot, choice=number), _STAYS):
                return found
        return None

    def dodge(self, face: int, choices: Sequence[Choice | None], spot: Spot) -> Placed | None:
        """A little aside, where somebody came in its way faster than it could go; None where that is not enough."""
        step = self._step(face) / self._sides[face]
        for direction in _DIRECTIONS:
            shift = tuple((spot.shift + step * direction).tolist())
            if found := self.keep(face, choices, replace(spot, shift=shift)):
                return found
        return None

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
            x, y = np.add(self._corners(face, choice.size)[spot.side], np.multiply(self._sides[face], spot.shift))
            rectangle = self._within((x, y, x + choice.size[0], y + choice.size[1]))
            covers = max(covers, _COVERS_GLIDING)
        return self._place(face, spot, rectangle) if self._is_free(face, rectangle, covers, margin) else None

    def _is_free(self, face: int, rectangle: Rectangle, covers: float, margin: int = 0) -> bool:
        others = (box for number, box in enumerate(self._boxes) if number != face)
        if any(_common(rectangle, of) for of in (*self._written(face, margin), *_wider(others, margin))):
            return False
        return _common(rectangle, self._boxes[face]) <= covers * self._areas[face]

    def _aim(self, face: int, choices: Sequence[Choice | None], now: Placed) -> int:
        """On which side it is to be: where it is or goes to, unless somebody will come there soon."""
        choice, side = choices[now.spot.choice], now.spot.side
        rectangles = self._candidates(face, choice.size)
        candidates = np.array(rectangles)
        free_s = self._free_s(face, candidates)
        if free_s[side] > _SOON_S:
            return side
        own = _covered(candidates, self._array[face : face + 1])[:, 0] / self._areas[face]
        good = (own <= choice.covers) & (free_s >= free_s[side] + _LONGER_S)
        if not good.any():
            return side
        here, area = self._rectangles[face], choice.size[0] * choice.size[1]
        orbit = Orbit(self._boxes[face], choice.size, self._gap)
        travel = [orbit.ways(here, rectangle)[0].length / self._sides[face] for rectangle in rectangles]
        costs = self._costs(face, rectangles, candidates) + _TRAVEL * area * np.array(travel)
        longest = good & (free_s >= min(free_s[good].max(), _AHEAD_S[-1]))
        return int(np.argmin(np.where(longest, costs, np.inf)))

    def _free_s(self, face: int, candidates: np.ndarray) -> np.ndarray:
        """How long each of the candidates (K, 4) will be free beside its face, if all faces go on as they do: (K,)."""
        velocities = self._motion.velocities
        others = [number for number in range(len(self._boxes)) if number != face]
        written = [number for number in self._rectangles if number != face]
        boxes = [*(self._boxes[n] for n in others), *_wider((self._rectangles[n] for n in written), _APART)]
        resting = [*self._taken, *self._motion.hidden]
        boxes += resting
        moving = [*(velocities[n] for n in (*others, *written)), *([(0.0, 0.0)] * len(resting))]
        if not boxes:
            return np.full(len(candidates), np.inf)
        relative = np.tile(np.array(moving) - velocities[face], 2)  # (M, 4)
        then = np.array(boxes)[None] + _AHEAD_S[:, None, None] * relative[None]  # (T, M, 4)
        low = np.maximum(candidates[:, None, None, :2], then[None, ..., :2])
        high = np.minimum(candidates[:, None, None, 2:], then[None, ..., 2:])
        is_blocked = ((high - low) > 0).all(axis=3).any(axis=2)  # (K, T)
        return np.where(is_blocked.any(axis=1), _AHEAD_S[is_blocked.argmax(axis=1)], np.inf)

    def _ways(self, face: int, here: Rectangle, target: Rectangle) -> list[Way]:
        """The ways to a place, those that are free now first."""
        size = round(here[2] - here[0]), round(here[3] - here[1])
        ways = Orbit(self._boxes[face], size, self._gap).ways(here, target)
        step = max(4 * self._step(face), 1.0)

        def is_blocked(way: Way) -> bool:
            stops = (self._within(way.at(step * n)) for n in range(1, 1 + math.ceil(way.length / step)))
            return not all(self._is_free(face, stop, _COVERS_GLIDING) for stop in stops)

        return sorted(ways, key=is_blocked)

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
        return (
            (x2 + gap, y1),  # to the right
            (x1 - gap - wide, y1),  # to the left
            (x1, above),
            (x2 - wide, above),
            (x1, above - high - _APART),  # with room for another one below it
            (x2 - wide, above - high - _APART),
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


def _covered(candidates: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
    """How many pixels of each of `rectangles` (M, 4) each of the candidates (K, 4) covers: float (K, M)."""
    low = np.maximum(candidates[:, None, :2], rectangles[None, :, :2])
    high = np.minimum(candidates[:, None, 2:], rectangles[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2)


def _wider(rectangles: Iterable[Rectangle], margin: int) -> Iterator[Rectangle]:
    return ((x1 - margin, y1 - margin, x2 + margin, y2 + margin) for x1, y1, x2, y2 in rectangles)


def _common(one: Rectangle, other: Rectangle) -> float:
    """How many pixels two rectangles have in common."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across * down if across > 0 and down > 0 else 0.0
