"""Checkouts of the project, this one and an older one, each measured in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.loops import ONE_THREAD, Cost, raced
from bench.options import BenchError, Options
from stages.config.settings import cores
from stages.project import PROJECT

_INSIDE = Path(__file__).with_name("inside.py")


@dataclass(frozen=True, slots=True)
class Tree:
    """A checkout; what is measured in it has its own configuration unless `options` names one."""

    folder: Path

    def pipeline(self, options: Options, clip: Path | str, *overrides: str) -> Cost:
        """Run its pipeline; raises `BenchError` where it fails."""
        command = [sys.executable, "-P", str(_INSIDE), "pipeline", str(clip), str(options.folder)]
        done = subprocess.run(
            [*command, *_keys(options, overrides)], env=self._environment(), capture_output=True, text=True
        )
        if done.returncode:
            said = (done.stderr.strip() or "no reason").splitlines()[-1]
            raise BenchError(f"the pipeline of {self.folder} could not be measured: {said}")
        return Cost(**json.loads(done.stdout.splitlines()[-1]))

    def steps(self, options: Options, clip: Path | str, *overrides: str) -> Cost:
        """Do the work of its pipeline in one-thread loops, one for each core, and time each step."""
        commands = [
            [sys.executable, "-P", str(_INSIDE), "steps", str(clip), str(_output(options, number)), "--one-thread"]
            for number in range(cores())
        ]
        keys = _keys(options, overrides)
        return raced([[*command, *keys] for command in commands], self._environment() | ONE_THREAD)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder)}


def trees(options: Options) -> dict[str, Tree]:
    """This checkout as "now", and the one to compare it with, if there is one, as "before"."""
    if options.before is None:
        return {"now": Tree(PROJECT)}
    if not (options.before / "bench" / "pipeline.py").is_file():
        raise BenchError(
            f"--before {options.before} is not a checkout of this project: there is no bench/pipeline.py in it."
            " Make one with: git worktree add --detach ../before COMMIT"
        )
    return {"before": Tree(options.before.resolve()), "now": Tree(PROJECT)}


def in_turn(options: Options, measured: Callable[[Tree], Cost]) -> dict[str, list[Cost]]:
    """Measure every checkout once a round; who is first changes from round to round."""
    compared = trees(options)
    rounds: dict[str, list[Cost]] = {name: [] for name in compared}
    for number in range(options.rounds):
        for name in list(compared)[:: -1 if number % 2 else 1]:
            rounds[name].append(measured(compared[name]))
    return rounds


def _keys(options: Options, overrides: tuple[str, ...]) -> list[str]:
    config = ["--config", str(Path(options.config).resolve())] if options.config else []
    return [*config, *(argument for key in (*options.overrides, *overrides) for argument in ("--set", key))]


def _output(options: Options, number: int) -> Path:
    return options.folder / f"steps-{time.monotonic_ns()}-{number}"
