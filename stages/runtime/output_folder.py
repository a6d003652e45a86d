"""The folder for the results: one run at a time writes to it, and replaces what an earlier one wrote, nothing else."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import FacepipeError
from stages.core.names import output_name
from stages.inputs.spec import path_of
from stages.runtime.locks import Taken, locked
from stages.runtime.run_file import RUN

LOCK, LOGS, RESULTS, SUMMARY = ".facepipe.lock", "logs", "results.jsonl", "summary.json"
LOSSES, ANNOTATED = "account.jsonl", "annotated"
REPORT, CSV, PARQUET = "report.html", "faces.csv", "faces.parquet"  # what `python -m stages.report` makes of them
LINE_BYTES = 10_000_000  # of results.jsonl: enough for any line of ours
MOST = 1000  # processes of a stage whose logs are looked for


class OutputFolderError(FacepipeError):
    """The folder for the results is taken or cannot be used."""


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """A folder that this run alone writes to."""

    path: Path
    results: tuple[Path, ...]  # every results.jsonl of this run

    @property
    def logs(self) -> Path:
        return self.path / LOGS

    @classmethod
    def at(cls, path: Path, sources: Iterable[str]) -> OutputFolder:
        """The folder of a run; `sources`: the names of several sources, each with a folder of its own within."""
        return cls(path, (path / RESULTS, *(path / name / RESULTS for name in sources)))

    def clear(self) -> bool:
        """Remove what an earlier run has left; returns whether there was anything."""
        old = self._left()
        for path in old:
            path.unlink(missing_ok=True)
        parts = list(self.path.rglob(".*.parts")) if (self.path / RUN).is_file() else []
        for path in parts:  # Of videos of a run that was broken off.
            shutil.rmtree(path, ignore_errors=True)
        self._remove_empty([*old, *parts])
        for results in self.results:
            (results.parent / LOSSES).unlink(missing_ok=True)
        (self.path / RUN).unlink(missing_ok=True)
        (self.path / SUMMARY).unlink(missing_ok=True)  # Last: until then it says what is left.
        return bool(old)

    def remove_logs(self, keep: Iterable[str]) -> None:
        """Remove the logs of processes that the earlier run had; `keep`: the labels of those that this one has too."""
        try:
            counts = dict(json.loads((self.path / SUMMARY).read_bytes())["replicas"])
            labels = {
                label for name, n in counts.items() for label in (name, *(f"{name}-{i}" for i in range(min(n, MOST))))
            }
        except (OSError, ValueError, KeyError, TypeError):
            return  # Of what it had nothing is known.
        for label in labels.difference(keep):
            with contextlib.suppress(OSError, ValueError):
                if (log := self.logs / f"{label}.log").parent == self.logs:
                    log.unlink()

    def refuse_sources(self, sources: Iterable[str | int]) -> None:
        """Raise `OutputFolderError` for a source that this run would remove, because an earlier one wrote it here."""
        old = {path.resolve() for path in self._left()}
        for source in sources:
            if (named := path_of(source)) is None:
                continue
            path = Path(named).resolve()
            inside = [result for result in old if result == path or path in result.parents]
            if inside:
                raise OutputFolderError(
                    f"{source} holds results of an earlier run that this one would replace;"
                    " choose another folder with --output."
                )

    def _left(self) -> list[Path]:
        """Every file that an earlier run has left here, so far as is known."""
        listed = self._listed()
        return list(dict.fromkeys([*filter(Path.is_file, self.results), *listed, *self._made_of_them(listed)]))

    def _made_of_them(self, listed: list[Path]) -> list[Path]:
        """What was made of the earlier run's results when it was over: it would not tell of the new ones."""
        if not (self.path / RUN).is_file():
            return []  # Then a file of such a name may be anybody's.
        subtitles = (path.with_suffix(".vtt") for path in listed if path.suffix.lower() == ".mp4")
        made = (*(self.path / name for name in (REPORT, CSV, PARQUET)), *subtitles)
        return [path for path in made if path.is_file()]

    def write_summary(self, summary: dict) -> None:
        """Leave summary.json; raises `OutputFolderError`."""
        try:
            text = json.dumps(summary, indent=1, ensure_ascii=False)
            (self.path / SUMMARY).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise OutputFolderError(f"{self.path / SUMMARY} could not be written: {error.strerror}.") from None

    def _listed(self) -> list[Path]:
        """The outputs of the earlier run, so far as they lie in this folder.

        Its summary names them. Stages that were started by hand leave none, nor does a run that was broken off: what
        they have made follows from their results.
        """
        try:
            names = json.loads((self.path / SUMMARY).read_bytes())["outputs"]
            paths = [self.path / name for name in names]
        except FileNotFoundError:
            paths = [path for results in self.results for path in _annotated(results)]
        except (ValueError, KeyError, TypeError):
            return []
        inside = self.path.resolve()
        return [path for path in paths if path.is_file() and path.resolve().is_relative_to(inside)]

    def _remove_empty(self, removed: Iterable[Path]) -> None:
        """Remove the sub-folders of annotated outputs that are empty now."""
        roots = {results.parent / ANNOTATED for results in self.results}
        for path in removed:
            for folder in path.parents:
                if roots.isdisjoint(folder.parents):
                    break
                with contextlib.suppress(OSError):  # It holds something else.
                    folder.rmdir()


@contextmanager
def output_folder(path: Path, sources: Iterable[str]) -> Iterator[OutputFolder]:
    """Make the folder and hold it against other runs; nothing in it is changed yet.

    `sources`: as in `OutputFolder.at`. Raises `OutputFolderError`, also where a results.jsonl in it was not written by
    facepipe.
    """
    folder = OutputFolder.at(path, sources)
    with ExitStack() as held:
        with _sentences(path):
            folder.logs.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(path / LOCK))
            _refuse_foreign(folder)
        yield folder


def logs_only(path: Path) -> OutputFolder:
    """The folder for processes that leave nothing but their logs; raises `OutputFolderError`."""
    folder = OutputFolder(path, ())
    with _sentences(path):
        folder.logs.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    try:
        yield
    except Taken as taken:
        raise OutputFolderError(
            f"{path} is being written to by another run ({taken.holder}); choose another one with --output."
        ) from None
    except OSError as error:
        raise OutputFolderError(
            f"{error.filename or path} cannot be used for the results: {error.strerror};"
            " choose another folder with --output."
        ) from None


def _refuse_foreign(folder: OutputFolder) -> None:
    foreign = next((path for path in folder.results if path.is_file() and not _is_ours(path)), None)
    if foreign:
        raise OutputFolderError(
            f"{foreign} was not written by facepipe; move it away, or choose another folder with --output."
        )


def _annotated(results: Path) -> Iterator[Path]:
    """What a run with these results may have written of annotated pictures and videos, whether or not it is there."""
    before = None
    try:
        with results.open("rb") as lines:
            while text := lines.readline(LINE_BYTES):
                # Names stand at the beginning, and a name cannot hold a bare quote: the faces, which are most of a
                # line, need not be read.
                named = json.loads(text.partition(b', "time": ')[0] + b"}")
                source, file = named["source"], named.get("file")
                if (source, file) == before:
                    continue
                before = source, file
                for still in (True, False):
                    yield results.parent / ANNOTATED / output_name(source, file, still=still)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # There are none, or the last line is torn, or somebody has written in them.


def _is_ours(results: Path) -> bool:
    with results.open("rb") as lines:
        first = lines.readline(LINE_BYTES)
    if not first:
        return True  # Of a run that was ended before its first frame.
    try:
        return {"source", "frame", "faces"} <= json.loads(first).keys()
    except (ValueError, AttributeError):
        return False
