"""Runs the loops that the pipeline is measured against."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.options import BenchError, Options
from stages.plan import PROJECT

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Looped:
    """What one or several loops side by side have cost."""

    frames: int
    seconds: float  # from the first one's first frame to the last one's last
    cpu_s: float

    @property
    def cpu_ms_a_frame(self) -> float:
        return 1000 * self.cpu_s / self.frames

    @property
    def frames_a_second(self) -> float:
        return self.frames / self.seconds


def loop(options: Options, clip: Path, *overrides: str, one_thread: bool = True, paced: bool = False) -> Looped:
    """One plain loop over a clip."""
    return side_by_side(options, [clip], *overrides, one_thread=one_thread, paced=paced)


def side_by_side(
    options: Options, clips: Sequence[Path], *overrides: str, one_thread: bool = True, paced: bool = False
) -> Looped:
    """A plain loop over each of several clips, all at the same time."""
    config = ["--config", options.config] if options.config else []
    keys = [argument for key in (*options.overrides, *overrides) for argument in ("--set", key)]
    flags = [*(["--one-thread"] if one_thread else []), *(["--paced"] if paced else [])]
    commands = [
        ["bench.loop", str(clip), str(_output(options, number)), *flags, *config, *keys]
        for number, clip in enumerate(clips)
    ]
    return _raced(commands, _ONE_THREAD if one_thread else {})


def todays_loop(options: Options, clip: Path, models: tuple[Path, Path]) -> Looped:
    """The loop that people run today, with their models for gender and emotion."""
    detect = replace(options.pipeline()[0].detect, detector="haar", model=None)
    settings = [str(detect.haar.step), str(detect.haar.neighbours), str(detect.suited.smallest_face)]
    return _raced([["bench.today", str(clip), str(_output(options, 0)), *map(str, models), *settings]], {})


def _output(options: Options, number: int) -> Path:
    return options.folder / f"loop-{time.monotonic_ns()}-{number}"


def _raced(commands: list[list[str]], environment: dict[str, str]) -> Looped:
    """Start them, let them load, and set them off together."""
    environment = {**os.environ, **environment, "PYTHONPATH": str(PROJECT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    loops = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for command in commands
    ]
    try:
        for process in loops:
            if process.stdout.readline() != "ready\n":
                _, errors = process.communicate()
                raise BenchError(f"a loop could not be measured: {(errors.strip() or 'no reason').splitlines()[-1]}.")
        for process in loops:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in loops]
    finally:
        for process in loops:
            process.kill()
            process.communicate()
    seconds = max(each["ended_s"] for each in said) - min(each["began_s"] for each in said)
    return Looped(sum(each["frames"] for each in said), seconds, sum(each["cpu_s"] for each in said))
