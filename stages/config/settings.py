"""What a stage process is told at its start: the whole configuration, its own place in it, addresses and cards.

Every stage process pays for what is imported here. No `annotations` from the future, as in schema.py: msgspec would
evaluate the texts.
"""

import os
import socket
import typing
from dataclasses import dataclass, field

import msgspec

from ..protocol.generations import Incarnation, Life, Run
from .schema import Attribute, Detect, Pipeline, Stage


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What one capture reads."""

    spec: str | int
    name: str | None  # None: the source is named after what it is
    paced: bool  # whether a file is read at its own speed


@dataclass(frozen=True, slots=True)
class CardSettings:
    """What capture and render have to know of the model of an attribute stage; they do not read its card."""

    hash: str  # what a worker must show
    width: int  # of the crop, as in `stages.frames.CropGeometry`
    height: int
    channels: int
    scale: float
    name: str  # this and what follows as in `stages.vision.inference.card.Card`
    task: str
    shown: tuple[str, ...]
    groups: tuple[tuple[str, float], ...]


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
class SourceChanges:
    """How the sources of a run differ from those that it was begun with. It stands in run.json."""

    # Name -> what is read; None where an address has a secret, which is written nowhere.
    added: dict[str, str | int | None] = field(default_factory=dict)
    removed: dict[str, list] = field(default_factory=dict)  # name -> its input, zones and lines

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


@dataclass(frozen=True, slots=True)
class Settings:
    """All that one stage process is told; it travels as one line of JSON, never on the command line."""

    stage: str
    replica: int  # counts from 0 within the stage; of capture: the place of its source in the configuration
    pipeline: Pipeline
    render: str  # address at which this process finds render
    captures: tuple[str, ...]  # and each capture, in the order of the sources
    sources: tuple[SourceSettings, ...]  # in the same order; one that is added gets the next place, for good
    models: dict[str, str]  # stage -> absolute path of its card; of detect: of its model file, where it has one
    cards: dict[str, CardSettings]  # of each attribute stage, in the order of the configuration
    output: str  # absolute path of the folder for the results
    run: Run = ""  # the name of the run, given by the launcher; render goes on with results that bear it
    inputs: dict = field(default_factory=dict)  # all that the results depend on, for run.json
    detector_hash: str = ""  # what a detect must show
    # of this process, given by the launcher: a successor's is higher; 0: it takes the clock's
    incarnation: Incarnation = 0
    # [incarnation, cause] of the former lives of this process: "exit", "hang" or "killed".
    ended: list[tuple[Incarnation, str]] = field(default_factory=list)
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
    streams: tuple[str, ...] = ()  # of render: `render.stream`, with absolute paths
    machines: Machines | None = None  # None: everything runs on one
    closed: tuple[int, ...] = ()  # the places of sources that are not read any more: removed, or ended by a failure
    # Whether each source has a folder of its own name; one that is left of several still has.
    has_folders: bool = False
    changes: SourceChanges = field(default_factory=SourceChanges)  # of the sources, since the run was begun

    @property
    def host(self) -> str:
        """The machine that this process runs on, by its name in the configuration if it has one there."""
        return self.machines.host if self.machines else socket.gethostname()

    @property
    def source(self) -> SourceSettings:
        """What this capture reads."""
        return self.sources[self.replica]

    @property
    def read(self) -> dict[str | None, int]:
        """The sources that are read: name, None of one that has none, and place."""
        return {s.name: place for place, s in enumerate(self.sources) if place not in self.closed}

    @property
    def detector(self) -> Detect:
        """What `stages.vision.detectors.make_detector` makes a detector of."""
        return self.pipeline.detect.resolved(self.models.get("detect"))

    def to_json(self) -> dict:
        """Everything as plain dicts, lists, texts and numbers."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_json(cls, plain: dict) -> typing.Self:
        """The inverse of `to_json`; raises `ValueError` for what no `to_json` has given."""
        return msgspec.convert(plain, cls, dec_hook=_stage)


def _stage(kind: type[Stage], plain: dict) -> Stage:
    """One of `stages`, which only its keys tell apart: `kind` is a key of the configuration, of one of them."""
    return msgspec.convert(plain, Attribute if "kind" in plain else Detect)
