"""The speeds of a comparison as bars, with the range of the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.options import BenchError
from bench.table import SPEED, Figure

OURS = ("pipeline", "facepipe")


def draw(figures: Sequence[Figure], path: Path) -> None:
    """Draw every figure that is a speed, but for those that are compared with an older checkout's: other clips.

    The format follows from the name of the file. Raises `BenchError`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    speeds = [figure for figure in figures if figure.unit == SPEED and figure.samples and not figure.before][::-1]
    if not speeds:
        raise BenchError(
            "there is nothing to draw: only bench.throughput and bench.detectors measure speeds; leave --chart out."
        )
    canvas = Canvas(figsize=(7, 0.6 + 0.4 * len(speeds)), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    values = [speed.value for speed in speeds]
    reach = [[s.value - min(s.samples) for s in speeds], [max(s.samples) - s.value for s in speeds]]
    colours = ["#2f6fab" if speed.what.startswith(OURS) else "#b9c4cf" for speed in speeds]
    axes.barh([speed.what for speed in speeds], values, xerr=reach, color=colours, ecolor="#555555", capsize=3)
    axes.set_xlabel("frames a second")
    axes.spines[["top", "right"]].set_visible(False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise BenchError(f"the chart {path} cannot be written: {error}.") from None
