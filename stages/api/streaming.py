"""A run whose frames a program takes as they are finished."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ..config.schema import ConfigError, Pipeline
from ..errors import FacepipeError, reason, way_out
from ..exit_status import ExitStatus
from ..frames import Picture
from ..layout import LINE_BYTES, RESULTS
from ..project import IMPORT_ROOT, PACKAGE
from ..results.atomic import open_plain
from ..results.errors import NotALine
from ..results.jsonl import parsed
from ..results.pieces import results_in_pieces
from ..results.run_file import run_in
from ..sources.base import Source
from ..sources.opening import open_source
from ..sources.part import Part
from ..sources.spec import expanded
from .configuration import Overrides, PathLike, overrides_of, read, told_of
from .frame import Frame

POLL_S = 0.01  # between two looks at results.jsonl
READ_BYTES = LINE_BYTES  # of it at once
# The run itself promises to end within five seconds of being asked to.
ENDING_S, KILLED_S = 8.0, 2.0


class RunFailed(FacepipeError):
    """A run was refused, or ended before its source did."""

    def __init__(self, sentence: str, status: int):
        """`status`: its exit status, as of the command: 1 failed, 2 refused, 130 or 143 ended by a signal."""
        super().__init__(sentence)
        self.status = status


def stream(
    source: str | os.PathLike[str] | int | None = None,
    *,
    output: PathLike | None = None,
    replace: bool = False,
    images: bool = False,
    config: PathLike | None = None,
    detector: str | None = None,
    overrides: Overrides | None = None,
) -> Stream:
    """Run the pipeline, all its processes, and give its frames as they are finished, in order.

    `source`: what the command takes: a file, folder, glob, camera number, URL, "demo" or "auto"; None: as configured.
    `output`: the folder for the results; by default they lie in a temporary one that is removed at the end, and nothing
    annotated is made. `replace`: replace the run that is in `output`. `images`: give each frame its picture, which is
    decoded once more for that; for files only. `config`, `detector`, `overrides`: as for `analyze`.

    The run starts at once. It ends when its source does, when the stream is closed, leaves a `with` block or is not
    referred to any more, and with this program. Raises `ConfigError` here, and other `FacepipeError` while iterating.
    """
    given = overrides_of(detector, overrides)
    if not isinstance(source, str | os.PathLike | int | None):
        raise ConfigError(f"source is given as {type(source).__name__}; give a path, a camera number or a URL.")
    if source is not None:
        given["source"] = source
    given.setdefault("render.display", "none")
    if output is not None:
        given["render.output"] = os.fspath(output)
    return Stream(config, given, replace=replace, images=images)


class Stream:
    """An iterator of the frames of a run, and a context manager that ends it. For one thread at a time."""

    def __init__(self, config: PathLike | None, given: Mapping[str, object], *, replace: bool, images: bool):
        """`given`: keys of the configuration with their values; without `render.output` the results are temporary."""
        try:
            own = Path(tempfile.mkdtemp(prefix="facepipe-"))
        except OSError as error:
            way = way_out(error, "name another folder in TMPDIR")
            sentence = f"no temporary folder can be made: {reason(error)}; {way}."
            raise RunFailed(sentence, ExitStatus.REFUSED) from error
        try:
            if "render.output" not in given:
                given = given | {
                    "render.output": str(own / "run"),
                    "render.annotated": False,
                    "render.subtitles": False,
                }
            pipeline, _ = read(config, given)
            self.output = Path(os.path.abspath(expanded(pipeline.render.output)))  # where the results are, or were
            before = run_in(self.output)
            self._before = before.run if before else None  # the run that is replaced
            self._has_begun = False
            self._tails = [_Tail(path) for path in _folders_in(self.output, list(pipeline.all_sources()))]
            self._ready: deque[Frame] = deque()
            self._pictures = _pictures_of(pipeline) if images else None
            self._said = own / "said"
            self._process = _start(config, given, replace, self._said)
        except BaseException as error:
            shutil.rmtree(own, ignore_errors=True)
            if isinstance(error, OSError):  # There is no room for another process.
                sentence = f"no run can be started: {reason(error)}; {way_out(error, 'end other programs')}."
                raise RunFailed(sentence, ExitStatus.REFUSED) from error
            raise
        self._end = weakref.finalize(self, _end, self._process, own, os.getpid())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        """The next frame; waits for it. Raises `RunFailed` where the run was refused or has failed."""
        try:
            while not self._ready:
                if not self._end.alive:
                    raise StopIteration
                self._look()
            return self._with_image(self._ready.popleft())
        except BaseException:  # Ctrl-C too, and the end.
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the run if it has not ended, and remove what was temporary; may be called again."""
        self._ready.clear()
        self._end()
        for source, _ in (self._pictures or {}).values():
            source.close()

    def _look(self) -> None:
        """Take what has come; where that is nothing, wait for a moment, or find that the run is over."""
        status = self._process.poll()  # Before the lines: after its end all of them are there.
        self._has_begun = self._has_begun or self._is_begun()
        for tail in self._tails if self._has_begun else ():
            self._ready += tail.read()
        if self._ready:
            return
        if status is None:
            time.sleep(POLL_S)
        elif status == ExitStatus.DONE:
            raise StopIteration
        else:
            raise RunFailed(self._sentence(status), status)

    def _is_begun(self) -> bool:
        """Whether what lies in the folder is of this run."""
        run = run_in(self.output)
        return run is not None and run.run != self._before

    def _sentence(self, status: int) -> str:
        sentence = _sentence_in(self._said, status)
        if status == ExitStatus.FAILED and self._said.parent in self.output.parents:
            return f"{sentence.removesuffix('.')}; to keep the results and logs of such a run, give stream an output."
        return sentence

    def _with_image(self, frame: Frame) -> Frame:
        if self._pictures is None:
            return frame
        source, pictures = self._pictures[frame.source]
        for number, picture in pictures:
            if number == frame.frame and picture.file == frame.file:
                return dataclasses.replace(frame, image=picture.pixels)
        raise ConfigError(
            f"{source.name} was changed while it was read: its frame {frame.frame} is not there any more."
        )


class _Tail:
    """The lines of the results.jsonl of one source as they come, with `render.rotate` piece by piece.

    A render that was killed and started again cuts the file back to where all outputs are whole, and writes the same
    bytes again; those that were given already are not given twice.
    """

    def __init__(self, folder: Path):
        self._folder, self._path, self._offset, self._lines = folder, folder / RESULTS, 0, 0

    def read(self) -> Iterator[Frame]:
        """The next frames whose lines are whole by now."""
        paths = results_in_pieces(self._folder)
        for path in paths[paths.index(self._path) if self._path in paths else 0 :]:
            if path != self._path:
                self._path, self._offset, self._lines = path, 0, 0
            before = self._offset
            yield from self._read()
            if self._offset > before:
                return  # There may be more in this piece.

    def _read(self) -> Iterator[Frame]:
        try:
            with open_plain(self._path) as file:
                file.seek(self._offset)
                whole = file.read(READ_BYTES).rpartition(b"\n")[0]
        except OSError:
            return  # Not there yet.
        for text in whole.split(b"\n") if whole else ():
            self._offset += len(text) + 1
            self._lines += 1
            try:
                yield Frame.of(parsed(text + b"\n"))
            except ValueError:
                raise NotALine(self._path, self._lines, "no line of results") from None


def _folders_in(output: Path, sources: list[str | None]) -> list[Path]:
    """The folder of each source; `sources`: their names, None for a single one."""
    return [output / (name or "") for name in sources]


def _pictures_of(pipeline: Pipeline) -> dict[str, tuple[Source, Iterator[tuple[int, Picture]]]]:
    """By the name of each source, that source and its numbered pictures; raises `ConfigError` and `SourceError`."""
    if pipeline.render.blur != "none":
        raise ConfigError("images=True gives pictures as they were read, without render.blur; leave one of them out.")
    played = pipeline.capture
    opened: dict[str, tuple[Source, Iterator[tuple[int, Picture]]]] = {}
    for name, spec in pipeline.all_sources().items():
        source = open_source(spec, name, Part(*played.part), played.loop)
        if source.live:
            source.close()
            raise ConfigError(f"images=True is for files, and {source.name} is live; leave it out.")
        opened[source.name] = source, enumerate(source.pictures())
    return opened


def _start(config: PathLike | None, given: Mapping[str, object], replace: bool, said: Path) -> subprocess.Popen[bytes]:
    """Start the process of the run; what it says goes to the file `said`."""
    paths = filter(None, [str(IMPORT_ROOT), os.environ.get("PYTHONPATH", "")])
    with said.open("wb") as stderr:
        process = subprocess.Popen(
            # -P: a stages/ in the current folder must not be taken for ours.
            (sys.executable, "-P", "-m", f"{PACKAGE}.embedded"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"},
        )
    told = {"config": None if config is None else os.fspath(config), "overrides": told_of(given), "replace": replace}
    with contextlib.suppress(OSError):  # It has ended; its status says why.
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
    return process


def _end(process: subprocess.Popen[bytes], own: Path, owner: int) -> None:
    """End a run, and remove its temporary folder."""
    if os.getpid() != owner:
        return  # A fork of the program that has started it.
    if process.poll() is None and os.name == "posix":
        process.terminate()  # Not the end of its input alone: a fork of this program may hold the other end as well.
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()  # Its stages end with it.
        process.wait(KILLED_S)
    shutil.rmtree(own, ignore_errors=True)


def _sentence_in(said: Path, status: int) -> str:
    """The last thing that a run said, with arguments of `stream` for options of the command."""
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if not lines:
        return f"The run was ended by somebody, with status {status}."
    sentence = lines[-1].removeprefix("facepipe: ")
    return sentence.replace("--replace", "replace=True").replace("--output", "the argument output")
