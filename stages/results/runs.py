"""The folder of a run: made and held, named after its sources, and found again."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from ..config.schema import Pipeline
from ..errors import FacepipeError
from ..layout import LOCK
from ..locks import Taken, locked
from ..names import safe_name
from ..sources.spec import camera_of, expanded, path_of
from ..sources.urls import public, split
from .errors import DamagedState
from .manifest import Manifest
from .output_folder import OutputFolder, absent, in_sentences
from .preconditions import refuse_what_is_there
from .run_file import RunFile, refuse_unknown, run_in

OUT = Path("out")  # where a run gets a folder of its own, if it is not given one
NAME_CHARACTERS = 60  # of such a folder's name


@contextmanager
def output_folder(
    path: Path,
    sources: Iterable[str],
    labels: Iterable[str] = (),
    *,
    resume: bool = False,
    replace: bool = False,
    made: tuple[Path, ...] = (),
) -> Iterator[OutputFolder]:
    """Make the folder and hold it against other runs; nothing in it is changed yet.

    `sources`: as in `OutputFolder.at`; `labels`, `resume`, `replace`: as in `refuse_what_is_there`; `made`: folders
    that were made for this run. Raises a `FacepipeError`.
    """
    folder = OutputFolder.at(path, sources, made or absent(path))
    with ExitStack() as held:
        try:
            with in_sentences(path):
                folder.manifest.make_folders(path)
                held.enter_context(locked(path / LOCK))
                refuse_what_is_there(folder, labels, resume, replace)
                folder.manifest.make_folders(folder.logs)
        except FacepipeError:
            if folder.made:  # What lies in another one may be that of the run which has it.
                folder.remove_if_empty(refused=True)
            raise
        yield folder


@contextmanager
def folder_by_hand(pipeline: Pipeline, inputs: dict, config: str | None = None) -> Iterator[OutputFolder]:
    """The folder of a render that is started by hand, and held by it.

    It continues a run of these inputs that was broken off, because it may be the process of it that died. Else it has
    a folder of its own, as a run has; one that is named must be free for it. Raises a `FacepipeError`.
    """
    if pipeline.render.output is None:
        above, newest = absent(OUT), run_to_go_on_with(pipeline)
        goes_on = newest is not None and _was_broken_off(newest, inputs)
        path = newest if goes_on else new_folder(pipeline, config)
        made = () if goes_on else (*above, path)
    else:
        path, made = Path(expanded(pipeline.render.output)), ()
        before = RunFile.read(path)
        goes_on = before is not None and before.ended != "finished" and not before.difference(inputs)
    with output_folder(Path(os.path.abspath(path)), pipeline.sources, resume=goes_on, made=made) as folder:
        yield folder


def _was_broken_off(folder: Path, inputs: dict) -> bool:
    """Whether its run has these inputs, has not ended, and no process holds the folder."""
    before = RunFile.read(folder)
    if before is None or before.ended is not None or before.difference(inputs):
        return False
    with in_sentences(folder):
        try:
            with locked(folder / LOCK):
                return True
        except Taken:
            return False


def new_folder(pipeline: Pipeline, config: str | None = None, base: Path = OUT) -> Path:
    """Make a folder for one run alone, named after its source; two runs at once do not get the same one.

    `config`: the name of the configuration, for a run of several sources. Raises `OutputFolderError`.
    """
    name = name_of(pipeline, config)
    with in_sentences(base):
        base.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = base / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                return path
    raise AssertionError("numbers do not end")


def name_of(pipeline: Pipeline, config: str | None = None) -> str:
    """What the folder of a run is called: never hidden, never a secret, and short enough."""
    name = (config or "run") if pipeline.sources else _name_of_source(pipeline.source)
    name = safe_name(name).strip("-. ")
    return name.encode("utf-8", "replace")[:NAME_CHARACTERS].decode("utf-8", "ignore").strip("-. ") or "run"


def _name_of_source(source: str | int) -> str:
    if (number := camera_of(source)) is not None:
        return f"camera-{number}"
    if (named := path_of(source)) is None:
        return source if source in ("auto", "demo") else _host(source)
    parts = [part for part in Path(os.path.abspath(named)).parts[1:] if not glob.has_magic(part)]
    name = parts[-1] if parts else "run"
    return name if os.path.isdir(named) else Path(name).stem


def _host(url: str) -> str:
    """The host of an address, where it can be told from a password that holds @, / or ?."""
    parts = split(url)
    return parts.hostname if parts else "stream"


def newest_run(base: Path = OUT) -> Path | None:
    """The folder of the newest run below `base`; None where there is none."""
    found = [(run.incarnation, path.name, path) for path, run in runs_below(base)]
    return max(found)[2] if found else None


def run_to_go_on_with(pipeline: Pipeline, base: Path = OUT) -> Path | None:
    """The folder of the newest run of these sources that is not finished, or else of the newest; None without any."""
    wanted = {public(spec) for spec in pipeline.all_sources().values()}
    found = [
        (run.ended != "finished", run.incarnation, path.name, path)
        for path, run in runs_below(base)
        if wanted in (_sources_in(run), _sources_before(run))
    ]
    return max(found)[3] if found else None


def runs_below(base: Path = OUT) -> Iterator[tuple[Path, RunFile]]:
    """The runs in the folders below `base`."""
    for path in _folders(base):
        if Manifest(path).exists() and (run := run_in(path)) is not None:
            yield path, run


def refuse_damaged_run(pipeline: Pipeline, config: str | None = None, base: Path = OUT) -> None:
    """Raise `DamagedState` where the newest folder that a run of these sources has got does not say how it stands."""
    if (newest := _newest_named(pipeline, config, base)) and RunFile.read(newest) is None:
        refuse_unknown(newest, OutputFolder.at(newest, pipeline.sources).results)


def run_to_replace(pipeline: Pipeline, config: str | None = None, base: Path = OUT) -> Path | None:
    """The folder that would be continued, or that is refused because it is damaged; None where there is none."""
    try:
        refuse_damaged_run(pipeline, config, base)
    except DamagedState:
        return _newest_named(pipeline, config, base)
    return run_to_go_on_with(pipeline, base)


def _newest_named(pipeline: Pipeline, config: str | None, base: Path) -> Path | None:
    """The last folder with the name of these sources, if facepipe has written there."""
    numbered = re.compile(re.escape(name_of(pipeline, config)) + r"(?:-(\d+))?")
    own = [(int(found[1] or 1), path) for path in _folders(base) if (found := numbered.fullmatch(path.name))]
    return newest if own and Manifest(newest := max(own)[1]).exists() else None


def _folders(base: Path) -> list[Path]:
    return [path for path in base.iterdir() if path.is_dir()] if base.is_dir() else []


def _sources_in(run: RunFile) -> set[str]:
    return {str(value[0]) for name, value in run.inputs.items() if name.startswith("source ") and value}


def _sources_before(run: RunFile) -> set[str]:
    """Those that a configuration names which was not changed with the sources of the run."""
    added = {f"source {name}" for name in run.changes.added}
    kept = {str(value[0]) for n, value in run.inputs.items() if n.startswith("source ") and value and n not in added}
    return kept | {str(said[0]) for said in run.changes.removed.values()}
