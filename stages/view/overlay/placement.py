"""Where the label box with a face's labels goes: inside the picture, beside the head, and where it was before.

From one place to another it glides around its face, and it sets out before somebody comes in its way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .gliding import GlidingScene, Motion
from .scene import Choice, Placed, Scene, Spot


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
    where = boxes, gap, width, height, taken
    scene = Scene(*where) if motion is None else GlidingScene(*where, motion)
    placed: list[Placed | None] = [None] * len(choices)
    for face, spot in enumerate(former):
        if spot is not None:
            placed[face] = scene.keep(face, choices[face], spot)
    for face, of_face in enumerate(choices):
        now, before = placed[face], former[face] if len(former) else None
        may = bool(len(may_move) and may_move[face])
        if motion is not None and before is not None:
            placed[face] = scene.move(face, of_face, before, now, may)
        elif now is not None and may:
            placed[face] = scene.improve(face, of_face, now)
        if placed[face] is None:
            placed[face] = scene.find(face, of_face)
    return placed
