"""One run: its port and folder are held, its processes started and watched, its account told."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .config.schema import Haar, Pipeline
from .config.settings import Settings, SourceChanges
from .exit_status import ExitStatus
from .project import command
from .results.preconditions import refuse_sources
from .results.runs import run_to_go_on_with
from .running.conclusion import conclude, print_lines, tell_while_waiting
from .running.job import Job, RunOptions, Target, shown
from .running.preflight import refuse_damaged, refuse_mistakes, refuse_other_inputs, with_folder, with_port
from .running.requests import ConfigWatch, heard
from .running.sources import RunAdmission, as_changed, can_change
from .sources.spec import expanded
from .supervision.child import Start, stage_command
from .supervision.events import Member
from .supervision.launcher import Outcome, RunView, launch
from .view.terminal import TerminalView, Views

if TYPE_CHECKING:
    from .connect.process import ConnectProcess

SENT_S = 10.0  # for the last events, after a run that has ended by itself
STOPPED_SENT_S = 3.6  # after a person has asked for the end: five seconds are promised, and the account comes after it


def run(pipeline: Pipeline, folder: Path, options: RunOptions) -> int:
    """Run a pipeline to its end; returns the exit status.

    Mistakes come first: what can be told at once is told before anything is started or made. `folder` is what the paths
    of its models count from. Raises a `FacepipeError` where the run is refused.
    """
    named_port, in_file = pipeline.port, pipeline
    pipeline, changes = _as_it_goes_on(pipeline, options)
    job = Job.of(pipeline, folder, options, changes)
    refuse_mistakes(job)
    with ExitStack() as held:
        job, target = with_folder(with_port(job, held), held)
        if target.before and target.before.ended == "finished":
            return _nothing_to_resume(job, target)
        view = TerminalView(
            sys.stderr,
            quiet=options.quiet,
            detector=job.pipeline.detect.detector,
            output=target.shown,
        )
        views = _with_metrics(view, job, held)
        sending = _connected(job, target, view, views, held)
        _announce(job, view, named_port)
        if target.results.results:
            target.results.manifest.remove_temporaries(target.results.path)
            target.results.remove_logs(keep=job.processes)
        try:
            outcome = _launch(job, target, view, views, held, in_file)
            delivered = _finish(sending, outcome, target, view) if sending else None
        finally:
            view.close()
        return conclude(job, target, outcome, delivered)


def _as_it_goes_on(pipeline: Pipeline, options: RunOptions) -> tuple[Pipeline, SourceChanges]:
    """The configuration with the sources that the run had last which is gone on with, and how these were changed."""
    path = pipeline.render.output if pipeline.render.output is not None else run_to_go_on_with(pipeline)
    if not options.resume or path is None:
        return pipeline, SourceChanges()
    return as_changed(pipeline, Path(expanded(str(path))))


def _nothing_to_resume(job: Job, target: Target) -> int:
    refuse_other_inputs(target, job.plan())
    refuse_damaged(job, target)
    print_lines(sys.stderr, f"facepipe: the run in {target.shown} is finished; there is nothing to resume.")
    return ExitStatus.DONE


def _with_metrics(view: TerminalView, job: Job, held: ExitStack) -> RunView:
    """The views of the run: that of its person, and that of Prometheus and probes where it is asked for."""
    if job.options.metrics is None:
        return view
    from .supervision.metrics import Metrics, served

    counted = Metrics(job.processes)
    view.say(f"metrics at {held.enter_context(served(counted, *job.options.metrics, say=view.say))}")
    return Views(view, counted)


def _connected(job: Job, target: Target, view: TerminalView, views: RunView, held: ExitStack) -> ConnectProcess | None:
    """The process that sends events, where the configuration asks for it; raises `ConfigError`."""
    if not job.pipeline.is_connected or "render" not in job.stages:
        return None
    from .connect.endpoints import Endpoints
    from .connect.process import connected

    endpoints = Endpoints.of(job.pipeline, job.folder, os.environ)
    place = Path(os.path.abspath(target.results.path))
    return held.enter_context(connected(place, target.name, endpoints, view.say, views.delivered))


def _finish(sending: ConnectProcess, outcome: Outcome, target: Target, view: TerminalView) -> dict[str, dict]:
    """Let the last events be sent; returns what has become of all of them."""
    within_s = SENT_S
    if outcome.stopped_s is not None:
        within_s = max(0.2, outcome.stopped_s + STOPPED_SENT_S - time.monotonic())
    try:
        delivered = sending.finish(within_s)
    except KeyboardInterrupt:  # The run itself is over, and its account follows.
        delivered = sending.report
    for name, said in delivered.items():
        if waiting := said.get("waiting"):
            view.say(
                f"{name}: {waiting} event{'s' if waiting > 1 else ''} not sent yet;"
                f" {command('connect')} {target.shown} sends them, and so does a run that is resumed."
            )
    return delivered


def _announce(job: Job, view: TerminalView, named_port: int) -> None:
    """Say what a person should know before the run begins."""
    pipeline, options = job.pipeline, job.options
    if pipeline.capture.loop and "capture" in job.stages:
        until = "" if options.seconds else " until you end the run, with Q or Ctrl-C"
        view.say(f"read again and again{until}; results.jsonl grows all the time, and nothing annotated is written")
    if options.record is not None and pipeline.render.blur != "none":
        view.say(
            f"{shown(options.record)} keeps the pictures as they were read: what is hidden elsewhere is seen in it"
        )
    if pipeline.detect.detector != "haar" and pipeline.detect.haar != Haar():
        view.say(f"stages.detect.haar changes nothing: the detector is {pipeline.detect.detector}")
    if pipeline.leaves_visible is not None and "detect" in job.stages:
        view.say(pipeline.leaves_visible)
    if pipeline.port != named_port:
        view.say(f"port {named_port} is in use, so this run uses {pipeline.port}")
    if job.is_helper:
        helped = ", ".join(sorted(job.stages))
        view.say(f"waiting for the run on port {pipeline.port}, to help it with {helped}; Ctrl-C ends this")


def _launch(
    job: Job, target: Target, view: TerminalView, views: RunView, held: ExitStack, in_file: Pipeline
) -> Outcome:
    """`held`: what is held for as long as the run lasts; `in_file`: the configuration as its file has it."""
    options = job.options
    watch = None
    if options.config_file and options.reread and in_file.sources:
        watch = ConfigWatch(Path(options.config_file), options.reread, view.say)

    def waiting(sentence: str, so_far: Outcome) -> None:
        view.rest()
        tell_while_waiting(job, target, so_far)
        view.say(sentence)

    view.starts(len(job.processes))
    starts = [
        Start(
            Member(label, stage, job.pipeline.hang_s(stage), replica),
            stage_command(stage, "--log-level", options.log_level),
        )
        for label, (stage, replica) in job.processes.items()
    ]
    return launch(
        starts,
        lambda: _settings(job, target, view),
        Path(shown(str(target.results.logs))),
        views,
        once=options.once,
        ends_with=job.ends_with,
        seconds=options.seconds,
        leaves=job.leaves,
        waiting=waiting,
        admission=RunAdmission(job, held) if can_change(job) else None,
        requests=partial(heard, target.results.path, in_file, watch) if can_change(job) else None,
    )


def _settings(job: Job, target: Target, view: TerminalView) -> dict[str, Settings]:
    """What each process is told, by label. It takes a while: the processes are starting meanwhile."""
    plan = job.plan()
    if target.before:
        plan = plan.going_on(target.before.inputs)
    # Who ends by itself must know that it may: helpers, and render where not all captures are watched here.
    told = {
        label: plan.settings(
            stage,
            replica,
            once=job.options.once or (stage == job.ends_with == "render"),
            run=target.name,
            waits=not view.is_quiet,
            record=job.options.record,
        )
        for label, (stage, replica) in job.processes.items()
    }
    if target.before:
        refuse_other_inputs(target, plan)
    for sentence in plan.unchecked:
        view.say(sentence)
    refuse_sources(target.results, job.pipeline.all_sources().values())
    return told
