"""How fast a file is worked through: the pipeline against the same work in plain loops."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

from bench.clips import long_clip
from bench.loops import Cost, loop, side_by_side, todays_loop
from bench.options import Options, command
from bench.pipeline import Run, pinned, run
from bench.table import Figure, figure
from stages.config.settings import cores
from stages.project import PROJECT

TITLE = "file throughput"
PEERS = PROJECT.parent / "shared" / "peers"
TODAYS_MODELS = (PEERS / "gender_mini_XCEPTION.21-0.95.hdf5", PEERS / "fer2013_mini_XCEPTION.102-0.66.hdf5")
TODAYS_SHARE = 5  # it is given every fifth frame: it is slow

Contestants = dict[str, Callable[[], Run | Cost]]


def measure(options: Options) -> list[Figure]:
    """Frames a second, processor time per frame and their ratios."""
    contestants = _contestants(options)
    rounds = [{name: measured() for name, measured in contestants.items()} for _ in range(options.rounds)]
    return [*_ratios(rounds), *_speeds(rounds), *_costs(rounds)]


def _contestants(options: Options) -> Contestants:
    """In the order of running: what is compared runs close together."""
    clip = long_clip(options.folder / "clip.mp4", options.frames, options.clip)
    count = cores()
    parts = [
        long_clip(options.folder / f"part-{part}.mp4", max(1, options.frames // count), options.clip)
        for part in range(count)
    ]
    contestants: Contestants = {
        "loops side by side": lambda: side_by_side(options, parts),
        "pipeline": lambda: run(options, clip),
        "loop": lambda: loop(options, clip, one_thread=False),
        "loop, one thread": lambda: loop(options, clip),
    }
    if "pinned" not in options.skip:
        contestants["pipeline, one core"] = lambda: _on_one_core(lambda: run(options, clip))
        contestants["loop, one core"] = lambda: _on_one_core(lambda: loop(options, clip, one_thread=False))
    if "today" not in options.skip and importlib.util.find_spec("tensorflow") and all(map(Path.is_file, TODAYS_MODELS)):
        short = long_clip(options.folder / "short.mp4", max(1, options.frames // TODAYS_SHARE), options.clip)
        contestants["today's loop"] = lambda: todays_loop(options, short, TODAYS_MODELS)
    return contestants


def _on_one_core(measured: Callable[[], Run | Cost]) -> Run | Cost:
    with pinned(1):
        return measured()


def _ratios(rounds: list[dict[str, Run | Cost]]) -> list[Figure]:
    def ratio(pipeline: str, *others: str) -> list[float]:
        return [
            r[pipeline].frames_a_second / max(r[other].frames_a_second for other in others)
            for r in rounds
            if all(other in r for other in (pipeline, *others))
        ]

    compared = [
        ("pipeline / one-thread loops side by side", ratio("pipeline", "loops side by side"), "0.92 (floor 0.85)"),
        ("pipeline / best single loop", ratio("pipeline", "loop", "loop, one thread"), "1.1"),
        ("pipeline / today's loop", ratio("pipeline", "today's loop"), "3"),
        ("pipeline / loop, both on one core", ratio("pipeline, one core", "loop, one core"), "0.88"),
    ]
    return [figure(what, samples, "x", aim) for what, samples, aim in compared if samples]


def _speeds(rounds: list[dict[str, Run | Cost]]) -> list[Figure]:
    return [figure(name, [r[name].frames_a_second for r in rounds], "frames/s") for name in rounds[0]]


def _costs(rounds: list[dict[str, Run | Cost]]) -> list[Figure]:
    return [
        figure(f"{name}, processor time", [r[name].cpu_ms_a_frame for r in rounds], "ms a frame")
        for name in rounds[0]
        if name != "today's loop"
    ]


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
