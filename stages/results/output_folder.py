"""The folder for the results: one run at a time writes to it, and replaces what an earlier one wrote, nothing else."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import FacepipeError
from ..layout import DROP_LOG, EVENTS, LOCK, LOGS, MANIFEST, PIECES, RESULTS, RUN, SAVED, SUMMARY
from ..locks import Taken
from .errors import ForeignFile
from .manifest import Manifest
from .run_file import part_of


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
        beside = (results.parent / name for results in self.results for name in (DROP_LOG, EVENTS))
        return (self.path / RUN, part_of(self.path), self.path / SUMMARY, *self.results, *beside)

    def set_aside(self) -> list[str]:
        """Give other names to what of this was changed since it was written, and say so: a person may miss it."""
        kept = ((path, self.manifest.set_aside(path)) for path in self.state)
        return [f"{path} was changed since it was written; it is kept as {to.name}" for path, to in kept if to]

    def clear(self) -> bool:
        """Remove what an earlier run has left; returns whether there was anything.

        Logs stay: those of this run are there already. What a person has saved with a key stays, too.
        """
        old = self.left()
        for path in old:
            self.manifest.remove(path)
        self.manifest.remove_folders()
        return bool(old)

    def close_logs(self, labels: Iterable[str]) -> None:
        """Note that these logs are complete: from now on, one that changes is not ours."""
        for label in labels:
            with contextlib.suppress(OSError, ForeignFile):  # It is gone, or a foreign file has its name.
                self.manifest.complete(self.logs / f"{label}.log")

    def remove_logs(self, keep: Iterable[str]) -> None:
        """Remove the logs of processes that the earlier run had; `keep`: the labels of those that this one has too."""
        kept = {self.logs / f"{label}.log" for label in keep}
        for path in self.manifest.files():
            if path.parent == self.logs and path not in kept:
                self.manifest.remove(path)

    def left(self) -> list[Path]:
        """Every file that an earlier run has left here, unchanged, except those that stay."""
        return [path for path in self.manifest.files() if not self.stays(path)]

    def stays(self, path: Path) -> bool:
        """Whether a file of an earlier run is kept where its results are replaced."""
        return path.parent == self.logs or self.path / SAVED in path.parents or path == part_of(self.path)

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
        if self.left():
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


def logs_only(path: Path, labels: Iterable[str] = (), made: tuple[Path, ...] = ()) -> OutputFolder:
    """The folder for processes that leave nothing but their logs; raises `OutputFolderError`."""
    folder = OutputFolder(path, (), Manifest(path), made or absent(path))
    with in_sentences(path):
        folder.manifest.make_folders(folder.logs)
        for label in labels:
            folder.manifest.refuse_foreign(folder.logs / f"{label}.log")
    return folder


def absent(folder: Path) -> tuple[Path, ...]:
    """This folder and those above it, so far as they are not there, the outermost first."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    return tuple(reversed(missing))


def _has_content(path: Path) -> bool:
    """Whether there is a line in it, or in a piece of these results."""
    every = (path, *path.parent.glob(f"{PIECES}/*/{RESULTS}"))
    return any(one.is_file() and one.stat().st_size > 0 for one in every)


@contextmanager
def in_sentences(path: Path) -> Iterator[None]:
    """What is raised within becomes an `OutputFolderError` about a folder."""
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
