"""Label boxes that glide around their faces from one place to another, and set out before somebody is in their way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .orbit import Orbit, Rectangle, Way
from .scene import APART, COVERS_GLIDING, THERE, Choice, Placed, Scene, Spot, common_areas, wider

# A label box glides at so many sides of its face a second, and by no more than so many from frame to frame.
_SPEED, _STEP = 4.0, 0.16
_AROUND = np.array([(0, -1), (1, 0), (-1, 0), (0, 1), *np.array([(1, -1), (-1, -1), (1, 1), (-1, 1)]) * 0.5**0.5])
_ASIDE = np.concatenate([_AROUND, 1.4 * _AROUND])  # in steps, where it has to make room
_FARTHEST = 1.0  # of a face's side: so far from it a label box makes room for somebody
# It looks for another place when its own will be covered so soon, and takes one that stays free for so much longer.
_AHEAD_S = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.25])
_SOON_S, _LONGER_S = 0.5, 0.5
_TRAVEL = 0.15  # what a place costs for each side of its face that the way to it is long, in units of its area


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How faces move, for label boxes that glide."""

    velocities: np.ndarray  # float (N, 2), pixels a second
    passed_s: float  # since the frame before
    hidden: np.ndarray  # float (M, 4): faces that were seen a moment ago, where they may come back
    hidden_velocities: np.ndarray  # float (M, 2)


class GlidingScene(Scene):
    """The faces of a picture that move, and the label boxes that are placed already."""

    def __init__(
        self,
        boxes: np.ndarray,
        gap: int,
        width: int,
        height: int,
        taken: Sequence[Sequence[float]],
        motion: Motion,
    ):
        """The arguments are those of `place_label_boxes`."""
        super().__init__(boxes, gap, width, height, taken)
        self._motion = motion

    def move(
        self, face: int, choices: Sequence[Choice | None], before: Spot, now: Placed | None, may_move: bool
    ) -> Placed | None:
        """From where it was `before`, which is where it could be kept `now`; None where it can only jump."""
        if now is None:
            return self._dodge(face, choices, before)
        # One that had to become smaller has moved enough.
        return self._glide(face, choices, now, may_move) if now.spot.choice == before.choice else now

    def _dodge(self, face: int, choices: Sequence[Choice | None], spot: Spot) -> Placed | None:
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

    def _glide(self, face: int, choices: Sequence[Choice | None], now: Placed, may_move: bool) -> Placed:
        """A step nearer to where it is to be."""
        if may_move and now.spot.shift == THERE:
            here, better = self._rectangles[face], self.improve(face, choices, now)
            if better.spot.side == now.spot.side and better is not now:
                return better  # Larger, in the same corner.
            self._rectangles[face] = here
            side = self._aim(face, choices, now) if better is now else better.spot.side
        else:
            side = self._aim(face, choices, now)
        if side == now.spot.side and now.spot.shift == THERE:
            return now
        here, choice = self._rectangles[face], now.spot.choice
        target = self._candidates(face, choices[choice].size)[side]
        if math.dist(here[:2], target[:2]) <= self._step(face) and self._is_free(face, target, choices[choice].covers):
            return self._place(face, Spot(choice, side), target)
        for way in self._ways(face, here, target):
            rectangle = self._within(way.at(self._step(face)))
            if self._is_free(face, rectangle, COVERS_GLIDING):
                return self._place(face, self._on_the_way(face, choices, choice, side, rectangle), rectangle)
        return self._place(face, self._on_the_way(face, choices, choice, side, here), here)

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
        is_blocked = common_areas(candidates, own[None]) > choice.covers * self._areas[face]
        boxes, velocities = self._in_the_way(face)
        if len(boxes):
            then = boxes[None] + _AHEAD_S[:, None, None] * np.tile(velocities, 2)[None]  # (T, M, 4)
            is_blocked |= (common_areas(candidates[:, :, None], then[None]) > 0).any(axis=2)
        return np.where(is_blocked.any(axis=1), _AHEAD_S[is_blocked.argmax(axis=1)], np.inf)

    def _in_the_way(self, face: int) -> tuple[np.ndarray, np.ndarray]:
        """What a label box of this face must not cover: boxes (M, 4), and their velocities (M, 2)."""
        others = [number for number in range(len(self._boxes)) if number != face]
        written = [number for number in self._rectangles if number != face]
        motion, labels = self._motion, [*wider((self._rectangles[number] for number in written), APART), *self._taken]
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
            rectangles = np.array([self._within(way.at(step * stop)) for stop in stops]).reshape(-1, 4)
            then = boxes[None] + passed_s[:, None, None] * np.tile(velocities, 2)[None]
            own = common_areas(rectangles, self._array[face][None]) > COVERS_GLIDING * self._areas[face]
            return bool(own.any() or common_areas(rectangles[:, None], then).any())

        return [way for way in Orbit(self._boxes[face], size, self._gap).ways(here, target) if not is_blocked(way)]

    def _step(self, face: int) -> float:
        """Pixels that its label box may glide from one frame to the next."""
        return self._sides[face] * min(_SPEED * self._motion.passed_s, _STEP)
