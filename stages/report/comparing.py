"""Compares two runs, and writes the page about it beside the results of the first one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from ..layout import COMPARISON, SUMMARY
from ..reading.lines import (
    Results,
    ResultsError,
    areas_of,
    coast_of,
    inputs_of,
    manifest_of,
    results_with_frames,
    summary_in,
)
from ..results.manifest import Manifest
from ..results.pieces import whole_of
from ..sources.stamps import source_in
from .compare import compare
from .comparison import Pair, Side, page
from .cut import DEMO, cut_faces, was_hidden
from .gathering import Gathered, gather
from .words import size_of
from .writing import write_page


def write_comparison(folders: tuple[Path, Path], most_people: int, blur: bool) -> Iterator[str]:
    """Write the page into the first folder; says what was written. Raises `ResultsError`.

    `most_people`: as `gather`; `blur`: hide faces, as they are where one of the runs has hidden them.
    """
    first, second = folders
    if first.resolve() == second.resolve():
        raise ResultsError(f"{first} is compared with itself; name the folders of two runs.")
    manifest = manifest_of(first)
    left_out: list[str] = []
    firsts, seconds = (_sources(folder, most_people, left_out.append) for folder in folders)
    yield from left_out
    common = [name for name in firsts if name in seconds]
    if not common and len(firsts) == len(seconds) == 1:  # The same film under another name is one all the same.
        couples = [(*firsts.values(), *seconds.values())]
    else:
        couples = [(firsts[name], seconds[name]) for name in common]
    if not couples:
        raise ResultsError(f"{first} and {second} have no source in common, and at least one of them has several.")
    pairs = [_pair(*couple, manifest, blur) for couple in couples]
    for name in (*firsts, *seconds):
        if len(couples) == len(common) and name not in common:
            pairs[0].notes.append(f"The source {name} is in one of the runs only.")
    path = first / COMPARISON
    write_page(path, page(_names(first, second), pairs, _settings(first, second)), manifest)
    yield f"Wrote {path}, {size_of(path)}."


class _Source:
    """One source of a run, with what is gathered of it."""

    def __init__(self, results: Results, gathered: Gathered, summary: dict):
        self.results, self.gathered = results, gathered
        accounts = {account.get("source"): account for account in summary.get("sources", [])}
        restarts = sum(summary["restarts"].values()) if "restarts" in summary else None
        self.side = Side(gathered, accounts.get(gathered.source, {}), restarts)


def _sources(folder: Path, most_people: int, say: Callable[[str], None]) -> dict[str, _Source]:
    """The sources of a run by name."""
    summary = summary_in(folder / SUMMARY)
    every = {}
    for results in results_with_frames(folder, say):
        gathered = gather(results, most_people, coast_of(results.folder), areas_of(results.folder))
        every[gathered.source] = _Source(results, gathered, summary)
    return every


def _pair(first: _Source, second: _Source, manifest: Manifest, blur: bool) -> Pair:
    pair = Pair(first.side, second.side)
    torn = [one.results.path for one in (first, second) if one.results.is_torn]
    pair.notes += [f"The last line of {path} is torn, because the run was broken off; it is left out." for path in torn]
    if not _is_same(first.results, second.results):
        return pair
    pair.comparison = compare(first.results, second.results, _files(first.results, second.results))
    moments = [one.moment for stage in pair.comparison.stages.values() for one in stage.largest]
    hide = blur or was_hidden(second.results.folder) is not False
    cut = cut_faces(first.results, first.gathered.source, moments, manifest, blur=hide)
    pair.pictures = cut.pictures
    pair.notes += cut.notes
    return pair


def _is_same(first: Results, second: Results) -> bool:
    """Whether both runs had the same source, as far as run.json tells: the same file, or the demo."""
    (spec, stamp), other = (source_in(inputs_of(one.folder), whole_of(one.folder).name) for one in (first, second))
    return stamp == other[1] if stamp is not None else spec == other[0] == DEMO


def _files(*several: Iterable) -> dict[str | None, int]:
    """The files of a folder in the order in which they were read."""
    files: dict[str | None, int] = {}
    for results in several:
        first = next(islice(results, 1))
        for line in results if first.file is not None else [first]:
            files.setdefault(line.file, len(files))
    return files


def _names(first: Path, second: Path) -> tuple[str, str]:
    names = first.resolve().name, second.resolve().name
    return names if names[0] != names[1] else (str(first), str(second))


def _settings(first: Path, second: Path) -> dict[str, tuple[str, str]]:
    """The inputs of the results that are not the same, but for the sources."""
    inputs, others = inputs_of(first), inputs_of(second)
    names = dict.fromkeys(name for name in (*inputs, *others) if not name.startswith("source "))
    return {
        name: (_value(inputs, name), _value(others, name)) for name in names if inputs.get(name) != others.get(name)
    }


def _value(inputs: dict, name: str) -> str:
    """In words. A hash, by which models and their settings are named, is cut off: it only tells that they differ."""
    if name not in inputs:
        return "–"
    said = inputs[name]
    if isinstance(said, str) and len(said) == 64:
        # For most detectors it differs by this alone, and nobody has set it.
        thorough = "the more thorough search of render.blur, " if name == "stages.detect" and _hides(inputs) else ""
        return f"{thorough}model and settings {said[:8]}"
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _hides(inputs: dict) -> bool:
    return inputs.get("render.blur", "none") != "none"
