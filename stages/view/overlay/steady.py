"""Keeps label boxes where they are from frame to frame, so that they do not jump when people move.

Pure, like the tracker, and for the same reason: it is given what stands in results.jsonl. A new one that is given the
lines of the file goes on as if it had been there from the start, so an annotated video does not depend on which process
drew it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...areas import Areas
from ...frames import Face, LabelPlace
from .draw import written
from .gliding import Motion
from .layout import FaceLayout, lay_out_faces

Box = tuple[float, float, float, float]  # x, y, width, height

_FORGOTTEN_S = 1.0  # a face that is out of sight for longer may come back with its label box elsewhere
_DWELL_S = 1.0  # a label box grows again, or goes to a better place, only after so long: else it would come and go
_MOTION_S = 0.25  # over which the velocity of a face is averaged
_COASTING_S = 0.7  # after which a face out of sight is hardly expected to have moved on


@dataclass(slots=True)
class _Known:
    place: LabelPlace
    since_s: float  # when it came to where it is
    seen_s: float
    box: Box  # of the face: x, y, width, height in pixels
    velocity: tuple[float, float]  # of the face, pixels a second


class SteadyLabels:
    """Where the label boxes of one source are."""

    def __init__(self, style: str, areas: Areas):
        """`style`, `areas`: as in `annotate`."""
        self._style, self._areas = style, areas
        self._known: dict[int, _Known] = {}
        self._file: str | None = None
        self._now_s = -math.inf

    def update(
        self,
        faces: Sequence[Face],
        width: int,
        height: int,
        time_s: float,
        *,
        file: str | None = None,
        cut: bool = False,
        missing: Sequence[str] = (),
        error: str | None = None,
    ) -> tuple[LabelPlace | None, ...]:
        """The place of each face's label box in the next frame, which is of width x height pixels.

        None for a face whose label box finds no room. Nothing for faces without an id: pictures stand alone.
        """
        if self._style == "none" or any(face.id is None for face in faces):
            self._known = {}
            return ()
        if file != self._file or cut or time_s < self._now_s:
            self._known = {}
        self._file, self._now_s = file, time_s
        self._known = {n: known for n, known in self._known.items() if time_s - known.seen_s <= _FORGOTTEN_S}
        if not faces:
            return ()
        before = [self._known.get(face.id) for face in faces]
        passed_s, velocities = self._moved(faces, before, time_s)
        laid_out = lay_out_faces(
            faces,
            width,
            height,
            style=self._style,
            taken=written(self._areas, missing, error, width, height).taken,
            former=[known and known.place for known in before],
            may_move=[known is not None and time_s - known.since_s >= _DWELL_S for known in before],
            motion=Motion(np.array(velocities), passed_s, *self._hidden({face.id for face in faces}, time_s)),
        )
        return tuple(
            self._remember(face, of, velocity, time_s)
            for face, of, velocity in zip(faces, laid_out, velocities, strict=True)
        )

    def _hidden(self, seen: set[int], time_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Where the faces should be that are out of sight, (M, 4), and their velocities, (M, 2)."""
        boxes, velocities = [], []
        for known in (known for number, known in self._known.items() if number not in seen):
            slower = math.exp(-(time_s - known.seen_s) / _COASTING_S)
            right, down = (_COASTING_S * (1 - slower) * velocity for velocity in known.velocity)
            x, y, wide, high = known.box
            boxes.append((x + right, y + down, x + wide + right, y + high + down))
            velocities.append([slower * velocity for velocity in known.velocity])
        return np.array(boxes).reshape(-1, 4), np.array(velocities).reshape(-1, 2)

    def _moved(self, faces: Sequence[Face], before: Sequence[_Known | None], time_s: float):
        """Seconds since the frame before, and the velocity of each face."""
        velocities = []
        for face, known in zip(faces, before, strict=True):
            passed_s = 0.0 if known is None else time_s - known.seen_s
            if not passed_s > 0:
                velocities.append((0.0, 0.0) if known is None else known.velocity)
                continue
            weight = 1 - math.exp(-passed_s / _MOTION_S)
            moved = [(now - then) / passed_s for now, then in zip(_middle(face.box), _middle(known.box), strict=True)]
            velocities.append(tuple(v + weight * (new - v) for v, new in zip(known.velocity, moved, strict=True)))
        return min((time_s - known.seen_s for known in before if known), default=0.0), velocities

    def _remember(self, face: Face, laid_out: FaceLayout, velocity, time_s: float) -> LabelPlace | None:
        known, spot = self._known.get(face.id), laid_out.spot
        if spot is None:
            self._known.pop(face.id, None)
            return None
        place = LabelPlace(spot.choice, spot.side, laid_out.capital, spot.shift)
        stays = known is not None and replace(known.place, capital=place.capital) == place
        self._known[face.id] = _Known(place, known.since_s if stays else time_s, time_s, face.box, velocity)
        return place


def _middle(box: Box) -> tuple[float, float]:
    x, y, wide, high = box
    return x + wide / 2, y + high / 2
