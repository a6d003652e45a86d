"""What capture's dispatcher hears, and what it decides.

Where a message says it, the message itself is the event or the action.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol.generations import Attempt, Incarnation, SessionId
from ..protocol.messages import Ack, Drop, End, FaceCrops, Failed, GivenUp, Heartbeat, Isolated, WorkerHello

# stage, worker (host and replica) and incarnation: one process
WorkerProcess = tuple[str, tuple[str, int], Incarnation]

# --- Events ---


@dataclass(frozen=True, slots=True)
class Read:
    """The next picture was read; frames are numbered in this order."""

    size: int  # bytes
    asked: tuple[str, ...] | None = None  # the attribute stages that are asked about it; None: all


@dataclass(frozen=True, slots=True)
class Discarded:
    """Live: pictures that nobody will be given; they have their numbers, so that they are accounted for."""

    frames: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadAll:
    """The source has no further picture."""


@dataclass(frozen=True, slots=True)
class StopReading:
    """A person asked to stop: what is under way is finished, what was not handed out yet is as if never read."""


@dataclass(frozen=True, slots=True)
class FromWorker:
    """A worker has said something; crops only with a grant that is theirs."""

    connection: str
    message: WorkerHello | Heartbeat | Isolated | Failed | FaceCrops


@dataclass(frozen=True, slots=True)
class WorkerDisconnected:
    """A connection is gone; why is not known, and may be told later."""

    connection: str


@dataclass(frozen=True, slots=True)
class WorkerExited:
    """The process of a worker has ended, says its launcher: on this machine itself, on another its next life."""

    stage: str
    worker: tuple[str, int]
    incarnation: Incarnation
    cause: str  # "exit", "hang" or "killed"


@dataclass(frozen=True, slots=True)
class AnswerRefused:
    """What a worker said about a task cannot be taken: the task is given to another worker, and this one no more."""

    frame: int
    stage: str
    worker: int  # its number in this dispatcher
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    Read
    | Discarded
    | ReadAll
    | StopReading
    | FromWorker
    | WorkerDisconnected
    | WorkerExited
    | AnswerRefused
    | Ack
    | Tick
)


# --- Actions ---


@dataclass(frozen=True, slots=True)
class SendWelcome:
    """Greet a connection that has not said hello; with a new session the worker throws away what it holds."""

    connection: str
    session_id: SessionId


@dataclass(frozen=True, slots=True)
class SendFrame:
    connection: str
    frame: int
    seq: int
    attempt: Attempt
    skip: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SendCrops:
    connection: str
    stage: str
    frame: int
    seq: int


@dataclass(frozen=True, slots=True)
class SendIsolate:
    """Ask a worker to finish what it holds, and to wait for one quarantined task."""

    connection: str


@dataclass(frozen=True, slots=True)
class StartEpoch:
    """Render has died, and its outputs were perhaps cut back: begin a new epoch with a new `Dispatcher`; this one is
    over."""


@dataclass(frozen=True, slots=True)
class KeepCrops:
    """These crops are their frame's: hold them until it is forgotten."""

    crops: FaceCrops


@dataclass(frozen=True, slots=True)
class SendPicture:
    frame: int


@dataclass(frozen=True, slots=True)
class AskInstead:
    """Live: a frame that is about to go out for the first time is asked about by these attribute stages.

    More than it was read with: those too that frames dropped before it were to be asked about.
    """

    frame: int
    stages: tuple[str, ...]  # all of them


@dataclass(frozen=True, slots=True)
class SendPreview:
    """Offer the newest picture read for showing at once."""

    frame: int


@dataclass(frozen=True, slots=True)
class Refuse:
    connection: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evict:
    """This worker is given no more work in this run."""

    connection: str
    stage: str
    worker: tuple[str, int]  # host and replica
    incarnation: Incarnation
    reason: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Let go of a frame's picture and crops."""

    frame: int
    latency_s: float | None  # from reading to the acknowledgement; None if it was dropped or never handed out


@dataclass(frozen=True, slots=True)
class Finished:
    """Render has closed the outputs: tell the workers, and end."""


Action = (
    SendWelcome
    | SendFrame
    | SendCrops
    | SendIsolate
    | StartEpoch
    | KeepCrops
    | SendPicture
    | AskInstead
    | SendPreview
    | Drop
    | GivenUp
    | End
    | Refuse
    | Evict
    | Forget
    | Finished
)
