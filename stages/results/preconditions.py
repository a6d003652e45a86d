"""Checks before a run changes anything in its output folder: what it must not replace or remove."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..layout import ANNOTATED, DROP_LOG, EVENTS, MANIFEST, RESULTS, RUN, SUMMARY
from ..names import as_text, names_apart, output_name
from ..sources.listing import Listing
from ..sources.spec import path_of
from .atomic import is_plain
from .counting import what_is_whole
from .errors import DamagedState
from .output_folder import OutputFolder, OutputFolderError, in_sentences
from .run_file import RunFile, refuse_unknown, run_in


def refuse_sources(folder: OutputFolder, sources: Iterable[str | int]) -> None:
    """Raise `OutputFolderError` for a source that this run would remove or replace.

    The same for a foreign file with the name of an annotated output. `sources`: all of this run.
    """
    if not folder.results:
        return
    old = {path.resolve() for path in folder.left()}
    named = [results.parent.name for results in folder.results[1:]]
    for place, source in enumerate(sources):
        root, files = _files_of(source)
        if old and any(path.resolve() in old for path in files):
            raise OutputFolderError(
                f"{source} holds results of an earlier run that this one would replace;"
                " choose another folder with --output."
            )
        own = folder.path / named[place] if len(named) > 1 else folder.path
        name = named[place] if named else Path(str(source)).name
        _refuse_annotated(folder, own / ANNOTATED, name, [None] if root is None else list(_below(root, files)))


def _refuse_annotated(folder: OutputFolder, annotated: Path, source: str, files: list[str | None]) -> None:
    """What these files of a source will be written to is looked at before they are read."""
    with in_sentences(folder.path):
        foreign = {path.relative_to(annotated) for path in folder.manifest.foreign_in(annotated)}
        if not foreign or not source:
            return
        apart = names_apart(file for file in files if file is not None)
        for file in files:
            for still in (True, False):
                if (name := output_name(source, file, still, apart)) in foreign:
                    folder.manifest.refuse_foreign(annotated / name)


def refuse_what_is_there(folder: OutputFolder, labels: Iterable[str], resume: bool, replace: bool) -> None:
    """Raise a `FacepipeError` where this run would change what it must not, before anything is changed.

    `labels`: of its processes; `resume`: what is there is continued; `replace`: it may be replaced.
    """
    _refuse_odd(folder)
    _refuse_without_record(folder)
    _refuse_foreign(folder, labels)
    changed = [path for path in folder.manifest.changed() if not folder.stays(path)]
    if replace:
        if other := next((path for path in changed if path not in folder.state), None):
            folder.manifest.refuse_foreign(other)
    elif changed or {*folder.left()} - {folder.path / SUMMARY}:
        _refuse_run(folder, resume, next((path for path in folder.state if path in changed), None))


def _refuse_odd(folder: OutputFolder) -> None:
    """Refuse what is no regular file: reading a FIFO would wait for its writer."""
    for path in folder.state:
        if os.path.lexists(path) and not is_plain(path):
            raise OutputFolderError(f"{path} is no regular file; move it away, or choose another folder with --output.")


def _refuse_without_record(folder: OutputFolder) -> None:
    """Without a manifest that can be read, nothing here is known to be facepipe's."""
    if not folder.manifest.exists() and run_in(folder.path) is not None:
        raise OutputFolderError(
            f"{folder.path} holds results of a version of facepipe that kept no record of its files;"
            " choose another folder with --output."
        )
    unknown = any(os.path.lexists(path) and not folder.manifest.has_made(path) for path in folder.state)
    if unknown and (damage := folder.manifest.damage):
        raise DamagedState(
            f"{folder.path / MANIFEST} {damage}, so it is not known what in {folder.path} is facepipe's, and nothing"
            f" of it is touched; {what_is_whole(folder.path, RESULTS)}; put {MANIFEST} back, move {folder.path} away,"
            " or choose another folder with --output."
        )


def _refuse_foreign(folder: OutputFolder, labels: Iterable[str]) -> None:
    for path in folder.state:
        if not folder.manifest.has_made(path):
            folder.manifest.refuse_foreign(path)
    for label in labels:
        folder.manifest.refuse_foreign(folder.logs / f"{label}.log")
    for results in folder.results:
        if not (results.parent / ANNOTATED).resolve().is_relative_to(folder.path.resolve()):
            raise OutputFolderError(
                f"{results.parent / ANNOTATED} leads out of {folder.path} by a link; remove it, or choose another"
                " folder with --output."
            )


def _refuse_run(folder: OutputFolder, resume: bool, changed: Path | None) -> None:
    """`changed`: a file of state that is not as it was written."""
    before = RunFile.read(folder.path)
    if before is None:
        refuse_unknown(folder.path, folder.results)
        raise OutputFolderError(
            f"{folder.path} holds what an earlier run has made, but no {RUN}, so it cannot be continued;"
            " --replace replaces it, another --output keeps it."
        )
    if changed and not (resume and changed.name in (RESULTS, DROP_LOG, EVENTS)):  # Render says which line it is.
        raise DamagedState(
            f"{changed} was changed since it was written, so it is not known how the run in {folder.path} stands;"
            f" {what_is_whole(folder.path, RESULTS)}; put back what was there, --replace replaces all of it, another"
            " --output keeps it."
        )
    if resume:
        return
    what = "a run that was broken off" if before.ended is None else f"a run that is {before.ended}"
    on = "" if before.ended == "finished" else "--resume continues it, "
    raise OutputFolderError(f"{folder.path} holds {what}; {on}--replace replaces it, another --output keeps it.")


def _files_of(source: str | int) -> tuple[Path | None, list[Path]]:
    """The files of a source, and the folder that they are called by their paths below; None for a single one."""
    named = path_of(source)
    if named is None:
        return None, []
    with contextlib.suppress(OSError):  # A folder that cannot be read is refused when the source is opened.
        if listing := Listing.of(source):
            return listing.root, listing.files
    return None, [Path(named)]


def _below(root: Path, files: Iterable[Path]) -> Iterator[str]:
    """What the results call these files."""
    return (as_text(path.relative_to(root).as_posix()) for path in files)
