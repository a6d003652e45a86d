"""What a stage process and its launcher tell each other: one message, one line of JSON on the pipe between them.

The launcher's first line holds the stage's settings (`stages.config.settings`); all others are messages of this
module. Every stage process pays for what is imported here. No `annotations` from the future: msgspec would evaluate the
texts.
"""

import json

import msgspec

from .generations import Incarnation
from .stats import CaptureReport, RenderReport


class ControlMessage(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """What all of them have: `type` on the line is the name of the class."""


# --- From a stage to its launcher ---


class Ready(ControlMessage):
    """Model and source are open, the sockets are bound."""


class StageHeartbeat(ControlMessage):
    """The work loop is alive."""

    finished: int = 0  # tasks so far in this life; of capture and render: how often more was acknowledged


class Position(ControlMessage):
    """Where a process is that may not survive it: a worker at a task in isolation, capture and render at a frame."""

    place: str


class SourceOpened(ControlMessage):
    """A capture has opened its source."""

    source: str
    description: str
    chosen: str | None = None  # why this one, where none was named
    frames: int | None = None  # None: not known
    live: bool = False


class PageServed(ControlMessage):
    """Render serves its page at this port, and is to have it again in its next life."""

    port: int


class Say(ControlMessage):
    """A sentence for the person who started the run."""

    sentence: str


class Progress(ControlMessage):
    """The account so far."""

    report: CaptureReport | RenderReport


class FinalReport(ControlMessage):
    """The account of the whole: the last message of a process that ends in order."""

    report: CaptureReport | RenderReport


class Waiting(ControlMessage):
    """Everything is written, and the run stays for a person who looks at it."""

    sentence: str  # what it waits for
    report: RenderReport


class Quit(ControlMessage):
    """The person has asked for the end of the run, in the window."""


class Refused(ControlMessage):
    """The stage cannot work with what it was told, and ends."""

    sentence: str


class Failed(ControlMessage):
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
    | Waiting
    | Quit
    | Refused
    | Failed
)

# --- From the launcher to a stage ---


class Stop(ControlMessage):
    """End in order: capture reads no more, render closes its outputs."""

    leave: bool = False  # of a capture: the source is not over; another capture goes on with it


class Restarts(ControlMessage):
    """How often processes of this machine were started again; for render, which shows it."""

    by_stage: dict[str, int]


class WorkerExit(ControlMessage):
    """A worker's process has ended; for the captures, which give its tasks to others."""

    stage: str
    host: str
    replica: int
    incarnation: Incarnation
    cause: str  # "exit", "hang" or "killed"


class SettingsChanged(ControlMessage):
    """Other sources are read now; for render and the workers."""

    settings: dict  # all of them anew, as in the first line


ToStage = Stop | Restarts | WorkerExit | SettingsChanged


class _Line(msgspec.Struct):
    said: FromStage | ToStage  # msgspec takes a union apart once for a struct, and anew each time for one by itself.


def encode(message: FromStage | ToStage) -> bytes:
    """A message as one line."""
    # By json and not msgspec.json: the names of files may hold bytes that are no UTF-8, which only json escapes.
    return json.dumps(msgspec.to_builtins(message)).encode() + b"\n"


def decode(line: bytes) -> FromStage | ToStage:
    """The message of one line; raises `ValueError` for one that is none, such as what a library has printed."""
    try:
        return msgspec.convert({"said": json.loads(line)}, _Line).said
    except RecursionError as error:
        raise ValueError("no message of a stage or its launcher") from error
