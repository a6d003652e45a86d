"""What a stage process is told at its start: the whole configuration, its own place in it, addresses and cards.

Only the standard library and the schema are imported at the top: every stage process pays for what stands there.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from ..config.schema import Pipeline
from ..names import as_text, names_apart
from ..protocol.generations import Incarnation, Life, Run
from ..sources.listing import Listing, root_of
from ..sources.listing import changed_since as changed_pin
from ..sources.spec import path_of
from ..sources.urls import public

if TYPE_CHECKING:
    from ..frames import CropGeometry


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def detector_arguments(pipeline: Pipeline, models: dict[str, str]) -> dict:
    """The arguments of `stages.vision.detectors.make_detector`."""
    detect = pipeline.detect
    return {"name": detect.detector, **asdict(detect.suited), "model": models.get("detect"), "haar": detect.haar}


def stamp(spec: str | int) -> list | None:
    """Size and time of a source's file, by which it is noticed that it is another one now; None where it has none.

    Of a folder or a glob a row for each of its files: which ones are read, and in which order, is fixed by it.
    """
    path = path_of(spec)
    if path is None:
        return None
    try:
        if (listing := Listing.of(spec)) is not None:
            return listing.pins()
        found = os.stat(path)
    except (OSError, ValueError):  # What opening the source will complain of.
        return None
    return [found.st_size, found.st_mtime_ns]


def input_of(name: str | None, spec: str | int) -> str:
    """What a source is called in `Settings.inputs`."""
    return f"source {name or public(spec)}"


def is_pinned(stamped: object) -> bool:
    """Whether this is the stamp of several files."""
    return (
        isinstance(stamped, list) and stamped != [] and all(isinstance(row, list) and len(row) == 3 for row in stamped)
    )


def apart_in(inputs: dict, name: str | None = None) -> frozenset[str]:
    """Of the files that a source was begun with those that `names_apart` says; `name`: that of one of several sources.

    What `inputs` holds may be read from a file.
    """
    sources = [said for key, said in inputs.items() if key.startswith("source ")]
    said = inputs.get(input_of(name, "")) or (sources[0] if len(sources) == 1 else None)
    rows = said[1] if isinstance(said, list) and len(said) == 2 and is_pinned(said[1]) else []
    return names_apart(as_text(row[0]) for row in rows if isinstance(row[0], str))


def changed_since(spec: str | int, stamped: list | None) -> str | None:
    """What of a source is another file now than when it was stamped, and none that has gone or come; None: nothing."""
    if is_pinned(stamped):
        root = root_of(spec)
        name = changed_pin(root, stamped)
        return None if name is None else str(root / name)
    return None if stamped is None or stamped == stamp(spec) else str(spec)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What one capture reads."""

    spec: str | int
    name: str | None  # None: the source is named after what it is
    paced: bool  # whether a file is read at its own speed


@dataclass(frozen=True, slots=True)
class CardSettings:
    """What capture has to know of the model of an attribute stage, without loading it."""

    hash: str  # what a worker must show
    width: int  # pixels of the crop
    height: int
    channels: int
    scale: float  # side of the square cut, in units of the normalised box's


@dataclass(frozen=True, slots=True)
class Machines:
    """What a process has to know where the run spans several machines."""

    host: str  # the one that it runs on
    keys: str  # absolute path of the folder with the keys
    owners: dict[str, str]  # address of a socket on another host -> that host, whose key it shows


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """Where render publishes, and what."""

    address: str  # tcp://ADDRESS:PORT, or ipc:// with an absolute path
    pixels: bool  # whether a JPEG of each picture goes with it
    host: str  # which of the configuration's hosts this is, whose key is shown beyond this machine; "": none
    keys: str  # absolute path of the folder with the keys


@dataclass(frozen=True, slots=True)
class Settings:
    """All that one stage process is told; it travels as one line of JSON, never on the command line."""

    stage: str
    replica: int  # counts from 0 within the stage; of capture: the place of its source in the configuration
    pipeline: Pipeline
    render: str  # address at which this process finds render
    captures: tuple[str, ...]  # and each capture, in the order of the sources
    sources: tuple[SourceSettings, ...]  # in the same order
    models: dict[str, str]  # stage -> absolute path of its card; of detect: of its model file, where it has one
    cards: dict[str, CardSettings]  # attribute stage -> what its card asks for
    output: str  # absolute path of the folder for the results
    run: Run = ""  # the name of the run, given by the launcher; render goes on with results that bear it
    inputs: dict = field(default_factory=dict)  # all that the results depend on, for run.json
    # of this process, given by the launcher: a successor's is higher; 0: it takes the clock's
    incarnation: Incarnation = 0
    # [incarnation, cause] of the former lives of this process: "exit", "hang" or "killed".
    ended: list = field(default_factory=list)
    waits: bool = True  # of render: whether the last picture stays in the window, or on the page, for a person
    record: str | None = None  # the file that keeps what the stages are given and answer
    opened_s: float | None = None  # this machine's monotonic clock when the first life of a capture opened its source
    opened_as: str | None = None  # the name that it had then
    life: Life = 0  # how often the process has been started again
    # What the address of the page in the browser holds where others can reach it: a restarted render keeps it.
    web_token: str = ""
    web_port: int | None = None  # where the page of its first life was; None: in the first
    # A worker ends when every capture that welcomed it has said that it needs nothing more, render when all have.
    once: bool = False
    binds: tuple[str, ...] = ()  # what this process binds: for peers on its machine, and for those on others
    publish: PublishSettings | None = None  # of render, if it publishes
    machines: Machines | None = None  # None: everything runs on one

    @property
    def host(self) -> str:
        """The machine that this process runs on, by its name in the configuration if it has one there."""
        return self.machines.host if self.machines else socket.gethostname()

    @property
    def source(self) -> SourceSettings:
        """What this capture reads."""
        return self.sources[self.replica]

    @property
    def detector(self) -> dict:
        """The arguments of `stages.vision.detectors.make_detector`."""
        return detector_arguments(self.pipeline, self.models)

    @property
    def geometries(self) -> dict[str, CropGeometry]:
        """The crop that each attribute stage wants, by stage in the order of the configuration."""
        from ..frames import CropGeometry

        return {
            stage: CropGeometry(card.width, card.height, card.channels, card.scale)
            for stage, card in self.cards.items()
        }

    def to_json(self) -> dict:
        """Everything as plain dicts, lists, texts and numbers."""
        return asdict(self) | {"pipeline": self.pipeline.to_json()}

    @classmethod
    def from_json(cls, plain: dict) -> Settings:
        """The inverse of `to_json`; it takes its word for what is in it."""
        return cls(
            **plain
            | {
                "pipeline": Pipeline.from_json(plain["pipeline"]),
                "captures": tuple(plain["captures"]),
                "binds": tuple(plain["binds"]),
                "machines": Machines(**plain["machines"]) if plain["machines"] else None,
                "publish": PublishSettings(**plain["publish"]) if plain["publish"] else None,
                "sources": tuple(SourceSettings(**source) for source in plain["sources"]),
                "cards": {stage: CardSettings(**card) for stage, card in plain["cards"].items()},
            }
        )
