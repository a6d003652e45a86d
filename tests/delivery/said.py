"""What workers, capture and render say in the tests of the delivery rules, with what does not matter filled in."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from stages.delivery.events import FromWorker
from stages.protocol.messages import (
    Ack,
    Attribute,
    Drop,
    End,
    FaceCrops,
    Faces,
    Failed,
    FramePicture,
    GivenUp,
    Heartbeat,
    SourceHello,
    WorkerHello,
)

ABOUT = {"run": "r", "epoch": 1, "source": "s"}
_WORKED = {"spent": {}, "replica": 0, "incarnation": 1}


# --- To capture ---


def hello(
    connection: str,
    stage: str,
    worker: tuple[str, int] = ("desk", 0),
    incarnation: int = 1,
    card: str = "",
    session_id: int = 0,
    ended: Iterable = (),
) -> FromWorker:
    """`worker`: host and replica; its card is the right one unless it is named."""
    known = {"host": worker[0], "replica": worker[1], "incarnation": incarnation, "session_id": session_id}
    card = card or {"detect": "D", "age": "A"}[stage]
    return FromWorker(connection, WorkerHello(run="r", stage=stage, card=card, ended=[*map(list, ended)], **known))


def heartbeat(connection: str, credit: int = 2, finished: int = 0) -> FromWorker:
    known = {"stage": "any", "replica": 0, "incarnation": 1}
    return FromWorker(connection, Heartbeat(run="r", credit=credit, finished=finished, **known))


def failed(connection: str, frame: int, reason: str = "no") -> FromWorker:
    known = {"stage": "any", "incarnation": 1, "seq": 1}
    return FromWorker(connection, Failed(frame=frame, reason=reason, **known, **ABOUT))


def crops(frame: int, faces: int = 1, attempt: int = 1) -> FaceCrops:
    """Ten bytes of each face."""
    arrays = (np.zeros((faces, 1, 10, 1), np.uint8),) if faces else ()
    known = {"attempt": attempt, "boxes_hash": "boxes", "spent": {}}
    return FaceCrops(frame=frame, faces=faces, arrays=arrays, **known, **ABOUT)


def acked(number: int, acked_up_to: int = 0, missing_parts: dict[int, list[str]] | None = None, **said) -> Ack:
    missing_parts = [[frame, list(parts)] for frame, parts in (missing_parts or {}).items()]
    said = {"incarnation": 1, "clean": False, **said}
    return Ack(number=number, acked_up_to=acked_up_to, missing_parts=missing_parts, **said, **ABOUT)


# --- To render ---


def source(epoch: int) -> SourceHello:
    return SourceHello(live=False, **{**ABOUT, "epoch": epoch})


def picture(frame: int, asked: Iterable[str] = ("gender", "age")) -> FramePicture:
    return FramePicture(frame=frame, file=None, time=0.0, rate=None, asked=[*asked], **ABOUT)


def found(frame: int, faces: int = 1, boxes: str = "b", attempt: int = 1, grant: str = "") -> Faces:
    """The faces of a frame; `boxes`: their hash."""
    known = {"boxes_hash": boxes, "boxes": [[0, 0, 9, 9]] * faces, "scores": [1.0] * faces, "capped": 0}
    return Faces(frame=frame, attempt=attempt, grant=grant, **known, **_WORKED, **ABOUT)


def answer(
    frame: int, stage: str = "age", boxes: str = "b", attempt: int = 1, value: float = 31.0, rows: int = 1
) -> Attribute:
    known = {"boxes_hash": boxes, "answers": [[value]] * rows}
    return Attribute(frame=frame, stage=stage, attempt=attempt, **known, **_WORKED, **ABOUT)


# --- To render, by capture's dispatcher ---


def dropped(first: int, last: int, stage: str, reason: str) -> Drop:
    return Drop(first=first, last=last, stage=stage, reason=reason, **ABOUT)


def given_up(frame: int, stage: str, reason: str) -> GivenUp:
    return GivenUp(frame=frame, stage=stage, reason=reason, **ABOUT)


def end(frames: int) -> End:
    return End(frames=frames, **ABOUT)
