"""The folder for the results: one run at a time writes to it, and replaces what an earlier one wrote, nothing else."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..config.schema import Pipeline
from ..errors import FacepipeError
from ..layout import ANNOTATED, DROP_LOG, LOCK, LOGS, MANIFEST, RESULTS, RUN, SAVED, SUMMARY
from ..locks import Taken, locked
from ..names import as_text, names_apart, output_name, safe_name
from ..sources.listing import Listing
from ..sources.spec import camera_of, expanded, path_of
from ..sources.urls import public, split
from .manifest import ForeignFile, Manifest
from .reading import DamagedState, is_plain, what_is_whole
from .run_file import RunFile, part_of, refuse_unknown

OUT = Path("out")  # where a run gets a folder of its own, if it is not given one
NAME_CHARACTERS = 60  # of such a folder's name


class OutputFolderError(FacepipeError):
    """The folder for the results is taken or cannot be used."""


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """A folder that this run alone writes to."""

    path: Path
    results: tuple[Path, ...]  # every results.jsonl of this run
    manifest: Manifest
    made: tuple[Path, ...] = ()  # the folders that were made for this run, the outermost first

    @property
    def logs(self) -> Path:
        return self.path / LOGS

    @classmethod
    def at(cls, path: Path, sources: Iterable[str], made: tuple[Path, ...] = ()) -> OutputFolder:
        """The folder of a run; `sources`: the names of several sources, each with a folder of its own within."""
        results = (path / RESULTS, *(path / name / RESULTS for name in sources))
        return cls(path, results, Manifest(path), made)

    @property
    def state(self) -> tuple[Path, ...]:
        """The files that say how a run stands, and what it has found: none of them is a person's to write to."""
        losses = (results.parent / DROP_LOG for results in self.results)
        return (self.path / RUN, part_of(self.path), self.path / SUMMARY, *self.results, *losses)

    def set_aside(self) -> list[str]:
        """Give other names to what of this was changed since it was written, and say so: a person may miss it."""
        kept = ((path, self.manifest.set_aside(path)) for path in self.state)
        return [f"{path} was changed since it was written; it is kept as {to.name}" for path, to in kept if to]

    def clear(self) -> bool:
        """Remove what an earlier run has left; returns whether there was anything.

        Logs stay: those of this run are there already. What a person has saved with a key stays, too.
        """
        old = self._left()
        for path in old:
            self.manifest.remove(path)
        self.manifest.remove_folders()
        return bool(old)

    def close_logs(self, labels: Iterable[str]) -> None:
        """Nobody writes to these logs any more: from now on they are known as ours only if nobody has changed them."""
        for label in labels:
            with contextlib.suppress(OSError, ForeignFile):  # It is gone, or somebody else's has its name.
                self.manifest.complete(self.logs / f"{label}.log")

    def remove_logs(self, keep: Iterable[str]) -> None:
        """Remove the logs of processes that the earlier run had; `keep`: the labels of those that this one has too."""
        kept = {self.logs / f"{label}.log" for label in keep}
        for path in self.manifest.files():
            if path.parent == self.logs and path not in kept:
                self.manifest.remove(path)

    def refuse_sources(self, sources: Iterable[str | int]) -> None:
        """Raise `OutputFolderError` for a source that this run would remove or replace.

        The same for a file of somebody else's that has the name of what is annotated. `sources`: all of this run.
        """
        if not self.results:
            return
        old = {path.resolve() for path in self._left()}
        named = [results.parent.name for results in self.results[1:]]
        for place, source in enumerate(sources):
            root, files = _files_of(source)
            if old and any(path.resolve() in old for path in files):
                raise OutputFolderError(
                    f"{source} holds results of an earlier run that this one would replace;"
                    " choose another folder with --output."
                )
            folder = self.path / named[place] if len(named) > 1 else self.path
            name = named[place] if named else Path(str(source)).name
            self._refuse_annotated(folder / ANNOTATED, name, [None] if root is None else list(_below(root, files)))

    def _refuse_annotated(self, annotated: Path, source: str, files: list[str | None]) -> None:
        """What these files of a source will be written to is looked at before they are read."""
        with _sentences(self.path):
            foreign = {path.relative_to(annotated) for path in self.manifest.foreign_in(annotated)}
            if not foreign or not source:
                return
            apart = names_apart(file for file in files if file is not None)
            for file in files:
                for still in (True, False):
                    if (name := output_name(source, file, still, apart)) in foreign:
                        self.manifest.refuse_foreign(annotated / name)

    def refuse_what_is_there(self, labels: Iterable[str], resume: bool, replace: bool) -> None:
        """Raise a `FacepipeError` where this run would change what it must not, before anything is changed.

        `labels`: of its processes; `resume`: what is there is gone on with; `replace`: it may be replaced.
        """
        self._refuse_odd()
        self._refuse_without_record()
        self._refuse_foreign(labels)
        changed = [path for path in self.manifest.changed() if not _stays(path, self.path)]
        if replace:
            if other := next((path for path in changed if path not in self.state), None):
                self.manifest.refuse_foreign(other)
        elif changed or {*self._left()} - {self.path / SUMMARY}:
            self._refuse_run(resume, next((path for path in self.state if path in changed), None))

    def _refuse_odd(self) -> None:
        """Reading a FIFO would wait for whoever writes to it."""
        for path in self.state:
            if os.path.lexists(path) and not is_plain(path):
                raise OutputFolderError(
                    f"{path} is no regular file; move it away, or choose another folder with --output."
                )

    def _refuse_without_record(self) -> None:
        """Without a manifest that can be read, nothing here is known to be facepipe's."""
        if not self.manifest.exists() and _run_in(self.path) is not None:
            raise OutputFolderError(
                f"{self.path} holds results of a version of facepipe that kept no record of its files;"
                " choose another folder with --output."
            )
        unknown = any(os.path.lexists(path) and not self.manifest.has_made(path) for path in self.state)
        if unknown and (damage := self.manifest.damage):
            raise DamagedState(
                f"{self.path / MANIFEST} {damage}, so it is not known what in {self.path} is facepipe's, and nothing"
                f" of it is touched; {what_is_whole(self.path, RESULTS)}; put {MANIFEST} back, move {self.path} away,"
                " or choose another folder with --output."
            )

    def _refuse_foreign(self, labels: Iterable[str]) -> None:
        for path in self.state:
            if not self.manifest.has_made(path):
                self.manifest.refuse_foreign(path)
        for label in labels:
            self.manifest.refuse_foreign(self.logs / f"{label}.log")
        for results in self.results:
            if not (results.parent / ANNOTATED).resolve().is_relative_to(self.path.resolve()):
                raise OutputFolderError(
                    f"{results.parent / ANNOTATED} leads out of {self.path} by a link; remove it, or choose another"
                    " folder with --output."
                )

    def _refuse_run(self, resume: bool, changed: Path | None) -> None:
        """`changed`: a file of state that is not as it was written."""
        before = RunFile.read(self.path)
        if before is None:
            refuse_unknown(self.path, self.results)
            raise OutputFolderError(
                f"{self.path} holds what an earlier run has made, but no {RUN}, so that it cannot be gone on with;"
                " --replace replaces it, --output leaves it there."
            )
        if changed and not (resume and changed.name in (RESULTS, DROP_LOG)):  # Render says which line of these it is.
            raise DamagedState(
                f"{changed} was changed since it was written, so it is not known how the run in {self.path} stands;"
                f" {what_is_whole(self.path, RESULTS)}; put back what was there, --replace replaces all of it, --output"
                " leaves it there."
            )
        if resume:
            return
        what = "a run that was broken off" if before.ended is None else f"a run that is {before.ended}"
        on = "" if before.ended == "finished" else "--resume goes on with it, "
        raise OutputFolderError(f"{self.path} holds {what}; {on}--replace replaces it, --output leaves it there.")

    def _left(self) -> list[Path]:
        """Every file that an earlier run has left here and nobody has changed, but for those that stay."""
        return [path for path in self.manifest.files() if not _stays(path, self.path)]

    def write_summary(self, summary: dict) -> None:
        """Leave summary.json; raises `OutputFolderError`."""
        text = json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
        try:
            self.manifest.write(self.path / SUMMARY, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise OutputFolderError(f"{self.path / SUMMARY} could not be written: {error.strerror}.") from None
        except ForeignFile as error:
            raise OutputFolderError(f"{self.path / SUMMARY} could not be written: {error}") from None

    @contextmanager
    def left_only_by_a_run(self) -> Iterator[None]:
        """Where this ends with a refusal, nothing is left of what was made for the run."""
        try:
            yield
        except FacepipeError:
            self.remove_if_empty(refused=True)
            raise

    def remove_if_empty(self, refused: bool) -> None:
        """Leave nothing of a run of which nothing has come; `refused`: its logs go as well."""
        if not self.made and not self.results:
            return  # Another run may write to a folder that a helper has its logs in.
        if refused and self.made and self.results and not any(map(_has_content, self.results)):
            self.clear()
        if self._left():
            return
        for path in self.manifest.files():
            if path.parent == self.logs and (refused or not path.stat().st_size):
                self.manifest.remove(path)
        self.manifest.remove_folders()
        if self.manifest.files():
            return
        with contextlib.suppress(OSError):  # It holds something after all.
            (self.path / MANIFEST).unlink(missing_ok=True)
            (self.path / LOCK).unlink(missing_ok=True)
            for folder in reversed(self.made):
                folder.rmdir()


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
            with _sentences(path):
                folder.manifest.make_folders(path)
                held.enter_context(locked(path / LOCK))
                folder.refuse_what_is_there(labels, resume, replace)
                folder.manifest.make_folders(folder.logs)
        except FacepipeError:
            if folder.made:  # What lies in another one may be that of the run which has it.
                folder.remove_if_empty(refused=True)
            raise
        yield folder


@contextmanager
def folder_by_hand(pipeline: Pipeline, inputs: dict, config: str | None = None) -> Iterator[OutputFolder]:
    """The folder of a render that is started by hand, and held by it.

    It goes on with a run of these inputs that was broken off, because it may be what has died of that run. Else it has
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
    """Whether nobody writes to it, and its run has these inputs and was ended neither by itself nor by a person."""
    before = RunFile.read(folder)
    if before is None or before.ended is not None or before.difference(inputs):
        return False
    with _sentences(folder):
        try:
            with locked(folder / LOCK):
                return True
        except Taken:
            return False


def logs_only(path: Path, labels: Iterable[str] = (), made: tuple[Path, ...] = ()) -> OutputFolder:
    """The folder for processes that leave nothing but their logs; raises `OutputFolderError`."""
    folder = OutputFolder(path, (), Manifest(path), made or absent(path))
    with _sentences(path):
        folder.manifest.make_folders(folder.logs)
        for label in labels:
            folder.manifest.refuse_foreign(folder.logs / f"{label}.log")
    return folder


def absent(folder: Path) -> tuple[Path, ...]:
    """This folder and those above it, so far as they are not there, the outermost first."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    return tuple(reversed(missing))


def new_folder(pipeline: Pipeline, config: str | None = None, base: Path = OUT) -> Path:
    """Make a folder for one run alone, named after its source; two runs at once do not get the same one.

    `config`: the name of the configuration, for a run of several sources. Raises `OutputFolderError`.
    """
    name = name_of(pipeline, config)
    with _sentences(base):
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


def _run_in(folder: Path) -> RunFile | None:
    """The run in this folder; None where there is none, or nothing that can be read as one."""
    with contextlib.suppress(DamagedState):
        return RunFile.read(folder)
    return None


def newest_run(base: Path = OUT) -> Path | None:
    """The folder of the newest run below `base`; None where there is none."""
    found = [(run.incarnation, path.name, path) for path, run in _runs_below(base)]
    return max(found)[2] if found else None


def run_to_go_on_with(pipeline: Pipeline, base: Path = OUT) -> Path | None:
    """The folder of the newest run of these sources that is not finished, or else of the newest; None without any."""
    wanted = {public(spec) for spec in pipeline.all_sources().values()}
    found = [
        (run.ended != "finished", run.incarnation, path.name, path)
        for path, run in _runs_below(base)
        if _sources_in(run) == wanted
    ]
    return max(found)[3] if found else None


def _runs_below(base: Path) -> Iterator[tuple[Path, RunFile]]:
    for path in _folders(base):
        if Manifest(path).exists() and (run := _run_in(path)) is not None:
            yield path, run


def refuse_damaged_run(pipeline: Pipeline, config: str | None = None, base: Path = OUT) -> None:
    """Raise `DamagedState` where the newest folder that a run of these sources has got does not say how it stands."""
    if (newest := _newest_named(pipeline, config, base)) and RunFile.read(newest) is None:
        refuse_unknown(newest, OutputFolder.at(newest, pipeline.sources).results)


def run_to_replace(pipeline: Pipeline, config: str | None = None, base: Path = OUT) -> Path | None:
    """The folder that is gone on with, or in which that is refused because it is damaged; None where there is none."""
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


def _files_of(source: str | int) -> tuple[Path | None, list[Path]]:
    """The files of a source, and the folder that they are called by their paths below; None for a single one."""
    named = path_of(source)
    if named is None:
        return None, []
    with contextlib.suppress(OSError):  # A folder that cannot be read: whoever opens the source says so.
        if listing := Listing.of(source):
            return listing.root, listing.files
    return None, [Path(named)]


def _below(root: Path, files: Iterable[Path]) -> Iterator[str]:
    """What the results call these files."""
    return (as_text(path.relative_to(root).as_posix()) for path in files)


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _stays(path: Path, folder: Path) -> bool:
    return path.parent == folder / LOGS or folder / SAVED in path.parents or path == part_of(folder)


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    try:
        yield
    except Taken as taken:
        raise OutputFolderError(
            f"{path} is being written to by another run ({taken.holder}); choose another one with --output."
        ) from None
    except ForeignFile as error:
        raise OutputFolderError(str(error)) from None
    except OSError as error:
        at = Path(error.filename or path)
        wrong = _no_folder(at) or f"{at} cannot be used for the results: {error.strerror}"
        raise OutputFolderError(f"{wrong}; choose another folder with --output.") from None


def _no_folder(path: Path) -> str | None:
    """What of this path is there and is no folder, in words."""
    there = [part for part in (*reversed(path.parents), path) if os.path.lexists(part) and not part.is_dir()]
    return f"{there[0]} is {'a file and not a folder' if there[0].is_file() else 'no folder'}" if there else None
