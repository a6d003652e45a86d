"""Keeps label boxes where they are from frame to frame, so that they do not jump when people move.

Pure, like the tracker, and for the same reason: it is given what stands in results.jsonl. A new one that is given the
lines of the file goes on as if it had been there from the start, so an annotated video does not depend on which process
drew it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...areas import Areas
from ...frames import Face, LabelPlace
from .draw import written
from .layout import lay_out_faces

_FORGOTTEN_S = 1.0  # a face that is out of sight for longer may come back with its label box elsewhere
_DWELL_S = 2.0  # a label box grows again, or goes to a better place, only after so long: else it would come and go


@dataclass(slots=True)
class _Known:
    place: LabelPlace
    since_s: float  # when it came to where it is
    seen_s: float


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
        laid_out = lay_out_faces(
            faces,
            width,
            height,
            style=self._style,
            taken=written(self._areas, missing, error, width, height).taken,
            former=[known and known.place for known in before],
            may_move=[known is not None and time_s - known.since_s >= _DWELL_S for known in before],
        )
        return tuple(self._remember(face.id, of, time_s) for face, of in zip(faces, laid_out, strict=True))

    def _remember(self, number: int, laid_out, time_s: float) -> LabelPlace | None:
        if laid_out.spot is None:
            self._known.pop(number, None)
            return None
        place = LabelPlace(laid_out.spot.choice, laid_out.spot.side, laid_out.capital)
        known = self._known.get(number)
        stays = known is not None and (known.place.choice, known.place.side) == (place.choice, place.side)
        self._known[number] = _Known(place, known.since_s if stays else time_s, time_s)
        return place
