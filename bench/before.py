"""Frames a second, in turn with an older checkout of the project, by its defaults and by the same detector.

git worktree add --detach ../before COMMIT
python -m bench.before --before ../before
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.detectors import model_of
from bench.options import Options, command
from bench.steps import large_clip, small_clip
from bench.table import SPEED, Figure, figure
from bench.trees import in_turn

TITLE = "frames a second, before and now"
SAME = "yunet"  # the detector that is compared with itself: every checkout has it
AIMS = {"640 x 360 with two faces": "3", "the demo, 1280 x 720": "2.5"}


def measure(options: Options) -> list[Figure]:
    """Both sizes, each with what either checkout does by itself, and with the same detector."""
    figures = []
    for (what, aim), clip in zip(AIMS.items(), (small_clip(options), large_clip(options)), strict=True):
        figures.append(_compared(options, clip, f"{what}: by default", aim))
        if (file := model_of(SAME)) is not None:
            same = (f"stages.detect.detector={SAME}", f"stages.detect.model={file}")
            figures.append(_compared(options, clip, f"{what}: {SAME} both times", "", *same))
    return figures


def _compared(options: Options, clip: Path, what: str, aim: str, *overrides: str) -> Figure:
    costs = in_turn(options, lambda tree: tree.pipeline(options, clip, *overrides))
    speeds = {name: [cost.frames_a_second for cost in several] for name, several in costs.items()}
    faces = ", ".join(f"{name} {several[0].faces_a_frame:.2f}" for name, several in costs.items())
    before = speeds.get("before", ())
    # Without an older checkout there is no gain that could have an aim.
    return figure(what, speeds["now"], SPEED, aim if before else "", f"faces a frame: {faces}", before)


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
