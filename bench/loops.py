"""Runs the loops that the pipeline is measured against."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.options import BenchError, Options
from stages.project import PROJECT

_MODULE = (sys.executable, "-P", "-m")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one program, or several side by side, have cost."""

    frames: int
    seconds: float  # from the first one's first frame to the last one's last
    cpu_s: float
    faces: int
    steps_s: dict[str, float] = field(default_factory=dict)  # processor time by step, where the program tells
    library_s: dict[str, float] = field(default_factory=dict)  # and what of it a library takes that computes the step

    @property
    def cpu_ms_a_frame(self) -> float:
        return 1000 * self.cpu_s / self.frames

    @property
    def faces_a_frame(self) -> float:
        return self.faces / self.frames

    @property
    def frames_a_second(self) -> float:
        return self.frames / self.seconds


def loop(options: Options, clip: Path, *overrides: str, one_thread: bool = True, paced: bool = False) -> Cost:
    """One plain loop over a clip."""
    return side_by_side(options, [clip], *overrides, one_thread=one_thread, paced=paced)


def side_by_side(
    options: Options, clips: Sequence[Path], *overrides: str, one_thread: bool = True, paced: bool = False
) -> Cost:
    """A plain loop over each of several clips, all at the same time."""
    config = ["--config", options.config] if options.config else []
    keys = [argument for key in (*options.overrides, *overrides) for argument in ("--set", key)]
    flags = [*(["--one-thread"] if one_thread else []), *(["--paced"] if paced else [])]
    commands = [
        [*_MODULE, "bench.loop", str(clip), str(_output(options, number)), *flags, *config, *keys]
        for number, clip in enumerate(clips)
    ]
    return raced(commands, {**_environment(), **(ONE_THREAD if one_thread else {})})


def todays_loop(options: Options, clip: Path, models: tuple[Path, Path]) -> Cost:
    """The loop that people run today, with their models for gender and emotion."""
    detect = replace(options.pipeline()[0].detect, detector="haar", model=None)
    settings = [str(detect.haar.step), str(detect.haar.neighbours), str(detect.resolved().smallest_face)]
    command = [*_MODULE, "bench.today", str(clip), str(_output(options, 0)), *map(str, models), *settings]
    return raced([command], _environment())


def _output(options: Options, number: int) -> Path:
    return options.folder / f"loop-{time.monotonic_ns()}-{number}"


def raced(commands: list[list[str]], environment: dict[str, str]) -> Cost:
    """Start programs that speak as bench/loop.py does, let them load, and set them off together."""
    programs = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for command in commands
    ]
    try:
        for program in programs:
            if program.stdout.readline() != "ready\n":
                raise _failure(program.communicate()[1])
        for program in programs:
            program.stdin.write("go\n")
            program.stdin.flush()
        said = [_said(program) for program in programs]
    finally:
        for program in programs:
            program.kill()
            program.communicate()
    seconds = max(each["ended_s"] for each in said) - min(each["began_s"] for each in said)
    return Cost(
        sum(each["frames"] for each in said),
        seconds,
        sum(each["cpu_s"] for each in said),
        sum(each["faces"] for each in said),
        _sums([each.get("steps_s", {}) for each in said]),
        _sums([each.get("library_s", {}) for each in said]),
    )


def _sums(several: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(each.get(name, 0.0) for each in several) for name in {name for each in several for name in each}}


def _said(program: subprocess.Popen) -> dict:
    """What a program says at its end, in one line of JSON or several."""
    printed, errors = program.communicate()
    if program.returncode:
        raise _failure(errors)
    return {key: value for line in printed.splitlines() for key, value in json.loads(line).items()}


def _failure(errors: str) -> BenchError:
    return BenchError(f"a loop could not be measured: {(errors.strip() or 'no reason').splitlines()[-1]}.")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "TF_CPP_MIN_LOG_LEVEL": "3"}
