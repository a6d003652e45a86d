"""What a stage process and its launcher tell each other: one message, one line of JSON on the pipe between them.

The launcher's first line holds the stage's settings (`stages.supervision.settings`); all others are messages of this
module. Only the standard library is imported: every stage process pays for what stands here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from .generations import Incarnation
from .stats import CaptureReport, RenderReport
from .typed_json import from_plain

# --- From a stage to its launcher ---


@dataclass(frozen=True, slots=True)
class Ready:
    """Model and source are open, the sockets are bound."""


@dataclass(frozen=True, slots=True)
class StageHeartbeat:
    """The work loop is alive."""

    finished: int = 0  # tasks so far in this life; of capture and render: how often more was acknowledged


@dataclass(frozen=True, slots=True)
class Position:
    """Where a process is that may not survive it: a worker at a task in isolation, capture and render at a frame."""

    place: str


@dataclass(frozen=True, slots=True)
class SourceOpened:
    """A capture has opened its source."""

    source: str
    description: str
    chosen: str | None = None  # why this one, where none was named
    frames: int | None = None  # None: not known
    live: bool = False


@dataclass(frozen=True, slots=True)
class PageServed:
    """Render serves its page at this port, and is to have it again in its next life."""

    port: int


@dataclass(frozen=True, slots=True)
class Say:
    """A sentence for the person who started the run."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The account so far."""

    report: CaptureReport | RenderReport


@dataclass(frozen=True, slots=True)
class FinalReport:
    """The account of the whole: the last message of a process that ends in order."""

    report: CaptureReport | RenderReport


@dataclass(frozen=True, slots=True)
class Quit:
    """The person has asked for the end of the run, in the window."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The stage cannot work with what it was told, and ends."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The stage cannot go on, and ends."""

    sentence: str


FromStage = (
    Ready
    | StageHeartbeat
    | Position
    | SourceOpened
    | PageServed
    | Say
    | Progress
    | FinalReport
    | Quit
    | Refused
    | Failed
)

# --- From the launcher to a stage ---


@dataclass(frozen=True, slots=True)
class Stop:
    """End in order: capture reads no more, render closes its outputs."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often processes of this machine were started again; for render, which shows it."""

    by_stage: dict[str, int]


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """A worker's process has ended; for the captures, which give its tasks to others."""

    stage: str
    host: str
    replica: int
    incarnation: Incarnation
    cause: str  # "exit", "hang" or "killed"


ToStage = Stop | Restarts | WorkerExit

_KINDS = {kind.__name__: kind for kind in (*FromStage.__args__, *ToStage.__args__)}


def encode(message: FromStage | ToStage) -> bytes:
    """A message as one line."""
    return json.dumps({type(message).__name__: asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> FromStage | ToStage:
    """The message of one line; raises `ValueError` for one that is none, such as what a library has printed."""
    try:
        [(kind, plain)] = json.loads(line).items()
        return from_plain(_KINDS[kind], plain)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("no message of a stage or its launcher") from error
