"""What capture's flow hears, and what it decides: plain values, without a picture in them."""

from __future__ import annotations

from dataclasses import dataclass

Life = tuple[str, tuple[str, int], int]  # stage, worker (host and replica) and incarnation: one process

# --- Events ---


@dataclass(frozen=True, slots=True)
class Read:
    """The next picture was read; frames are numbered in this order."""

    size: int  # bytes
    asked: tuple[str, ...] | None = None  # the attribute stages that are asked about it; None: all


@dataclass(frozen=True, slots=True)
class LetGo:
    """Live: pictures that nobody will be given; they have their numbers, so that they are accounted for."""

    frames: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadAll:
    """The source has no further picture."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A person asked to stop: what is under way is finished, what was not handed out yet is as if never read."""


@dataclass(frozen=True, slots=True)
class WorkerCame:
    connection: str
    stage: str
    worker: tuple[str, int]  # host and replica
    incarnation: int
    card: str
    account: int = 0  # of the welcome that it answers
    ended: tuple[tuple[int, str], ...] = ()  # incarnation and cause of its former lives: see `WorkerEnded`


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    connection: str
    room: int  # pieces that it can hold in all
    finished: int  # the highest seq that it has finished


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """A connection is gone; why is not known, and may be told later."""

    connection: str


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """The process of a worker has ended, says its launcher: on this machine itself, on another its next life."""

    stage: str
    worker: tuple[str, int]
    incarnation: int
    cause: str  # "exit", "hang" or "killed"


@dataclass(frozen=True, slots=True)
class WorkerReserved:
    """A worker has finished all that it held, and waits for one suspect piece."""

    connection: str


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """A worker could not answer a piece, and lives."""

    connection: str
    frame: int
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerRefused:
    """What a worker said about a piece cannot be taken: the piece is given to another worker, and this one no more."""

    frame: int
    stage: str
    worker: int  # its number in this flow
    reason: str


@dataclass(frozen=True, slots=True)
class CropsCame:
    connection: str
    frame: int
    attempt: int
    boxes: str
    faces: int
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Acked:
    """What an `ack` of render says."""

    incarnation: int
    number: int
    done: int
    lacks: dict[int, frozenset[str]]
    clean: bool
    preview: int | None  # one more than the newest preview taken, 0 before the first; None: render wants none
    heard: int = 0  # one more than the highest frame that render has heard of
    refused: tuple[AnswerRefused, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    Read
    | LetGo
    | ReadAll
    | Stop
    | WorkerCame
    | WorkerBeat
    | WorkerGone
    | WorkerEnded
    | WorkerReserved
    | WorkerFailed
    | AnswerRefused
    | CropsCame
    | Acked
    | Tick
)


# --- Actions ---


@dataclass(frozen=True, slots=True)
class SendWelcome:
    """Greet a connection that has not said hello; with a new account the worker throws away what it holds."""

    connection: str
    account: int


@dataclass(frozen=True, slots=True)
class SendFrame:
    connection: str
    frame: int
    seq: int
    attempt: int
    skip: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SendCrops:
    connection: str
    stage: str
    frame: int
    seq: int


@dataclass(frozen=True, slots=True)
class SendReserve:
    """Ask a worker to finish what it holds, and to wait for one suspect piece."""

    connection: str


@dataclass(frozen=True, slots=True)
class StartAnew:
    """Render has died, and its outputs were perhaps cut back: begin a new epoch with a new `Flow`; this one is over."""


@dataclass(frozen=True, slots=True)
class KeepCrops:
    """The crops that just came are the frame's: hold them until it is forgotten."""

    frame: int


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
class SayDrop:
    first: int
    last: int
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class SayGivenUp:
    frame: int
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class SayEnd:
    frames: int


@dataclass(frozen=True, slots=True)
class Refuse:
    connection: str
    reason: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """This worker is given no more work in this run."""

    connection: str
    stage: str
    worker: tuple[str, int]  # host and replica
    incarnation: int
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
    | SendReserve
    | StartAnew
    | KeepCrops
    | SendPicture
    | AskInstead
    | SendPreview
    | SayDrop
    | SayGivenUp
    | SayEnd
    | Refuse
    | Quarantine
    | Forget
    | Finished
)
