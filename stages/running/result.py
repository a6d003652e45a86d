"""What came of a run, in a person's words: what was found, what is missing and why, and where the files are. Pure."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence

from ..layout import ANNOTATED, PIECES
from ..names import counted
from ..protocol.stats import CaptureReport
from ..reading.words import people
from ..supervision.account import BUSY, RunAccount, SourceAccount
from ..view.progress import duration

NO_FACE = (
    "--set stages.detect.longest_side=1280 finds smaller faces; docs/troubleshooting.md, Faces are not found, says what"
    " else helps."
)
WHOLE = "no frame missing"
# The reasons in account.jsonl. A late frame is not blamed on the stage it waited for: what to speed up is the busiest
# stage, which is named once for the run and is often another one.
_DROPPED = {
    "queue full": "more came than could be analysed in time",
    "late": "more came than could be analysed in time",
    "stage gone": "there was no process of {stage}",
    "stages not ready": "the stages were still loading their models",
    "opening": "the camera was still being opened",
    "restart": "{stage} had to be started again",
}


def result_lines(account: RunAccount, pictures: list[str], shown: Callable[[str], str], is_verbose: bool) -> list[str]:
    """What is printed at the end of a run.

    `pictures`: what was found in photographs, see `found_in`, or nothing for videos and cameras; `shown` says a path to
    the person; `is_verbose`: whether they want the full account, and to know how fast photographs were, too.
    """
    if "render" not in account.replicas:
        read = sum(source.captured or 0 for source in account.sources)
        return [*account.notes, f"{counted(read, 'frame')} read; what became of them is told where render runs."]
    sources = [source for source in account.sources if source.rendered or source.captured != 0] or account.sources
    if pictures:
        missing = [text for source in sources if (text := _missing(source)) != WHOLE]
        said = [*pictures, *(f"{text}." for text in missing)]
    else:
        said = [_name(source, sources) + _found(source) for source in sources]
    if not any(source.faces for source in sources) and all(_missing(source) == WHOLE for source in sources):
        said.append(NO_FACE)
    said += account.notes
    if is_verbose or not pictures:
        said += filter(None, [_speed(account, is_verbose)])
    if account.outputs:
        said.append(f"Wrote {_files(account.outputs, shown)}.")
    return said


def ended_early(captures: Sequence[CaptureReport]) -> str | None:
    """Which videos were ended before their last frame; None where none was, or their lengths are not known."""
    early = [one for one in captures if one.frames is not None and one.captured < one.frames]
    several = len(captures) > 1
    said = [f"{f'{one.source} ' if several else ''}after {one.captured} of {one.frames} frames" for one in early]
    return f"Ended early, {', '.join(said)}" if said else None


def _name(source: SourceAccount, sources: list[SourceAccount]) -> str:
    return f"{source.source}: " if len(sources) > 1 else ""


def _found(source: SourceAccount) -> str:
    faces = counted(source.faces, "face") if source.faces else "no face"
    of = f" of {people(source.people)}" if source.people else ""
    return f"{counted(source.rendered, 'frame')}, {faces}{of}; {_missing(source)}."


def _missing(source: SourceAccount) -> str:
    """What the results lack, and why, or that they lack nothing."""
    drops: Counter[str] = Counter()
    for drop in source.dropped:
        drops[_DROPPED.get(drop.reason, drop.reason).format(stage=drop.stage)] += drop.count
    said = [f"{counted(count, 'frame')} dropped, because {why}" for why, count in drops.items()]
    if source.captured is None:  # Its capture was killed.
        said.append("an unknown number of frames not finished")
    elif source.unaccounted > 0:
        said.append(f"{counted(source.unaccounted, 'frame')} not finished when the run was ended")
    if source.missing:
        said.append(f"{counted(source.missing, 'answer')} missing, see account.jsonl")
    if source.errors:
        said.append(f"{counted(source.errors, 'frame')} not analysed, see errors in results.jsonl")
    if source.skipped:
        said.append(f"{counted(source.skipped, 'file')} not readable")
    if source.cut_short:
        said.append(f"{counted(source.cut_short, 'video')} cut short or damaged")
    if source.failure:
        said.append("not read to its end")
    return ", ".join(said) or WHOLE


def _speed(account: RunAccount, is_verbose: bool) -> str:
    """How fast this start was, and what was done before it; what helps is said elsewhere where `is_verbose`."""
    frames = sum(source.rendered_now for source in account.sources)
    seconds = max((source.seconds for source in account.sources), default=0.0)
    said = []
    if seconds and frames:
        said.append(f"{frames / seconds:.1f} frames/s, {_took(seconds)}")
    if before := sum(source.before for source in account.sources):
        said.append(f"{counted(frames, 'frame')} now and {before} before")
    if said and (busy := account.busy) and max(busy.values()) >= BUSY:
        helps = "" if is_verbose else ", --verbose says what helps"
        said.append(f"{max(busy, key=busy.get)} was the busiest stage{helps}")
    if restarts := account.restarts:
        times = sum(restarts.values())
        said.append(f"{' and '.join(restarts)} started again {'once' if times == 1 else f'{times} times'}")
    return "; ".join(said) + "." if said else ""


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def _files(paths: list[str], shown: Callable[[str], str]) -> str:
    """Files by their paths; of many annotated ones, how many there are and their folder; of pieces their folder."""
    inside = f"{os.sep}{PIECES}{os.sep}"  # Only those of the newest piece are known, and it is one of several.
    in_pieces = dict.fromkeys(path.rpartition(inside)[0] + inside for path in paths if inside in path)
    paths = [path for path in paths if inside not in path]
    annotated = [path for path in paths if f"{os.sep}{ANNOTATED}{os.sep}" in path]
    named = [f"{shown(folder.rstrip(os.sep))}{os.sep}" for folder in in_pieces]
    named += [shown(path) for path in paths if path not in annotated]
    if len(annotated) > 3:
        named.append(f"{len(annotated)} files in {shown(_above(annotated))}{os.sep}")
    else:
        named += map(shown, annotated)
    if len(named) > 4:
        named = [*named[:3], f"{len(named) - 3} others"]
    return " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))


def _above(paths: list[str]) -> str:
    above = os.path.commonpath(paths)
    return above if above not in paths else os.path.dirname(above)
