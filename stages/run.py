"""One run: its places are held, its processes started and watched, its account told."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from .config.placement import HERE, Placement
from .config.schema import ConfigError, Pipeline
from .config.settings import Settings, cores
from .layout import RESULTS
from .names import printable
from .plan import BINDING, Plan, find_models, keys_folder, processes_of
from .results.disk import can_be_changed
from .results.errors import DamagedState
from .results.manifest import Manifest
from .results.output_folder import OutputFolder, OutputFolderError, absent, logs_only
from .results.preconditions import refuse_sources
from .results.run_file import RunFile, refuse_unknown, rendered_in
from .results.runs import OUT, new_folder, output_folder, refuse_damaged_run, run_to_go_on_with, run_to_replace
from .results.source_folder import SourceFolder
from .sources.refusal import refuse
from .sources.spec import expanded
from .sources.stamps import apart_in
from .supervision.account import RunAccount, account, last_line, lines, of_all_lives
from .supervision.child import Start, stage_command
from .supervision.launcher import Outcome, RunView, launch
from .supervision.places import Places
from .supervision.policy import DONE, FAILED, REFUSED, Member
from .transport.addresses import claim_free
from .transport.keys import read_keys
from .view.terminal import TerminalView, Views, takes

STOPPED_S = 4.4  # after a person has asked for the end: five seconds are promised, on a machine that is busy too

ANSWER_S = 15.0  # what a file system may take at the start: a disk that sleeps needs some seconds
PLACES = 100  # so many are tried where any will do

Processes = dict[str, tuple[str, int]]  # label -> stage and replica


def run(
    pipeline: Pipeline,
    folder: Path,
    *,
    only: Iterable[str] | None = None,
    once: bool = False,
    seconds: float | None = None,
    quiet: bool = False,
    host: str = HERE,
    record: str | None = None,
    resume: bool = False,
    replace: bool = False,
    config: str | None = None,
    metrics: tuple[str, int] | None = None,
) -> int:
    """Run a pipeline to its end; returns the exit status.

    Mistakes come first: what can be told at once is told before anything is started or made. `folder` is what the paths
    of its models count from. `only`: the stages to start, if not all; `once`: these end when the run that they work for
    does; `seconds`: the run is ended after so long; `host`: the one of `hosts` that this machine is; `resume`: a run
    that was broken off goes on where its outputs end; `replace`: what an earlier run has left in the folder is
    replaced; `config`: the configuration's name; `record`: the file for what the stages are given and answer;
    `metrics`: host and port at which Prometheus is answered. Raises a `FacepipeError` where the run is refused.
    """
    processes = processes_of(pipeline, only, cores(), host)
    stages = {stage for stage, _ in processes.values()}
    if once and stages & BINDING:
        own = " and ".join(sorted(stages & BINDING))
        raise ConfigError(
            f"--once is for stages that help a run started elsewhere, and {own} would be that run; name others with"
            " --only STAGE."
        )
    if Placement.of(pipeline).spans_machines:  # Said before anything is started; every stage reads them itself.
        read_keys(Path(keys_folder(pipeline, folder)), host, pipeline.hosts)
    ends_with = _ends_with(pipeline, processes)
    if record is not None:
        record = os.path.abspath(record)
        _refuse_record(record)
    _refuse_sources(pipeline, processes, resume)
    find_models(pipeline, folder)
    if "render" in stages and pipeline.render.display == "window":
        _refuse_without_screen()
    _refuse_a_dead_disk(pipeline)
    with ExitStack() as held:
        named, pipeline = pipeline.port, _in_its_place(pipeline, processes, host, held)
        if resume and pipeline.render.output is None:
            refuse_damaged_run(pipeline, config)
        replaces = replace and "render" in stages
        pipeline, made = with_folder(pipeline, config, resume, replaces)
        results = _results(pipeline, processes, held, resume, replace, made)
        held.enter_context(results.left_only_by_a_run())
        before = _before(results, replace)
        if resume and before and before.ended == "finished":
            _refuse_other(before, Plan.of(pipeline, folder, host), results)
            _refuse_damaged(pipeline, results, before)
            _print(
                sys.stderr, f"facepipe: the run in {shown(str(results.path))} is finished; there is nothing to resume."
            )
            return DONE
        name = before.run if resume and before else uuid.uuid4().hex[:12]
        view = TerminalView(
            sys.stderr,
            quiet=quiet,
            detector=pipeline.detect.detector,
            output=shown(str(results.path)),
            window=pipeline.window,
        )
        views: RunView = view
        if metrics is not None:
            from .supervision.metrics import Metrics, served

            counted = Metrics()
            view.say(f"metrics at {held.enter_context(served(counted, *metrics, say=view.say))}")
            views = Views(view, counted)
        if pipeline.capture.loop and "capture" in stages:
            until = "" if seconds else " until you end the run, with Q or Ctrl-C"
            view.say(f"read again and again{until}; results.jsonl grows all the time, and nothing annotated is written")
        if record is not None and pipeline.render.blur != "none":
            view.say(f"{shown(record)} keeps the pictures as they were read: what is hidden elsewhere is seen in it")
        if results.results:
            results.manifest.remove_temporaries(results.path)
            results.remove_logs(keep=processes)
        if pipeline.port != named:
            view.say(
                f"another run is using port {named}, so this one uses {pipeline.port}; only stages that you start"
                f" yourself to help it need to know: --set port={pipeline.port}"
            )
        if not stages & BINDING:
            view.say(f"waiting for the run on port {pipeline.port}, to help it with {', '.join(sorted(stages))}")
        try:
            outcome = launch(
                _starts(pipeline, processes),
                _settings(
                    pipeline,
                    folder,
                    processes,
                    once,
                    ends_with,
                    results,
                    view,
                    host,
                    name,
                    before if resume else None,
                    record,
                ),
                Path(shown(str(results.logs))),
                views,
                once=once,
                ends_with=ends_with,
                seconds=seconds,
            )
        finally:
            view.close()
        _leave_a_dead_disk(outcome, results)
        if once and outcome.status == DONE:  # A helper that had nothing to complain of leaves nothing behind.
            for label in processes:
                with contextlib.suppress(OSError):  # The folder was moved, and the logs with it.
                    results.manifest.remove(results.logs / f"{label}.log")
        results.close_logs(processes)
        came = _account(pipeline, outcome, processes)
        status = _tell(came, outcome, results, name, quiet)
        has_read_nothing = bool(results.results) and _has_read_nothing(came, outcome)  # Helpers never read anything.
        results.remove_if_empty(refused=status == REFUSED or once or has_read_nothing)
        if record is not None and status == REFUSED:
            with contextlib.suppress(OSError):  # The next try, without the mistake, may have this name.
                os.unlink(record)
        return status


def _refuse_record(record: str) -> None:
    if os.path.lexists(record):
        raise ConfigError(f"--record {shown(record)}: this file is there already; choose another one.")
    if not os.path.isdir(above := os.path.dirname(record)):
        raise ConfigError(f"--record {shown(record)}: there is no folder {shown(above)}; make it first.")


def _refuse_sources(pipeline: Pipeline, processes: Processes, resume: bool) -> None:
    """Raise `SourceError` for a source that is read here and certainly cannot be."""
    sources = list(pipeline.all_sources().values())
    for stage, replica in processes.values():
        if stage == "capture":
            refuse(sources[replica], is_pinned=resume)


def _refuse_without_screen() -> None:
    """Raise `DisplayError` where there is none for the window that was asked for; render finds out what else may be."""
    from .view.screen import DisplayError, no_screen  # NumPy: no other run has to wait for it here.

    if reason := no_screen():
        raise DisplayError(reason)


def _refuse_a_dead_disk(pipeline: Pipeline) -> None:
    """Raise `OutputFolderError` where nothing can be written: this process would wait for that and hear nothing."""
    path = Path(os.path.abspath(expanded(pipeline.render.output or str(OUT))))
    if not can_be_changed(path, ANSWER_S):
        raise OutputFolderError(
            f"{path} cannot be used for the results: its file system has not answered for {ANSWER_S:.0f} s; look after"
            " its disk or server, or choose another folder with --output."
        )


def _leave_a_dead_disk(outcome: Outcome, results: OutputFolder) -> None:
    """End this process where a person waits for its end and its files can be changed no more: all that follows does."""
    if outcome.stopped_s is None or can_be_changed(results.path, outcome.stopped_s + STOPPED_S - time.monotonic()):
        return
    at = shown(str(results.path))
    _print(
        sys.stderr,
        f"facepipe: {outcome.sentence or 'The run was ended.'} No summary is left in {at}: its file system does not"
        " answer; what was written before is there when it does, and --resume goes on with it.",
        within_s=0.0,
    )
    os._exit(outcome.status)


def shown(path: str) -> str:
    """A path as short as it can be said from here."""
    try:
        relative = os.path.relpath(path)
    except OSError:  # The folder that we are in was removed.
        return path
    return path if relative.startswith("..") else relative


def _ends_with(pipeline: Pipeline, processes: Processes) -> str:
    """Whose end is that of the run here: the captures', or render's where some of these run elsewhere."""
    here = [stage for stage, _ in processes.values()]
    return "render" if "render" in here and here.count("capture") < len(pipeline.all_sources()) else "capture"


def _in_its_place(pipeline: Pipeline, processes: Processes, host: str, held: ExitStack) -> Pipeline:
    """Hold what the processes bind; returns the pipeline with the port whose place the run has.

    A run that is here as a whole meets nobody from elsewhere, so any place will do. Parts of one are looked for where
    the configuration says.
    """
    is_whole = {stage for stage, _ in processes.values()} >= BINDING and not Placement.of(pipeline).spans_machines
    ports = range(pipeline.port, pipeline.port + (PLACES if is_whole else 1))
    placed = {port: dataclasses.replace(pipeline, port=port) for port in ports}
    return placed[claim_free(ports, lambda port: _bound(placed[port], processes, host), held)]


def _bound(pipeline: Pipeline, processes: Processes, host: str) -> list[str]:
    places = Places.of(pipeline, host)
    return [place for stage, replica in processes.values() for place in places.binds(stage, replica)]


def with_folder(
    pipeline: Pipeline, config: str | None, resume: bool, replace: bool = False
) -> tuple[Pipeline, tuple[Path, ...]]:
    """The pipeline with the folder that it writes to, and the folders that were made for that.

    Where none is said: that of the run of the same sources which it goes on with or replaces, else one of its own.
    """
    if pipeline.render.output is not None:
        return pipeline, ()
    before = run_to_replace(pipeline, config) if replace else run_to_go_on_with(pipeline) if resume else None
    above = absent(OUT)
    path = before or new_folder(pipeline, config)
    made = () if before else (*above, path)
    render = dataclasses.replace(pipeline.render, output=str(path))
    return dataclasses.replace(pipeline, render=render), made


def _results(
    pipeline: Pipeline,
    processes: Processes,
    held: ExitStack,
    resume: bool,
    replace: bool,
    made: tuple[Path, ...],
) -> OutputFolder:
    path = Path(os.path.abspath(expanded(pipeline.render.output)))
    if "render" not in (stage for stage, _ in processes.values()):
        return logs_only(path, processes, made)
    given = {"resume": resume, "replace": replace, "made": made}
    return held.enter_context(output_folder(path, pipeline.sources, processes, **given))


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


def _refuse_damaged(pipeline: Pipeline, results: OutputFolder, before: RunFile) -> None:
    """Raise `DamagedState` where a run that is finished has not left what it wrote."""
    from .sinks.recovery import survey  # NumPy and PyAV: no other run has to wait for them here.

    rendered = rendered_in(results.path)
    for path in results.results[1:] or results.results:
        apart = apart_in(before.inputs, path.parent.name)
        found = survey(SourceFolder(path.parent, Manifest(results.path), pipeline.writes_annotated, apart))
        written = rendered.get(found.source or path.parent.name, found.count)
        missing = found.missing.sentences()
        if found.count != written:
            missing.insert(0, f"{RESULTS} holds {found.count} of the {written} lines that it had")
        if missing:
            raise DamagedState(
                f"the run in {shown(str(path.parent))} is finished, but {'; '.join(missing)}; put back what is missing,"
                " or use --replace to begin anew."
            )


def _refuse_other(before: RunFile, plan: Plan, results: OutputFolder) -> None:
    """Raise `ConfigError` where the run in this folder was begun with other inputs than these."""
    if difference := before.difference(plan.going_on(before.inputs).inputs):
        raise ConfigError(
            f"{difference} is not what the run in {shown(str(results.path))} was begun with;"
            " --replace begins it anew, --output another one."
        )


def _starts(pipeline: Pipeline, processes: Processes) -> list[Start]:
    return [
        Start(Member(label, stage, pipeline.hang_s(stage), replica), stage_command(stage))
        for label, (stage, replica) in processes.items()
    ]


def _settings(
    pipeline: Pipeline,
    folder: Path,
    processes: Processes,
    once: bool,
    ends_with: str,
    results: OutputFolder,
    view: TerminalView,
    host: str,
    name: str,
    before: RunFile | None,
    record: str | None,
) -> Callable[[], dict[str, Settings]]:
    def settings() -> dict[str, Settings]:
        plan = Plan.of(pipeline, folder, host)
        if before:
            plan = plan.going_on(before.inputs)
        # Who ends by itself must know that it may: helpers, and render where not all captures are watched here.
        told = {
            label: plan.settings(
                stage,
                replica,
                once=once or (stage == ends_with == "render"),
                run=name,
                waits=not view.is_quiet,
                record=record,
            )
            for label, (stage, replica) in processes.items()
        }
        if before:
            _refuse_other(before, plan, results)
        for sentence in plan.unchecked:
            view.say(sentence)
        refuse_sources(results, pipeline.all_sources().values())
        return told

    return settings


def _has_read_nothing(came: RunAccount, outcome: Outcome) -> bool:
    """Whether a person has ended the run before a source gave anything; where it is read elsewhere, render says so."""
    has_read = any(source.captured or source.rendered for source in came.sources)
    return outcome.stopped and not has_read and not came.outputs


def _tell(came: RunAccount, outcome: Outcome, results: OutputFolder, name: str, quiet: bool) -> int:
    """Say what came of the run, and leave its summary; returns the exit status."""
    # A run that was refused, or ended before every stage was there, has changed nothing, and the summary of the earlier
    # one still says what is here.
    try:
        here = RunFile.read(results.path) if results.results else None
    except DamagedState as error:
        here, outcome.status, outcome.sentence = None, FAILED, outcome.sentence or str(error)
    has_begun = came.sources if here else outcome.status != REFUSED and not _has_read_nothing(came, outcome)
    if results.results and has_begun and (here is None or here.run == name):
        _note_end(outcome, here, results.path)
        inside = [os.path.relpath(path, results.path).replace(os.sep, "/") for path in came.outputs]
        ended = {"status": outcome.status, "failure": outcome.sentence}
        try:
            results.write_summary({**ended, **came.to_json(), "outputs": inside})
        except OutputFolderError as error:  # A run whose account is lost has failed, whatever it was before.
            outcome.status, outcome.sentence = FAILED, outcome.sentence or str(error)
    # Who has asked for the end gets it, even where nobody reads what is said.
    patience_s = None if outcome.stopped_s is None else 0.5
    if _is_worth_telling(came, outcome) and not quiet:
        stopped = "Stopped: " if outcome.status > 128 else ""
        found = _found(came, results) if outcome.sentence is None else []
        _print(sys.stdout, *lines(came), *found, stopped + last_line(came, shown), within_s=patience_s)
    if outcome.sentence:
        _print(sys.stderr, f"facepipe: {outcome.sentence}", within_s=patience_s)
    return outcome.status


def _found(came: RunAccount, results: OutputFolder) -> list[str]:
    """What is to be said of the faces in a picture, where the run was about one."""
    if not results.results or [source.rendered for source in came.sources] != [1]:
        return []
    from .view.found import found_in  # NumPy: no other run has to wait for it here.

    return found_in(results.path / RESULTS)


def _is_worth_telling(came: RunAccount, outcome: Outcome) -> bool:
    """An account of nothing would only stand before the reason for it."""
    if outcome.sentence is None:
        return bool(came.sources)
    return any(source.rendered or (source.captured and outcome.status != REFUSED) for source in came.sources)


def _note_end(outcome: Outcome, written: RunFile | None, folder: Path) -> None:
    """A run that failed is not over: what has made it fail may be mended, and the run go on."""
    if written and outcome.status not in (FAILED, REFUSED):
        with contextlib.suppress(OSError):  # The next write says so, in a sentence.
            written.with_end("stopped" if outcome.stopped else "finished").write(folder)


def _print(stream: TextIO, *lines: str, within_s: float | None = None) -> None:
    # The results are on the disk: a reader that has gone, or a full disk behind a log, does not spoil the run.
    with contextlib.suppress(OSError, ValueError):
        if takes(stream, within_s):
            print(*map(printable, lines), sep="\n", file=stream, flush=True)


def _account(pipeline: Pipeline, outcome: Outcome, processes: Processes) -> RunAccount:
    # One that was killed has at least said where it was.
    told = {label: outcome.reports.get(label) or outcome.progress.get(label) for label in processes}
    whole = {label: of_all_lives(report, outcome.earlier.get(label, [])) for label, report in told.items()}
    captures = [whole[label] for label, (stage, _) in processes.items() if stage == "capture" and whole[label]]
    replicas = {stage: sum(s == stage for s, _ in processes.values()) for stage, _ in processes.values()}
    if pipeline.hosts:  # What is busy may run on several; `auto` is taken to be alike on all.
        replicas |= Placement.of(pipeline).everywhere(pipeline.replicas(cores()))
    return account(captures, whole.get("render"), replicas, outcome.restarts)
