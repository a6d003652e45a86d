"""What the messages cost: processor time of the whole pipeline less that of the same work in a plain loop.

Measured where little else is done: 640 x 480 with one face, a detector that sees a small copy, no annotated video. What
is left over is small then, and its noise too.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from statistics import median

from bench import micro
from bench.clips import portrait_clip
from bench.loops import loop, side_by_side
from bench.options import Options, command
from bench.pipeline import Run, run
from bench.table import Figure, figure
from stages.config.settings import cores
from stages.protocol.messages import FaceCrops

TITLE = "what the messages cost, per 640 x 480 frame with a face"
LITTLE_WORK = ("stages.detect.longest_side=160", "stages.detect.smallest_face=0.3", "render.annotated=false")
PACED_SHARE = 2  # paced, a round takes a fraction of the frames: 30 a second are slow
MOST = 30  # functions that are told


def measure(options: Options) -> list[Figure]:
    """All sockets together at full load and at 30 a second, message by message, and where the time goes."""
    options = options.with_overrides(*LITTLE_WORK)
    clip = portrait_clip(options.folder / "portrait.mp4", options.frames)
    short = portrait_clip(options.folder / "short.mp4", max(1, options.frames // PACED_SHARE))
    full, paced, faces = [], [], 0.0
    for _ in range(options.rounds):
        ran = run(options, clip)
        faces = ran.render["faces"] / ran.frames
        # As many loops as cores: with all of them at work the same work takes longer than on one alone.
        full.append(ran.cpu_ms_a_frame - side_by_side(options, [clip] * cores()).cpu_ms_a_frame)
        ran = run(options, short, "pace=true")
        paced.append(ran.cpu_ms_a_frame - loop(options, short, paced=True).cpu_ms_a_frame)
    return [
        figure("at full load", full, "ms", "1.5", f"processor time beyond the loops'; {faces:.2f} faces a frame"),
        figure("paced at 30 a second", paced, "ms", "3", "processor time beyond the loop's"),
        *_one_by_one(),
        *_where_it_goes([run(options, clip, spans=True) for _ in range(options.rounds)]),
    ]


def _one_by_one() -> list[Figure]:
    """The messages of a frame by kind, each by itself: what all of them together must at least cost."""
    figures = []
    for message, number in micro.messages_of_a_frame():
        costs_us = [number * cost_us(message) for cost_us in (micro.pack_us, micro.unpack_us, micro.hop_us)]
        said = (
            f"{number} a frame; pack {costs_us[0]:.0f}, unpack {costs_us[1]:.0f}, send and receive {costs_us[2]:.0f} µs"
        )
        name = "crops to capture" if isinstance(message, FaceCrops) else message.kind
        figures.append(figure(f"by itself: {name}", sum(costs_us) / 1000, "ms", "", said))
    dispatcher_us, joiner_us = micro.decide_us()
    note = f"dispatcher {dispatcher_us:.0f}, joiner {joiner_us:.0f} µs"
    figures.append(figure("by themselves: all decisions", (dispatcher_us + joiner_us) / 1000, "ms", "", note))
    return [*figures, figure("by themselves: all together", sum(f.value for f in figures), "ms")]


def _where_it_goes(runs: list[Run]) -> list[Figure]:
    """Processor time per frame by stage and function, the largest first, and what of it is no work.

    Timing the functions costs about a tenth more.
    """
    spent = [_spent_ms(ran) for ran in runs]
    names = sorted({name for each in spent for name in each}, key=lambda name: -median(_of(spent, name)))
    besides = [sum(ms for name, ms in each.items() if ": work " not in name) for each in spent]
    return [
        figure("in the stages: all but work", besides, "ms", "", "and the decoding"),
        *(
            figure(f"in the stages: {name}", _of(spent, name), "ms", "", _calls(runs[-1], name))
            for name in names[:MOST]
        ),
    ]


def _of(spent: list[dict[str, float]], name: str) -> list[float]:
    return [each.get(name, 0.0) for each in spent]


def _spent_ms(ran: Run) -> dict[str, float]:
    """Milliseconds per frame by "stage: function"."""
    spent_s: defaultdict[str, float] = defaultdict(float, {"launcher": ran.launcher_s})
    for label, notes in ran.stages.items():
        stage, timed_s = label.rpartition("-")[0], 0.0
        for name, (_, seconds) in notes["spans"].items():
            spent_s[f"{stage}: {name}"] += seconds
            timed_s += seconds
        spent_s[f"{stage}: all else"] += notes["main_s"] - timed_s
        spent_s[f"{stage}: threads of ZeroMQ"] += notes["links_s"]
        # Only capture has another one: it decodes.
        spent_s[f"{stage}: work of other threads"] += notes["cpu_s"] - notes["main_s"] - notes["links_s"]
    return {name: 1000 * seconds / ran.frames for name, seconds in spent_s.items()}


def _calls(ran: Run, name: str) -> str:
    stage, _, function = name.partition(": ")
    of_the_stage = [notes["spans"] for label, notes in ran.stages.items() if label.rpartition("-")[0] == stage]
    calls = sum(spans[function][0] for spans in of_the_stage if function in spans)
    return f"{calls / ran.frames:.2f} calls a frame" if calls else ""


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
