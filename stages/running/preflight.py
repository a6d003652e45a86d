"""What is looked at before a run is started: mistakes that can be told at once, its port and its folder."""

from __future__ import annotations

import dataclasses
import os
import uuid
from contextlib import ExitStack
from pathlib import Path

from ..config.connections import SOURCE_PLACE
from ..config.schema import ConfigError, Pipeline
from ..layout import RESULTS
from ..plan import BINDING, Plan, find_models, keys_folder, streams_of
from ..results.disk import can_be_changed
from ..results.errors import DamagedState
from ..results.manifest import Manifest
from ..results.output_folder import OutputFolder, OutputFolderError, absent, logs_only
from ..results.pieces import newest_of
from ..results.run_file import RunFile, refuse_unknown, rendered_in
from ..results.runs import OUT, new_folder, output_folder, refuse_damaged_run, run_to_go_on_with, run_to_replace
from ..results.source_folder import SourceFolder
from ..sources.refusal import refuse
from ..sources.spec import expanded
from ..sources.stamps import apart_in
from ..streams.destination import destinations
from ..streams.folder import refuse_folder
from ..supervision.places import Places
from ..transport.addresses import claim_free
from ..transport.keys import read_keys
from .job import Job, Target, shown

ANSWER_S = 15.0  # what a file system may take at the start: a disk that sleeps needs some seconds
PORTS = 100  # so many are tried where any will do


def refuse_mistakes(job: Job) -> None:
    """Raise a `FacepipeError` for what can be told at once, before anything is started or made."""
    pipeline, options = job.pipeline, job.options
    if options.once and not job.is_helper:
        own = " and ".join(sorted(job.stages & BINDING))
        raise ConfigError(
            f"--once is for stages that help a run started elsewhere, and {own} would be that run; name others with"
            " --only STAGE."
        )
    if job.spans_machines:  # Every stage reads them itself.
        read_keys(Path(keys_folder(pipeline, job.folder)), options.host, pipeline.hosts)
    if options.record is not None:
        _refuse_record(options.record)
    _refuse_sources(job)
    find_models(pipeline, job.folder)
    if "render" in job.stages and pipeline.render.display == "window":
        _refuse_without_screen()
    if "render" in job.stages:
        refuse_without_encoder(pipeline)
        refuse_streams(pipeline, job.folder)
    _refuse_a_dead_disk(pipeline)


def _refuse_record(record: str) -> None:
    if os.path.lexists(record):
        raise ConfigError(f"--record {shown(record)}: this file is there already; choose another one.")
    if not os.path.isdir(above := os.path.dirname(record)):
        raise ConfigError(f"--record {shown(record)}: there is no folder {shown(above)}; make it first.")


def _refuse_sources(job: Job) -> None:
    """Raise `SourceError` for a source that is read here and certainly cannot be."""
    sources = list(job.pipeline.all_sources().values())
    for stage, replica in job.processes.values():
        if stage == "capture":
            refuse(sources[replica], is_pinned=job.options.resume)


def _refuse_without_screen() -> None:
    """Raise `DisplayError` where there is none for the window that was asked for; render finds out what else may be."""
    from ..view.screen import DisplayError, no_screen  # NumPy: no other run has to wait for it here.

    if reason := no_screen():
        raise DisplayError(reason)


def refuse_without_encoder(pipeline: Pipeline) -> None:
    """Raise `ConfigError` where the encoder that was asked for does not work on this machine."""
    if (pipeline.writes_annotated or pipeline.render.streams) and pipeline.render.encoder not in ("software", "auto"):
        from ..sinks.encoders import refuse_encoder  # NumPy and PyAV: no other run has to wait for them here.

        refuse_encoder(pipeline.render.encoder)


def refuse_streams(pipeline: Pipeline, folder: Path) -> None:
    """Raise `ConfigError` where a playlist cannot be written; whether a server is there, its stream finds out."""
    for name in pipeline.sources or ("",):
        # What an only source is called is known when it is open. Its folder is looked at unless it bears the name.
        known = [a for a in streams_of(pipeline, folder) if name or SOURCE_PLACE not in os.path.dirname(a)]
        for playlist in filter(None, (each.playlist for each in destinations(known, name))):
            refuse_folder(playlist)


def _refuse_a_dead_disk(pipeline: Pipeline) -> None:
    """Raise `OutputFolderError` where nothing can be written: this process would wait for that and hear nothing."""
    path = Path(os.path.abspath(expanded(pipeline.render.output or str(OUT))))
    if not can_be_changed(path, ANSWER_S):
        raise OutputFolderError(
            f"{path} cannot be used for the results: its file system has not answered for {ANSWER_S:.0f} s; look after"
            " its disk or server, or choose another folder with --output."
        )


def with_port(job: Job, held: ExitStack) -> Job:
    """Hold what the processes bind; returns the job with the port that the run has.

    A run that is here as a whole meets nobody from elsewhere, so any port will do. Parts of one are looked for where
    the configuration says.
    """
    is_whole = job.stages >= BINDING and not job.spans_machines
    ports = range(job.pipeline.port, job.pipeline.port + (PORTS if is_whole else 1))
    placed = {port: dataclasses.replace(job, pipeline=dataclasses.replace(job.pipeline, port=port)) for port in ports}
    return placed[claim_free(ports, lambda port: _bound(placed[port]), held)]


def _bound(job: Job) -> list[str]:
    places = Places.of(job.pipeline, job.options.host)
    return [place for stage, replica in job.processes.values() for place in places.binds(stage, replica)]


def with_folder(job: Job, held: ExitStack) -> tuple[Job, Target]:
    """Hold the folder that the run writes to; returns the job with it.

    Raises `OutputFolderError` and `DamagedState` where it cannot be that of this run.
    """
    if job.options.resume and job.pipeline.render.output is None:
        refuse_damaged_run(job.pipeline, job.options.config)
    pipeline, made = _choose_folder(job)
    job = dataclasses.replace(job, pipeline=pipeline)
    results = _open_folder(job, held, made)
    held.enter_context(results.left_only_by_a_run())
    before = _before(results, job.options.replace)
    if not job.options.resume:
        before = None
    return job, Target(before.run if before else uuid.uuid4().hex[:12], results, before)


def _choose_folder(job: Job) -> tuple[Pipeline, tuple[Path, ...]]:
    """The pipeline with the folder that it writes to, and the folders that were made for that.

    Where none is said: that of the run of the same sources which it goes on with or replaces, else one of its own.
    """
    pipeline, options = job.pipeline, job.options
    if pipeline.render.output is not None:
        return pipeline, ()
    before = None
    if options.replace and "render" in job.stages:
        before = run_to_replace(pipeline, options.config)
    elif options.resume:
        before = run_to_go_on_with(pipeline)
    above = absent(OUT)
    path = before or new_folder(pipeline, options.config)
    render = dataclasses.replace(pipeline.render, output=str(path))
    return dataclasses.replace(pipeline, render=render), () if before else (*above, path)


def _open_folder(job: Job, held: ExitStack, made: tuple[Path, ...]) -> OutputFolder:
    path = Path(os.path.abspath(expanded(job.pipeline.render.output)))
    if "render" not in job.stages:
        return logs_only(path, job.processes, made)
    given = {"resume": job.options.resume, "replace": job.options.replace, "made": made}
    return held.enter_context(output_folder(path, job.pipeline.sources, job.processes, **given))


def _before(results: OutputFolder, replace: bool) -> RunFile | None:
    """What run.json says of the results that are there; raises `DamagedState`, unless all of it is to be replaced."""
    if not results.results:
        return None
    try:
        before = RunFile.read(results.path)
        if before is None:
            refuse_unknown(results.path, results.results)
    except DamagedState:
        if not replace:
            raise
        return None
    return before


def refuse_damaged(job: Job, target: Target) -> None:
    """Raise `DamagedState` where a run that is finished has not left what it wrote."""
    from ..sinks.recovery import survey  # NumPy and PyAV: no other run has to wait for them here.

    results, rendered = target.results, rendered_in(target.results.path)
    for path in results.results[1:] or results.results:
        apart = apart_in(target.before.inputs, path.parent.name)
        whole = SourceFolder(path.parent, Manifest(results.path), job.pipeline.writes_annotated, apart)
        found = survey(newest_of(whole, job.pipeline.render.rotate is not None))
        written = rendered.get(found.source or path.parent.name, found.rendered)
        missing = found.missing.sentences()
        if found.rendered != written:
            missing.insert(0, f"{RESULTS} holds {found.rendered} of the {written} lines that it had")
        if missing:
            raise DamagedState(
                f"the run in {shown(str(path.parent))} is finished, but {'; '.join(missing)}; put back what is missing,"
                " or use --replace to begin anew."
            )


def refuse_other_inputs(target: Target, plan: Plan) -> None:
    """Raise `ConfigError` where the run that is gone on with was begun with other inputs than these."""
    if difference := target.before.difference(plan.going_on(target.before.inputs).inputs):
        if target.before.ended == "finished":
            raise ConfigError(
                f"the run in {target.shown} is finished, and {difference} is not what it was begun with; without"
                " --resume a run gets a folder of its own."
            )
        raise ConfigError(
            f"{difference} is not what the run in {target.shown} was begun with;"
            " --replace begins it anew, another --output keeps it."
        )
