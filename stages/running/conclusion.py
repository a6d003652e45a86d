"""What is done and told when the processes of a run have ended: its account, its summary, its exit status."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TextIO

from ..config.placement import Placement
from ..config.settings import cores
from ..exit_status import ExitStatus
from ..names import printable
from ..protocol.stats import CaptureReport
from ..results.disk import can_be_changed
from ..results.errors import DamagedState
from ..results.output_folder import OutputFolder, OutputFolderError
from ..results.pieces import results_in_pieces
from ..results.run_file import RunFile
from ..supervision.account import RunAccount, account, full_lines, of_all_lives
from ..supervision.launcher import Outcome
from ..view.live_line import takes
from .job import Job, Target, shown
from .result import ended_early, result_lines

STOPPED_S = 4.4  # after a person has asked for the end: five seconds are promised, on a machine that is busy too


def conclude(job: Job, target: Target, outcome: Outcome, delivered: dict[str, dict] | None = None) -> int:
    """Say what came of the run, leave its summary, clear away what nothing has come of; returns the exit status.

    `delivered`: by destination, what has become of the events, where they are sent.
    """
    options, results = job.options, target.results
    if outcome.stopped_s is not None:
        _leave_a_dead_disk(outcome, target)
    if options.once and outcome.status == ExitStatus.DONE:
        _remove_logs(job, results)  # A helper that had nothing to complain of leaves nothing behind.
    results.close_logs({**job.processes, **outcome.reports})
    came = _account(job, outcome)
    leave_summary(came, outcome, target, delivered)
    _tell(came, outcome, job, results)
    was_refused = outcome.status == ExitStatus.REFUSED
    has_read_nothing = bool(results.results) and _has_read_nothing(came, outcome)  # Helpers never read anything.
    results.remove_if_empty(refused=was_refused or options.once or has_read_nothing)
    if options.record is not None and was_refused:
        with contextlib.suppress(OSError):  # The next try, without the mistake, may have this name.
            os.unlink(options.record)
    return outcome.status


def tell_while_waiting(job: Job, target: Target, outcome: Outcome) -> None:
    """Say what came of a run that stays for a person who looks at it; `conclude` does not say it again."""
    _tell(_account(job, outcome), outcome, job, target.results)


def _leave_a_dead_disk(outcome: Outcome, target: Target) -> None:
    """End this process where a person waits for its end and its files can be changed no more: all that follows does."""
    if can_be_changed(target.results.path, outcome.stopped_s + STOPPED_S - time.monotonic()):
        return
    print_lines(
        sys.stderr,
        f"facepipe: {outcome.sentence or 'The run was ended.'} No summary is left in {target.shown}: its file system"
        " does not answer; what was written before is there when it does, and --resume continues it.",
        within_s=0.0,
    )
    os._exit(outcome.status)


def _remove_logs(job: Job, results: OutputFolder) -> None:
    for label in job.processes:
        with contextlib.suppress(OSError):  # The folder was moved, and the logs with it.
            results.manifest.remove(results.logs / f"{label}.log")


def _account(job: Job, outcome: Outcome) -> RunAccount:
    stages = [stage for stage, _ in job.processes.values()]
    replicas = {stage: stages.count(stage) for stage in stages}
    if job.pipeline.hosts:  # What is busy may run on several; `auto` is taken to be alike on all.
        replicas |= Placement.of(job.pipeline).everywhere(job.pipeline.replicas(cores()))
    render = of_all_lives([*outcome.reports.get("render", {}).values()])
    return account(_captures(job, outcome), render, replicas, outcome.restarts, outcome.failures)


def _captures(job: Job, outcome: Outcome) -> list[CaptureReport]:
    """What each capture has reported, those of sources that were added too."""
    labels = dict.fromkeys([*job.processes, *outcome.reports])
    whole = (of_all_lives([*outcome.reports.get(label, {}).values()]) for label in labels)
    return [report for report in whole if isinstance(report, CaptureReport)]


def _has_read_nothing(came: RunAccount, outcome: Outcome) -> bool:
    """Whether a person has ended the run before a source gave anything; where it is read elsewhere, render says so."""
    has_read = any(source.captured or source.rendered for source in came.sources)
    return outcome.stopped and not has_read and not came.outputs


def leave_summary(came: RunAccount, outcome: Outcome, target: Target, delivered: dict[str, dict] | None = None) -> None:
    """Write summary.json and how the run ended, where it has begun; what goes wrong with that is the outcome."""
    results = target.results
    # A run that was refused, or ended before every stage was there, has changed nothing, and the summary of the earlier
    # one still says what is here.
    try:
        here = RunFile.read(results.path) if results.results else None
    except DamagedState as error:
        here = None
        _fail(outcome, error)
    has_begun = came.sources if here else outcome.status != ExitStatus.REFUSED and not _has_read_nothing(came, outcome)
    if not (results.results and has_begun and (here is None or here.run == target.name)):
        return
    _note_end(outcome, here, results.path)
    inside = [os.path.relpath(path, results.path).replace(os.sep, "/") for path in came.outputs]
    started = {"started": here.started} if here and here.started else {}
    ended = {**started, "status": outcome.status, "failure": outcome.sentence}
    sent = {} if delivered is None else {"connect": delivered}
    try:
        results.write_summary({**ended, **came.to_json(), "outputs": inside, **sent})
    except OutputFolderError as error:  # A run whose account is lost has failed, whatever it was before.
        _fail(outcome, error)


def _fail(outcome: Outcome, error: Exception) -> None:
    outcome.status, outcome.sentence = ExitStatus.FAILED, outcome.sentence or str(error)


def _note_end(outcome: Outcome, written: RunFile | None, folder: Path) -> None:
    """A run that failed is not over: what has made it fail may be mended, and the run go on."""
    if written and outcome.status not in (ExitStatus.FAILED, ExitStatus.REFUSED):
        with contextlib.suppress(OSError):  # The next write says so, in a sentence.
            written.with_end("stopped" if outcome.stopped else "finished").write(folder)


def _tell(came: RunAccount, outcome: Outcome, job: Job, results: OutputFolder) -> None:
    options = job.options
    # Who has asked for the end gets it, even where nobody reads what is said.
    patience_s = None if outcome.stopped_s is None else 0.5
    if _is_worth_telling(came, outcome) and not options.quiet:
        in_full = full_lines(came) if options.verbose else []
        said = result_lines(came, _found(came, outcome, results), shown, options.verbose)
        stopped = _stopped(outcome, _captures(job, outcome), bool(results.results))
        print_lines(sys.stdout, *in_full, *stopped, *said, within_s=patience_s)
    if outcome.sentence:
        print_lines(sys.stderr, f"facepipe: {outcome.sentence}", within_s=patience_s)


def _stopped(outcome: Outcome, captures: list[CaptureReport], has_results: bool) -> list[str]:
    """That a person has ended the run, by a signal or before its video had ended: a camera ends no other way."""
    early = ended_early(captures) if outcome.stopped else None
    said = "Stopped" if outcome.status > 128 else early
    return [f"{said}.{' --resume continues it.' if has_results else ''}"] if said else []


def _is_worth_telling(came: RunAccount, outcome: Outcome) -> bool:
    """An account of nothing would only stand before the reason for it; one that was told is not told again."""
    if outcome.waited:
        return False
    if outcome.sentence is None:
        return bool(came.sources)
    return any(source.rendered or (source.captured and outcome.status != ExitStatus.REFUSED) for source in came.sources)


def _found(came: RunAccount, outcome: Outcome, results: OutputFolder) -> list[str]:
    """What is to be said of the faces in pictures, where the run was about such."""
    if outcome.sentence or not results.results or len(came.sources) > 1 or not came.sources[0].rendered:
        return []
    from ..view.found import found_in  # NumPy: no other run has to wait for it here.

    return found_in(results_in_pieces(results.path)[-1])


def print_lines(stream: TextIO, *lines: str, within_s: float | None = None) -> None:
    """Print lines, if the stream takes them; `within_s`: None waits for ever."""
    # The results are on the disk: a reader that has gone, or a full disk behind a log, does not spoil the run.
    with contextlib.suppress(OSError, ValueError):
        if takes(stream, within_s):
            print(*map(printable, lines), sep="\n", file=stream, flush=True)
