"""What the messages cost: processor time of the whole pipeline less that of the same work in a plain loop.

Measured where little else is done: 640 x 480 with one face, a detector that sees a small copy, no annotated video. What
is left over is small then, and its noise too.
"""

from __future__ import annotations

import sys
from collections import defaultdict

from bench import micro
from bench.clips import portrait_clip
from bench.loops import loop
from bench.options import Options, command
from bench.pipeline import Run, run
from bench.table import Figure, figure

TITLE = "what the messages cost, per 640 x 480 frame with a face"
LITTLE_WORK = ("stages.detect.longest_side=160", "stages.detect.smallest_face=0.3", "render.annotated=false")
PACED_SHARE = 2  # paced, a round takes a fraction of the frames: 30 a second are slow
SMALLEST_SHARE_MS = 0.005  # of what is listed


def measure(options: Options) -> list[Figure]:
    """All links together at full load and at 30 a second, message by message, and where the time goes."""
    options = options.with_overrides(*LITTLE_WORK)
    clip = portrait_clip(options.folder / "portrait.mp4", options.frames)
    short = portrait_clip(options.folder / "short.mp4", max(1, options.frames // PACED_SHARE))
    full, paced, faces = [], [], 0.0
    for _ in range(options.rounds):
        ran = run(options, clip)
        full.append(ran.cpu_ms_a_frame - loop(options, clip).cpu_ms_a_frame)
        faces = ran.render["faces"] / ran.frames
        paced.append(run(options, short, "pace=true").cpu_ms_a_frame - loop(options, short, paced=True).cpu_ms_a_frame)
    return [
        figure("at full load", full, "ms", "1.5", f"processor time, beyond the loop's; {faces:.2f} faces a frame"),
        figure("paced at 30 a second", paced, "ms", "3", "processor time, beyond the loop's"),
        *_one_by_one(),
        *where_it_goes(run(options, clip, spans=True)),
    ]


def _one_by_one() -> list[Figure]:
    """A message of each kind by itself: the sum is what the full load cannot cost less than."""
    said = [
        (name, micro.pack_us(message), micro.unpack_us(message), micro.hop_us(message))
        for name, message in micro.messages_of_a_frame()
    ]
    flowed_us, joined_us = micro.decide_us()
    figures = []
    for name in dict.fromkeys(name for name, *_ in said):
        costs = [sum(c) for c in zip(*(cost for kind, *cost in said if kind == name), strict=True)]
        several = sum(kind == name for kind, *_ in said)
        note = f"pack {costs[0]:.0f}, unpack {costs[1]:.0f}, send and receive {costs[2]:.0f} µs"
        figures.append(
            figure(f"by itself: {name}", sum(costs) / 1000, "ms", "", note + f" ({several} of them)" * (several > 1))
        )
    figures.append(
        figure(
            "by itself: all decisions",
            (flowed_us + joined_us) / 1000,
            "ms",
            "",
            f"flow {flowed_us:.0f}, join {joined_us:.0f} µs",
        )
    )
    return [*figures, figure("by themselves, all together", sum(f.value for f in figures), "ms")]


def where_it_goes(ran: Run) -> list[Figure]:
    """Processor time per frame of a run with spans, by stage and function; timing it costs a little itself."""
    by_name: defaultdict[str, float] = defaultdict(float)
    calls: defaultdict[str, int] = defaultdict(int)
    for label, notes in ran.stages.items():
        stage = label.rpartition("-")[0]
        for name, (count, seconds) in notes["spans"].items():
            by_name[f"{stage}: {name}"] += seconds
            calls[f"{stage}: {name}"] += count
        by_name[f"{stage}: other threads"] += notes["cpu_s"] - notes["main_s"]
        by_name[f"{stage}: all else"] += notes["main_s"] - sum(seconds for _, seconds in notes["spans"].values())
    by_name["launcher"] += ran.launcher_s
    figures = []
    for name, seconds in sorted(by_name.items(), key=lambda item: -item[1]):
        if (ms := 1000 * seconds / ran.frames) >= SMALLEST_SHARE_MS:
            note = f"{calls[name] / ran.frames:.2f} calls a frame" if name in calls else ""
            figures.append(figure(name, ms, "ms", "", note))
    return figures


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
