"""How well cuts are told from motion: `python -m bench.cuts hamilton.mp4 20,82,211 testvideo.mp4 30,180`.

Takes clips, each with the frames that begin its shots, as somebody saw them. Prints, for frames that are read one after
the other and for every second, third and fifth, the correlation of `stages.sources.shots` where it is closest to being
mistaken.
"""

from __future__ import annotations

import sys

import av
import numpy as np

from stages.sources.shots import ALIKE, DIFFERENT, HEIGHT, WIDTH, correlation, is_cut

STEPS = (1, 2, 3, 5)
HEAD = (
    *("every", "cuts", "highest correlation", "missed"),
    *("other pairs that differ", "lowest correlation", "taken for cuts"),
)


def main(arguments: list[str]) -> int:
    clips = [
        (_small(clip), [int(frame) for frame in cuts.split(",")])
        for clip, cuts in zip(arguments[::2], arguments[1::2], strict=True)
    ]
    rows = [_row(step, clips) for step in STEPS]
    for row in (HEAD, ["---"] * len(HEAD), *rows):
        print(f"| {' | '.join(row)} |")
    print(f"A cut has a correlation below {ALIKE:g}.")
    return 0


def _small(clip: str) -> list[np.ndarray]:
    """The frames of a clip as they are compared."""
    with av.open(clip) as container:
        frames = container.decode(video=0)
        return [
            frame.reformat(WIDTH, HEIGHT, "gray", interpolation="AREA").to_ndarray().astype(np.float64)
            for frame in frames
        ]


def _row(step: int, clips: list[tuple[list[np.ndarray], list[int]]]) -> list[str]:
    at_cuts, elsewhere = [], []
    for frames, cuts in clips:
        for number in range(step, len(frames), step):
            pair = frames[number - step], frames[number]
            is_one = any(number - step < cut <= number for cut in cuts)
            if is_one or np.abs(pair[1] - pair[0]).mean() >= DIFFERENT:  # Others cannot be mistaken.
                (at_cuts if is_one else elsewhere).append((correlation(*pair), is_cut(*pair)))
    return [
        str(step),
        str(len(at_cuts)),
        f"{max(at_cuts)[0]:.2f}",
        str(sum(not found for _, found in at_cuts)),
        str(len(elsewhere)),
        f"{min(elsewhere)[0]:.2f}",
        str(sum(found for _, found in elsewhere)),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
