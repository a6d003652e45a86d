"""Runs the pipeline as run_pipeline.py does, and tells what each of its processes has cost."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec import to_builtins

from bench.options import BenchError, Options
from stages.config.placement import HERE
from stages.config.schema import Pipeline
from stages.config.settings import Settings, cores
from stages.plan import Plan, processes_of
from stages.protocol.control import SourceOpened
from stages.protocol.stats import CaptureReport, RenderReport
from stages.supervision.child import Start
from stages.supervision.events import Member
from stages.supervision.launcher import Outcome, launch
from stages.supervision.places import Places
from stages.transport.addresses import claim


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the pipeline has cost."""

    frames: int  # that were finished
    seconds: float  # from the first picture's reading to the last acknowledgement
    began_s: (
        float  # when it was started, on the monotonic clock, as `began_s`, `imported_s` and `ready_s` of the stages
    )
    launcher_s: float  # seconds of processor time since everybody had been told what to do
    stages: dict[str, dict]  # by NAME-REPLICA, what bench/stage.py wrote down
    capture: dict  # its report
    render: dict  # its report on the source
    output: Path  # the folder of its results

    @property
    def cpu_s(self) -> float:
        """Processor time of all processes, from where they were ready."""
        return self.launcher_s + sum(stage["cpu_s"] for stage in self.stages.values())

    @property
    def cpu_ms_a_frame(self) -> float:
        return 1000 * self.cpu_s / self.frames

    @property
    def frames_a_second(self) -> float:
        return self.frames / self.seconds


def run(
    options: Options,
    source: str | Path,
    *overrides: str,
    spans: bool = False,
    bare: bool = False,
    seconds: float | None = None,
) -> Run:
    """Run the pipeline on `source` to its end, or for so many seconds; raises a `FacepipeError` where it fails.

    `overrides` are KEY=VALUE; `spans` as in bench/spans.py, `bare` as in bench/bare.py. Nothing is shown. To be called
    from the main thread.
    """
    output = options.folder / f"run-{time.monotonic_ns()}"
    logs = output / "logs"
    logs.mkdir(parents=True)
    pipeline, folder = options.pipeline(
        *overrides, f"source={source}", f"render.output={output}", "render.display=none", f"port={_port()}"
    )
    began_s, view = time.monotonic(), _Quiet()
    processes = processes_of(pipeline, None, cores())
    starts = [
        Start(Member(label, stage, pipeline.hang), _command(stage, output, ["spans"] * spans + ["bare"] * bare))
        for label, (stage, _) in processes.items()
    ]
    told = [0.0]

    def settings() -> dict[str, Settings]:
        plan = Plan.of(pipeline, folder)
        each = {label: plan.settings(stage, replica) for label, (stage, replica) in processes.items()}
        told[0] = time.process_time()
        return each

    # Claimed before the plan is made, as in stages/run.py: the folder of the sockets has to be there.
    with claim(_bound(pipeline, processes), pipeline.port):
        outcome = launch(starts, settings, logs, view, seconds=seconds)
    launcher_s = time.process_time() - told[0]
    return _told(outcome, output, began_s, launcher_s, view)


@contextmanager
def pinned(core_count: int) -> Iterator[None]:
    """This process and all that it starts have so many cores meanwhile; where that cannot be asked for, all of them."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:core_count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class _Quiet:
    """Keeps what the stages say, in case it explains a failure."""

    def __init__(self):
        self.said: list[str] = []

    def opened(self, source: SourceOpened) -> None:
        """Nobody looks."""

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def heard(self, label: str, is_ready: bool) -> None:
        """Nobody looks."""

    def progress(self, label: str, report: CaptureReport | RenderReport) -> None:
        """Nobody looks."""

    def started_again(self, label: str, stage: str) -> None:
        """Nobody looks."""


def _command(stage: str, output: Path, wanted: list[str]) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "bench.stage", stage, str(output), *wanted)


def _bound(pipeline: Pipeline, processes: dict[str, tuple[str, int]]) -> list[str]:
    places = Places.of(pipeline, HERE)
    return [place for stage, replica in processes.values() for place in places.binds(stage, replica)]


def _port() -> int:
    """Names the run on its machine: measuring beside a pipeline that is at work is possible, if not wise."""
    return 20_000 + os.getpid() % 40_000


def _told(outcome: Outcome, output: Path, began_s: float, launcher_s: float, view: _Quiet) -> Run:
    if outcome.status or outcome.sentence:
        said = f" ({view.said[-1]})" if view.said else ""
        raise BenchError(f"the pipeline could not be measured: {outcome.sentence or 'it was stopped'}{said}")
    stages = {path.stem: json.loads(path.read_text()) for path in output.glob("*-*.json")}
    [render], [capture] = (outcome.reports[label].values() for label in ("render", "capture"))
    [rendered], read = to_builtins(render)["sources"].values(), to_builtins(capture)
    if not read["seconds"]:
        raise BenchError("the pipeline could not be measured: no frame was finished; take more frames.")
    return Run(rendered["rendered"], read["seconds"], began_s, launcher_s, stages, read, rendered, output)
