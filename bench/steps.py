"""Where the time of a frame goes: the processor time of each step of the work, and of all that is not work.

The steps are timed in one-thread loops, one for each core, which do the work of the stages with their own functions
(bench/loop.py); what the pipeline takes beyond them are its messages, and what its processes do to keep each other
going. With `--before` an older checkout is measured in turn.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from bench.clips import long_clip, pair_clip
from bench.loops import Cost
from bench.options import Measurement, Options, commands
from bench.table import Figure, figure
from bench.trees import in_turn
from stages.sources.demo import WIDTH

UNIT = "ms"
REST = "all else"
MESSAGES = "messages, and all that a pipeline adds"
ORDER = ("decode", "detect", "crop", "pose and quality", "gender", "age", "emotion", "follow", "draw", "encode")


def measure(options: Options, clip: Path) -> list[Figure]:
    """Milliseconds of processor time a frame, step by step."""
    looped = in_turn(options, lambda tree: tree.steps(options, clip))
    ran = in_turn(options, lambda tree: tree.pipeline(options, clip))
    return figures(looped, ran)


def figures(looped: dict[str, list[Cost]], ran: dict[str, list[Cost]]) -> list[Figure]:
    """From what the loops and the pipelines have cost, "now" and perhaps "before", round by round."""
    spent = {name: [_spent_ms(cost) for cost in costs] for name, costs in looped.items()}
    known = {step for rounds in spent.values() for each in rounds for step in each} - {REST}
    steps = [*(step for step in ORDER if step in known), *sorted(known - {*ORDER}), REST]
    faces = " and ".join(f"{name} {costs[0].faces_a_frame:.2f}" for name, costs in looped.items())
    by_step = [_step(step, spent, looped["now"]) for step in steps]
    work = {name: [cost.cpu_ms_a_frame for cost in costs] for name, costs in looped.items()}
    whole = {name: [cost.cpu_ms_a_frame for cost in costs] for name, costs in ran.items()}
    more = {name: [a - b for a, b in zip(whole[name], work[name], strict=True)] for name in whole}
    return [
        *by_step,
        _figure("the work, in a loop", work, f"faces a frame: {faces}"),
        _figure(MESSAGES, more, "the whole less the work"),
        _figure("the whole, in the pipeline", whole),
    ]


def small_clip(options: Options) -> Path:
    """640 x 360 with two faces, or the clip that was asked for."""
    path = options.folder / "small.mp4"
    return long_clip(path, options.frames, options.clip) if options.clip else pair_clip(path, options.frames)


def large_clip(options: Options) -> Path:
    """The demo in its own size."""
    return long_clip(options.folder / "large.mp4", options.frames, width=WIDTH)


def _spent_ms(cost: Cost) -> dict[str, float]:
    """By step, with what is in none of them."""
    spent = {step: 1000 * seconds / cost.frames for step, seconds in cost.steps_s.items()}
    return spent | {REST: cost.cpu_ms_a_frame - sum(spent.values())}


def _step(step: str, spent: dict[str, list[dict[str, float]]], now: list[Cost]) -> Figure:
    costs = {name: [each.get(step, 0.0) for each in rounds] for name, rounds in spent.items()}
    return _figure(step, costs, _limit(step, now))


def _limit(step: str, costs: list[Cost]) -> str:
    """What of a step is the library that computes it: no code of ours makes it less."""
    spent = [1000 * cost.library_s[step] / cost.frames for cost in costs if step in cost.library_s]
    return f"{median(spent):.2f} ms of it in the {'detector' if step == 'detect' else 'net'} itself" if spent else ""


def _figure(what: str, costs: dict[str, list[float]], note: str = "") -> Figure:
    return figure(what, costs["now"], UNIT, note=note, before=costs.get("before", ()))


def _of_the_pair(options: Options) -> list[Figure]:
    return measure(options, small_clip(options))


def _of_the_demo(options: Options) -> list[Figure]:
    return measure(options, large_clip(options))


MEASUREMENTS: dict[str, Measurement] = {
    "a frame of 640 x 360 with two faces, by step": _of_the_pair,
    "a frame of the demo, 1280 x 720, by step": _of_the_demo,
}

if __name__ == "__main__":
    sys.exit(commands(MEASUREMENTS))
