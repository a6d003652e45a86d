"""Gives the real command as a person does: in a process of its own, with places of its own to meet and to write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.conftest import PROJECT

EACH_FRAME = ("--set=stages.gender.every=1", "--set=stages.age.every=1")  # has every answer of its own
SUBTITLES = "--set=render.subtitles=true"
LONGEST_S = 60.0  # for what a quiet machine does in seconds
LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Ran:
    """What is left of a run that has ended."""

    status: int
    out: str  # standard output
    err: str  # standard error
    output: Path
    took_s: float  # from the last signal, or from the start

    def succeeded(self) -> Ran:
        """This, with status 0; otherwise the test fails with what the run has said."""
        assert self.status == 0, self.err
        return self

    @property
    def results(self) -> bytes:
        return (self.output / "results.jsonl").read_bytes()

    @property
    def events(self) -> bytes:
        return (self.output / "events.jsonl").read_bytes()

    @property
    def lines(self) -> list[dict]:
        """The lines of results.jsonl; every one must be complete."""
        text = self.results.decode()
        assert text == "" or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def summary(self) -> dict:
        return json.loads((self.output / "summary.json").read_text(encoding="utf-8"))

    @property
    def faces(self) -> list[dict]:
        return [face for line in self.lines for face in line["faces"]]

    @property
    def complaint(self) -> str:
        """The one sentence on the standard error, for a run that was refused."""
        assert "Traceback" not in self.err + self.out
        [sentence] = [line for line in self.err.splitlines() if not _is_news(line)]
        return sentence.removeprefix("facepipe: ")


def raw(line: dict) -> dict:
    """A line without what is smoothed: that remembers what was given up before."""
    return {**line, "faces": [{key: said for key, said in face.items() if key != "smoothed"} for face in line["faces"]]}


def asked(frame: int, every: int = 3) -> set[str]:
    """The stages that are asked about this frame of a video; of one with four frames a second every second one."""
    return {"gender", "emotion", "age"} if frame % every == 0 else {"emotion"}


def labels(face: dict) -> set[str]:
    """The stages that have said something about a face in this very frame."""
    return {"gender", "emotion", "age"} & face.keys()


def _found_by(detector: str, options: tuple[str, ...]) -> list[str]:
    """The option for a detector, where none names one."""
    return [] if "detector" in "".join(options) else [f"--set=stages.detect.detector={detector}"]


def _is_news(line: str) -> bool:
    """Whether a line says what the run does, rather than what is wrong with it."""
    news = (
        " → ",
        "left out, so nobody checks",
        "replacing the results",
        "continues at frame",
        "waiting for the run on",
        "it stays as it is, and this run begins",
        "is another run's, so",
    )
    return any(words in line for words in news)


class Running:
    """A command under way."""

    def __init__(self, workplace: Workplace, arguments: list[str], output: Path, **popen):
        self.output = output
        self._workplace = workplace
        number = next(workplace.numbers)
        self._out, self._err = (workplace.folder / f"{name}-{number}.txt" for name in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            usual = {"cwd": PROJECT, "stdin": subprocess.DEVNULL, "stdout": out, "stderr": err}
            self._process = subprocess.Popen(
                arguments, env=workplace.environment, start_new_session=True, **usual | popen
            )
        self._since_s = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8", errors="replace")

    @property
    def line_count(self) -> int:
        results = self.output / "results.jsonl"
        return results.read_bytes().count(b"\n") if results.exists() else 0

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def stages(self) -> dict[str, list[psutil.Process]]:
        """Its stage processes, by the module that they were started as."""
        found: dict[str, list[psutil.Process]] = {}
        for process in psutil.Process(self.pid).children(recursive=True):
            if stage := _stage_of(process):
                found.setdefault(stage, []).append(process)
        return found

    def until(self, happened: Callable[[], object], what: str) -> Running:
        """Wait for something outside this process that nobody tells us about; fails where the run ends before."""
        eventually(lambda: happened() or self.is_over, f"{what}; so far: {self.err}")
        assert happened(), f"the run ended before {what}: {self.err}{self.out}"
        return self

    def until_lines(self, count: int) -> Running:
        return self.until(lambda: self.line_count >= count, f"{count} lines of results")

    def signal(self, number: int) -> Running:
        """Send a signal, as whoever sends it does: a terminal sends to its whole foreground group."""
        self._since_s = time.monotonic()
        if number in (signal.SIGINT, signal.SIGHUP):
            os.killpg(self.pid, number)
        else:
            self._process.send_signal(number)
        return self

    def end(self, timeout_s: float = LONGEST_S, alone: bool = True) -> Ran:
        """Wait for the end of the command. If it was `alone` in its workplace, no process may be left there."""
        status = self._process.wait(timeout_s)
        took_s = time.monotonic() - self._since_s
        assert not alone or self._workplace.processes() == []
        return Ran(status, self.out, self.err, self.output, took_s)


class Workplace:
    """A folder for outputs and a runtime directory, in which commands are given that others do not meet."""

    def __init__(self, folder: Path, runtime: Path):
        self.folder, self.runtime = folder, runtime
        self.numbers = iter(range(10**6))
        # No screen; and compiled modules are kept, as they are for a person: every process would compile them anew.
        left_out = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        self.environment = kept | {"XDG_RUNTIME_DIR": str(runtime)}

    def start(
        self,
        source: str | Path | None,
        *options: str,
        config: str | Path = "pipeline.yaml",
        output: str | Path = "out",
        display: str | None = "none",
        replace: bool = True,
        detector: str | None = "haar",
        **popen,
    ) -> Running:
        """Start a run; a relative `output` lies in this workplace. `replace`: also what an earlier run left there.

        `detector`: of the default pipeline, where no option names one. Haar's finds never change, so that tests may
        count on them, while those of the default detector become better with its weights; None: that one.
        """
        arguments = [sys.executable, str(PROJECT / "run_pipeline.py"), "--config", str(config)]
        arguments += ["--output", str(self.folder / output)]
        arguments += ["--source", str(source)] if source is not None else []
        arguments += ["--display", display] if display else []
        if detector and config == "pipeline.yaml":
            arguments += _found_by(detector, options)
        arguments += (
            ["--replace"]
            if replace and not {"--resume", "--replace", "--service", "--check"}.intersection(options)
            else []
        )
        return Running(self, [*arguments, *options], self.folder / output, **popen)

    def run(self, source: str | Path | None, *options: str, timeout_s: float = LONGEST_S, **places) -> Ran:
        """Run to the end."""
        return self.start(source, *options, **places).end(timeout_s)

    def stage(self, module: str, *options: str, python: tuple[str, ...] = (), **popen) -> Running:
        """Start one stage by hand; `python`: options of the interpreter."""
        chosen = [] if "--config" in options and "pipeline.yaml" not in options else _found_by("haar", options)
        command = [sys.executable, *python, "-m", f"stages.{module}", *options, *chosen]
        return Running(self, command, self.folder / "out", **popen)

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs here, whoever its parent is by now: found by its environment."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def kill(self) -> None:
        """End all that belongs here as a container's end or a power cut does: nothing is started in its place."""
        while living := self.processes():
            for process in living:
                with suppress(psutil.NoSuchProcess):  # It has ended since it was listed.
                    process.kill()

    def stages(self) -> list[str]:
        return sorted(filter(None, map(_stage_of, self.processes())))

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            environment = process.environ()
            return environment.get("XDG_RUNTIME_DIR") == str(self.runtime) and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            return False  # It ended while we looked, or is somebody else's.


@contextmanager
def somewhere(folder: Path) -> Iterator[Workplace]:
    """A workplace of which no process is left, also where a test has failed."""
    # The runtime directory is not below `folder`, which may be too long for the path of a socket.
    with tempfile.TemporaryDirectory(prefix="fp") as runtime:
        place = Workplace(folder, Path(runtime))
        try:
            yield place
        finally:
            place.kill()


def eventually(happened: Callable[[], object], what: str) -> None:
    """Look until it has happened: other processes do not call us."""
    latest_s = time.monotonic() + LONGEST_S
    while not happened():
        assert time.monotonic() < latest_s, f"not within {LONGEST_S:g} s: {what}"
        time.sleep(LOOK_AGAIN_S)


def _stage_of(process: psutil.Process) -> str | None:
    try:
        words = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return next((word.removeprefix("stages.") for word in words if word.startswith("stages.")), None)
