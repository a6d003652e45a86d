"""What lies over the picture in the window, and never in what is written: the keys, and how the run goes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...protocol.rates import Snapshot
from .label_box import draw_label_box, lay_out
from .labels import NEUTRAL, Bar, Line

HELP = tuple(
    Line(text, NEUTRAL)
    for text in (
        "G  gender on and off",
        "E  emotion on and off",
        "A  age on and off",
        "D  how the run goes",
        "S  save the picture",
        "space  hold the picture",
        "left, right  the picture before, the next one",
        "H  these keys",
        "Q, Esc  end the run",
    )
)
WAITING = (Line("finished: press Q", NEUTRAL),)
_CALM, _BUSY = (120, 200, 120), (80, 160, 255)  # BGR
_FULL = 0.9  # of the time: a stage that has more to do is the limit
_CAPITAL = 0.022  # height of the letters, as a share of the picture's shorter side


def numbers(snapshot: Snapshot, processes: Mapping[str, int]) -> tuple[Line | Bar, ...]:
    """The lines of the panel: frames a second and latency; for each stage how busy it is, and its queue.

    Busy is the share of the time for which its processes were at work, 100 % where all of them always were;
    `processes`: how many there are, where there are several.
    """
    latency = "" if snapshot.latency_s is None else f"   {1000 * snapshot.latency_s:.0f} ms"
    # Work is noted when it is finished: over a short time it may come to more than there was time for.
    busy = {load.stage: min(1.0, load.work / processes.get(load.stage, 1)) for load in snapshot.loads}
    stages = (
        Bar(
            load.stage,
            _BUSY if busy[load.stage] >= _FULL else _CALM,
            busy[load.stage],
            f"{100 * busy[load.stage]:.0f} %  {load.queue} in queue",
        )
        for load in snapshot.loads
    )
    return (Line(f"{snapshot.frames_s:.1f} frames/s{latency}", NEUTRAL), *stages)


def with_panels(drawn: np.ndarray, keys: bool, lines: tuple[Line | Bar, ...], waits: bool = False) -> np.ndarray:
    """The picture, uint8 (H, W, 3) BGR, with the keys below on the right and `lines` above on the left.

    Below on the left it says that the run `waits` for a person. A copy, or the picture itself where there is nothing
    to add.
    """
    height, width = drawn.shape[:2]
    capital = round(_CAPITAL * min(height, width))
    told = (lines, HELP if keys else (), WAITING if waits else ())
    label_boxes = [lay_out(shown, capital, width, height) for shown in told]
    if not any(label_boxes):
        return drawn
    over = np.array(drawn, order="C")
    above, below, left = label_boxes
    if above:
        draw_label_box(over, (0, 0), above)
    if below:
        draw_label_box(over, (width - below.size[0], height - below.size[1]), below)
    if left:
        draw_label_box(over, (0, height - left.size[1]), left)
    return over
