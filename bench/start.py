"""From the command to the first finished frame, and where that time goes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from bench.clips import long_clip
from bench.options import BenchError, Options, command
from bench.pipeline import run
from bench.table import Figure, figure
from stages.project import PROJECT

TITLE = "from the command to the first finished frame"
FRAMES = 3  # the run is over soon after the first
MOST_S = 60.0
LOOKS_S = 0.002  # how exactly the first line is timed
BIGGEST = 4  # imports of a stage that are told


def measure(options: Options) -> list[Figure]:
    """The whole, then the moments of every process, then what their imports take."""
    clip = long_clip(options.folder / "clip.mp4", FRAMES, options.clip)
    moments = _moments(options, clip)  # First: it also warms the files.
    whole = [_first_frame_s(options, clip) for _ in range(options.rounds)]
    return [
        figure("the first line of results.jsonl", whole, "s", "1.5"),
        *moments,
        *[_imports(stage) for stage in ("capture", "detect", "gender", "render")],
        _imports("run_pipeline", "run_pipeline"),
    ]


def _first_frame_s(options: Options, clip: Path) -> float:
    output = options.folder / f"start-{time.monotonic_ns()}"
    keys = [argument for key in options.overrides for argument in ("--set", key)]
    config = ["--config", options.config] if options.config else []
    told = ["--source", str(clip), "--output", str(output), "--display", "none", "--quiet"]
    told += ["--set", f"port={20_000 + os.getpid() % 40_000}", *config, *keys]
    began_s = time.monotonic()
    process = subprocess.Popen([sys.executable, str(PROJECT / "run_pipeline.py"), *told])
    try:
        results = output / "results.jsonl"
        while not (results.exists() and results.stat().st_size):
            if process.poll() is not None or time.monotonic() - began_s > MOST_S:
                raise BenchError("the pipeline gave no frame; what it says stands above.")
            time.sleep(LOOKS_S)
        return time.monotonic() - began_s
    finally:
        process.wait()


def _moments(options: Options, clip: Path) -> list[Figure]:
    """When each process ran its first line, had imported its modules, and was ready: since the launcher began."""
    runs = [run(options, clip) for _ in range(options.rounds)]
    moments: defaultdict[str, list[tuple[float, ...]]] = defaultdict(list)
    for ran in runs:
        for label, notes in ran.stages.items():
            moments[label].append(
                (
                    *(notes[f"{moment}_s"] - ran.began_s for moment in ("began", "imported", "ready")),
                    notes["start_cpu_s"],
                )
            )
    figures = []
    for label, several in sorted(moments.items()):
        began, imported, ready, cpu = zip(*several, strict=True)
        note = (
            f"began at {median(began):.2f}, had imported at {median(imported):.2f}; took {median(cpu):.2f} s of a core"
        )
        figures.append(figure(f"{label} ready", ready, "s", "", note))
    return figures


def _imports(stage: str, module: str | None = None) -> Figure:
    """What importing a stage takes, and which packages most of it."""
    module = module or f"stages.{stage}"
    # The models' runtime is loaded where a model is opened.
    more = ", stages.vision.inference.model, stages.vision.inference.litert" if stage == "gender" else ""
    code = f"import {module}{more}"
    timed = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(timed, cwd=PROJECT, capture_output=True, text=True, check=True)
    packages: defaultdict[str, float] = defaultdict(float)
    for line in done.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            packages[name.strip().partition(".")[0]] += int(own) / 1e6
    most = sorted(packages.items(), key=lambda item: -item[1])[:BIGGEST]
    note = ", ".join(f"{name} {seconds:.2f}" for name, seconds in most)
    return figure(f"imports of {stage}", sum(packages.values()), "s", "", note)


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
