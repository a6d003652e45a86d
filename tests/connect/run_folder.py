"""A folder as a run leaves it, so far as events are concerned, and the process that sends them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from stages.results.borders import Moment
from stages.results.manifest import Manifest
from stages.results.pieces import Before, Extent, Pieces
from stages.results.source_folder import SourceFolder
from tests.browser import until


class WrittenRun:
    """The output folder of a run of one source, "door"."""

    def __init__(self, path: Path, run: str = "run-1", source: str = "door"):
        self.path = path
        path.mkdir()
        self.begins(run)
        (path / "results.jsonl").write_text(json.dumps({"source": source, "frame": 0}) + "\n")

    def begins(self, run: str) -> None:
        self._run(run, None)

    def ends(self, run: str = "run-1") -> None:
        self._run(run, "finished")

    def _run(self, run: str, ended: str | None) -> None:
        said = {"run": run, "inputs": {}, "incarnation": 1, "ended": ended}
        (self.path / "run.part").write_text(json.dumps(said))
        (self.path / "run.part").replace(self.path / "run.json")

    def appends(self, *events: dict) -> None:
        with (self.path / "events.jsonl").open("a") as file:
            file.writelines(json.dumps(event) + "\n" for event in events)

    def in_pieces(self, *pieces: list[dict]) -> list[Path]:
        """The results are in pieces with these events; returns their folders."""
        (self.path / "results.jsonl").unlink()
        place, extent, made = SourceFolder(self.path, Manifest(self.path)), Extent(), []
        for events in pieces:
            begins = Before(frame=len(made) + 1, begins=Moment(float(len(made))), events=extent)
            piece = Pieces(place).begin(begins) if made else Pieces(place).first(None)
            piece.own.mkdir(parents=True, exist_ok=True)
            content = "".join(json.dumps(event) + "\n" for event in events)
            piece.events.write_text(content)
            piece.results.write_text(json.dumps({"source": "door", "frame": len(made)}) + "\n")
            extent = Extent(extent.lines + len(events), extent.bytes + len(content))
            made.append(piece.own)
        return made

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"


def appeared(person: int) -> dict:
    return {"event": "appeared", "time": person / 10, "frame": person, "id": person}


def left(person: int) -> dict:
    return {"event": "left", "time": person / 10 + 5, "frame": person + 50, "id": person, "dwell": 5.0}


class Sending:
    """`python -m stages.connect FOLDER`, started by hand."""

    def __init__(self, folder: Path, config: str, **environment: str):
        """`config`: its text."""
        self._said = folder.parent / f"said-{len(list(folder.parent.glob('said-*')))}"
        path = folder.parent / "pipeline.yaml"
        path.write_text(config)
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stages.connect", str(folder), "--config", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, **environment},
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    def says(self, words: str) -> str:
        """Wait until it has said so; returns all that it has said."""
        until(lambda: words in self.said, f"{words!r} in {self.said!r}")
        return self.said

    def ends(self) -> int:
        """Wait until it has ended; returns its exit status."""
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Sending:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
