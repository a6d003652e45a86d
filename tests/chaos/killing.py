"""Runs a clip undisturbed, and again while its processes are killed and stopped at random, and compares the results."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.end_to_end.command import Ran, Running, Workplace

STAGES = ("capture", "detect", "gender", "emotion", "age", "render")


@dataclass(slots=True)
class Comparison:
    """What came of a run whose processes were killed, beside one whose were not."""

    calm: Ran
    disturbed: Ran
    kills: Counter[str] = field(default_factory=Counter)  # kill -9, by stage
    stops: Counter[str] = field(default_factory=Counter)  # SIGSTOP, by stage: hangs that the launcher has to find

    @property
    def restarts(self) -> int:
        return sum(self.disturbed.summary["restarts"].values())

    @property
    def differences(self) -> int:
        """Lines that are not the same in both, and those that only one has."""
        calm, disturbed = self.calm.results.splitlines(), self.disturbed.results.splitlines()
        return sum(a != b for a, b in zip(calm, disturbed, strict=False)) + abs(len(calm) - len(disturbed))


def disturb(run: Running, comparison: Comparison, seed: int, kills: int, every_s: float, stops: int = 0) -> None:
    """Kill one process every `every_s` seconds, each kind in turn in a random order; stop some of them instead."""
    draw, turn = random.Random(seed), []
    stops_at = set(draw.sample(range(kills + stops), stops))
    for number in range(kills + stops):
        turn = turn or draw.sample(STAGES, len(STAGES))
        time.sleep(draw.uniform(0.5, 1.5) * every_s)  # Somebody outside who knows nothing of what the run does.
        if run.is_over:
            return
        victim = _process_of(run, turn[-1], draw)
        if victim is None:
            continue  # It has just died, and is being started again.
        stage = turn.pop()
        try:
            if number in stops_at:
                victim.suspend()
                comparison.stops[stage] += 1
            else:
                victim.kill()
                comparison.kills[stage] += 1
        except psutil.NoSuchProcess:
            continue


def compare(
    place: Workplace, clip: Path, *options: str, seed: int, kills: int, every_s: float, stops: int, timeout_s: float
) -> Comparison:
    """Both runs of the clip, the second one disturbed; `options` are the command's."""
    calm = place.start(clip, *options, output="calm").end(timeout_s)
    run = place.start(clip, *options, output="disturbed")
    comparison = Comparison(calm, calm)
    run.until_lines(1)
    disturb(run, comparison, seed, kills, every_s, stops)
    comparison.disturbed = run.end(timeout_s)
    return comparison


def _process_of(run: Running, stage: str, draw: random.Random) -> psutil.Process | None:
    try:
        return draw.choice(run.stages().get(stage, [None]))
    except psutil.NoSuchProcess:
        return None
