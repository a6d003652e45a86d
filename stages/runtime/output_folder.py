"""The folder for the results: one run at a time writes to it, and replaces what an earlier one wrote, nothing else."""

from __future__ import annotations

import contextlib
import glob
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from stages.core.addresses import public, split
from stages.core.config import Pipeline
from stages.core.errors import FacepipeError
from stages.core.names import output_name, safe_name
from stages.inputs.listing import Listing
from stages.inputs.spec import camera_of, path_of
from stages.results.manifest import MANIFEST, ForeignFile, Manifest
from stages.results.reading import DamagedState
from stages.runtime.locks import Taken, locked
from stages.runtime.run_file import RUN, RunFile, part_of

LOCK, LOGS, RESULTS, SUMMARY = ".facepipe.lock", "logs", "results.jsonl", "summary.json"
LOSSES, ANNOTATED, SAVED = "account.jsonl", "annotated", "saved"
REPORT, CSV, PARQUET = "report.html", "faces.csv", "faces.parquet"  # what `python -m stages.report` makes of them
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
    is_new: bool = False  # whether it was made for this run

    @property
    def logs(self) -> Path:
        return self.path / LOGS

    @classmethod
    def at(cls, path: Path, sources: Iterable[str], is_new: bool = False) -> OutputFolder:
        """The folder of a run; `sources`: the names of several sources, each with a folder of its own within."""
        results = (path / RESULTS, *(path / name / RESULTS for name in sources))
        return cls(path, results, Manifest(path), is_new)

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
        """Raise `OutputFolderError` for a source that this run would remove or replace."""
        old = {path.resolve() for path in self._left()}
        for source in sources:
            for path in _files_of(source):
                if path in old:
                    raise OutputFolderError(
                        f"{source} holds results of an earlier run that this one would replace;"
                        " choose another folder with --output."
                    )
            if len(self.results) == 1:
                self._refuse_annotated(source)

    def _refuse_annotated(self, source: str | int) -> None:
        """What a single picture or video will be written to is looked at before it is read."""
        name = Path(str(source)).name
        if not name:
            return
        for still in (True, False):
            with _sentences(self.path):
                self.manifest.refuse_foreign(self.path / ANNOTATED / output_name(name, None, still=still))

    def refuse_what_is_there(self, labels: Iterable[str], resume: bool, replace: bool) -> None:
        """Raise `OutputFolderError` where this run would change what it must not, before anything is changed.

        `labels`: of its processes; `resume`: what is there is gone on with; `replace`: it may be replaced.
        """
        self._refuse_foreign(labels)
        if replace:
            changed = next((path for path in self.manifest.changed() if not _stays(path, self.path)), None)
            if changed:
                self.manifest.refuse_foreign(changed)
        elif any(path != self.path / SUMMARY for path in self._left()):  # Of a run that was refused that is all.
            self._refuse_run(RunFile.read(self.path), resume)

    def _refuse_foreign(self, labels: Iterable[str]) -> None:
        if not self.manifest.exists() and _run_in(self.path) is not None:
            raise OutputFolderError(
                f"{self.path} holds results of a version of facepipe that kept no record of its files;"
                " choose another folder with --output."
            )
        logs = (self.logs / f"{label}.log" for label in labels)
        losses = (results.parent / LOSSES for results in self.results)
        of_the_run = (self.path / RUN, part_of(self.path), self.path / SUMMARY)
        for path in (*of_the_run, *self.results, *losses, *logs):
            self.manifest.refuse_foreign(path)
        for results in self.results:
            if not (results.parent / ANNOTATED).resolve().is_relative_to(self.path.resolve()):
                raise OutputFolderError(
                    f"{results.parent / ANNOTATED} leads out of {self.path} by a link; remove it, or choose another"
                    " folder with --output."
                )

    def _refuse_run(self, before: RunFile | None, resume: bool) -> None:
        if before is None:
            raise OutputFolderError(
                f"{self.path} holds results, but no {RUN} that can be read, so that they cannot be gone on with;"
                " --replace replaces them, --output leaves them there."
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

    def remove_if_empty(self, refused: bool) -> None:
        """Remove a folder that was made for this run where nothing has come of it; `refused`: its logs go as well."""
        if not self.is_new or self._left():
            return
        for path in self.manifest.files():
            if path.parent == self.logs and (refused or not path.stat().st_size):
                self.manifest.remove(path)
        self.manifest.remove_folders()
        with contextlib.suppress(OSError):  # It holds something after all.
            if not self.manifest.files() and {path.name for path in self.path.iterdir()} <= {MANIFEST, LOCK}:
                (self.path / MANIFEST).unlink(missing_ok=True)
                (self.path / LOCK).unlink(missing_ok=True)
                self.path.rmdir()


@contextmanager
def output_folder(
    path: Path,
    sources: Iterable[str],
    labels: Iterable[str] = (),
    *,
    resume: bool = False,
    replace: bool = False,
    is_new: bool = False,
) -> Iterator[OutputFolder]:
    """Make the folder and hold it against other runs; nothing in it is changed yet.

    `sources`: as in `OutputFolder.at`; `labels`, `resume`, `replace`: as in `refuse_what_is_there`; `is_new`: the
    folder was made for this run. Raises `OutputFolderError`.
    """
    folder = OutputFolder.at(path, sources, is_new or not os.path.lexists(path))
    with ExitStack() as held:
        try:
            with _sentences(path):
                folder.manifest.make_folders(path)
                held.enter_context(locked(path / LOCK))
                folder.refuse_what_is_there(labels, resume, replace)
                folder.manifest.make_folders(folder.logs)
        except OutputFolderError:
            folder.remove_if_empty(refused=True)
            raise
        yield folder


def logs_only(path: Path, labels: Iterable[str] = (), is_new: bool = False) -> OutputFolder:
    """The folder for processes that leave nothing but their logs; raises `OutputFolderError`."""
    folder = OutputFolder(path, (), Manifest(path), is_new or not os.path.lexists(path))
    with _sentences(path):
        folder.manifest.make_folders(folder.logs)
        for label in labels:
            folder.manifest.refuse_foreign(folder.logs / f"{label}.log")
    return folder


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


def newest_run(base: Path = OUT, pipeline: Pipeline | None = None) -> Path | None:
    """The folder of the newest run below `base`, of the same sources as this pipeline; None where there is none."""
    wanted = None if pipeline is None else {public(spec) for spec in pipeline.all_sources().values()}
    found = []
    for path in base.iterdir() if base.is_dir() else ():
        run = _run_in(path) if Manifest(path).exists() else None
        if run is not None and wanted in (None, _sources_in(run)):
            found.append((run.incarnation, path.name, path))
    return max(found)[2] if found else None


def _sources_in(run: RunFile) -> set[str]:
    return {str(value[0]) for name, value in run.inputs.items() if name.startswith("source ") and value}


def _files_of(source: str | int) -> list[Path]:
    """Where the files of a source lie, without links."""
    named = path_of(source)
    if named is None:
        return []
    with contextlib.suppress(OSError):  # A folder that cannot be read: whoever opens the source says so.
        if listing := Listing.of(source):
            return [path.resolve() for path in listing.files]
    return [Path(named).resolve()]


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
        raise OutputFolderError(
            f"{error.filename or path} cannot be used for the results: {error.strerror};"
            " choose another folder with --output."
        ) from None
