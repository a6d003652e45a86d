"""What one message of each kind costs: packing, sending, receiving, unpacking, deciding. In one process, no waiting."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from stages.delivery import events
from stages.delivery.dispatcher import Dispatcher
from stages.delivery.events import FromWorker
from stages.delivery.joiner import Joiner
from stages.delivery.rules import Rules
from stages.protocol.messages import (
    Ack,
    Attribute,
    Crops,
    FaceCrops,
    Faces,
    Frame,
    FramePicture,
    Heartbeat,
    Message,
    SourceHello,
    WorkerHello,
    kinds,
    pack,
    unpack,
)
from stages.transport.sockets import Transport

BOXES = "0123456789abcdef"
STAGES = ("gender", "emotion", "age")
TIMES = 300  # that a thing is done to time it
EACH = {"run": "0123456789ab", "epoch": 1_790_000_000_000, "source": "clip.mp4", "frame": 1234}
WORKER = {"replica": 0, "incarnation": 1_790_000_000_000}


def messages_of_a_frame() -> list[tuple[Message, int]]:
    """The messages that one 640 x 480 frame with a face takes, and how many of each; heartbeats as at full load."""
    picture = np.zeros((480, 640, 3), np.uint8)
    grey, colour = np.zeros((1, 64, 64, 1), np.uint8), np.zeros((1, 64, 64, 3), np.uint8)
    geometries = [[64, 64, 1, 1.3, ["emotion"]], [64, 64, 3, 1.5, ["gender", "age"]]]
    cut = {"attempt": 1, "boxes_hash": BOXES, "spent": {"detect": 0.0123}}
    found = {"boxes": [[201.5, 88.25, 120.0, 120.0]], "scores": [0.98], "capped": 0}
    found |= {"landmarks": [[261.5, 140.25] * 5], "poses": [[12.5, -3.25, 1.5]], "qualities": [0.8125]}
    return [
        (FramePicture(**EACH, file=None, time=41.2, rate=30.0, asked=list(STAGES), arrays=(picture,)), 1),
        (Frame(**EACH, seq=1234, attempt=1, skip=[], geometries=geometries, arrays=(picture,)), 1),
        (Faces(**EACH, **WORKER, **cut, **found), 1),
        (FaceCrops(**EACH, **cut, faces=1, arrays=(grey, colour)), 1),
        (Crops(**EACH, **cut, seq=9, arrays=(colour,)), len(STAGES)),
        (Attribute(**EACH, **WORKER, **cut, stage="emotion", answers=[[0.14] * 7]), len(STAGES)),
        (Heartbeat(run=EACH["run"], **WORKER, stage="detect", credit=2, finished=1234), 2),
        (_ack(4), 1),
    ]


def _ack(missing_parts: int) -> Ack:
    waiting = [[1235 + i, ["detect", *STAGES]] for i in range(missing_parts)]
    return Ack(
        run=EACH["run"],
        source=EACH["source"],
        epoch=EACH["epoch"],
        incarnation=EACH["epoch"],
        number=1300,
        acked_up_to=1235,
        missing_parts=waiting,
        clean=False,
        worked=[[1234, 0.0243]],
    )


def pack_us(message: Message) -> float:
    """Microseconds."""
    return _each_us(lambda: pack(message))


def unpack_us(message: Message) -> float:
    """Microseconds, with all checks."""
    parts, table = [memoryview(part).cast("B") for part in pack(message)], kinds(type(message))
    return _each_us(lambda: unpack(parts, table))


def hop_us(message: Message) -> float:
    """Microseconds of all threads to send and receive it once over a local connection, without packing and
    unpacking."""
    with tempfile.TemporaryDirectory() as folder:
        transport = Transport()
        try:
            bound = transport.bind([f"ipc://{Path(folder) / 'hop'}"], kinds(type(message)))
            connected = transport.connect(f"ipc://{Path(folder) / 'hop'}", kinds(Ack))
            _handed_over(transport, bound, connected, message, 1)
            began_s = time.process_time()
            _handed_over(transport, bound, connected, message, TIMES)
            whole_us = (time.process_time() - began_s) / TIMES * 1e6
        finally:
            transport.close()
    return max(0.0, whole_us - pack_us(message) - unpack_us(message))


def decide_us(frames: int = TIMES) -> tuple[float, float]:
    """Microseconds of the dispatcher and of the joiner for a whole frame, at a full window."""
    began_s = time.process_time()
    _dispatch_through(frames)
    dispatched_s = time.process_time()
    _join_through(frames)
    return (dispatched_s - began_s) / frames * 1e6, (time.process_time() - dispatched_s) / frames * 1e6


def _each_us(call: Callable[[], object]) -> float:
    began_s = time.process_time()
    for _ in range(TIMES):
        call()
    return (time.process_time() - began_s) / TIMES * 1e6


def _handed_over(transport: Transport, bound, connected, message: Message, number: int) -> None:
    """Sent and received so many times, one after the other."""
    sent = received = 0
    while received < number:
        if sent == received:
            sent += connected.send(message)
        transport.wait(0.1)
        received += sum(1 for _ in bound.receive())


def _dispatch_through(frames: int) -> None:
    """What capture's dispatcher is told for so many frames with a face."""
    cards = dict.fromkeys(("detect", *STAGES), "card")
    state = Dispatcher(Rules(attributes=STAGES, cards=cards))
    finished, heartbeat = dict.fromkeys(cards, 0), Heartbeat(run=EACH["run"], **WORKER, stage="any", credit=2)
    crops = FaceCrops(**EACH, attempt=1, boxes_hash=BOXES, faces=1, spent={}, arrays=(np.zeros(16_384, np.uint8),))
    ack = replace(_ack(0), number=0, acked_up_to=0)
    state.step(ack, 0.0)
    for stage in cards:
        hello = WorkerHello(run=EACH["run"], stage=stage, host="host", card="card", **WORKER)
        state.step(FromWorker(stage, hello), 0.0)
        state.step(FromWorker(stage, heartbeat), 0.0)
    to_answer: list = []
    number = 0
    while state.acked_up_to < frames:
        now_s = state.acked_up_to / 100
        while state.may_read(640 * 480 * 3) and state.read < frames:
            to_answer += state.step(events.Read(640 * 480 * 3), now_s)
        given = to_answer
        to_answer = state.step(events.Tick(), now_s)
        for action in given:
            match action:
                case events.SendFrame(connection, frame, seq):
                    to_answer += state.step(FromWorker(connection, replace(crops, frame=frame)), now_s)
                    to_answer += state.step(FromWorker(connection, replace(heartbeat, finished=seq)), now_s)
                case events.SendCrops(connection, stage, frame, seq):
                    finished[stage] += 1
                    to_answer += state.step(FromWorker(connection, replace(heartbeat, finished=seq)), now_s)
        acked_up_to = min(finished[stage] for stage in STAGES)
        number += 1
        missing_parts = [[f, ["detect", *STAGES]] for f in range(acked_up_to, min(acked_up_to + 4, state.read))]
        said = replace(ack, number=number, acked_up_to=acked_up_to, missing_parts=missing_parts)
        to_answer += state.step(said, now_s)


def _join_through(frames: int) -> None:
    """What render's joiner is told for so many frames with a face."""
    state, said = Joiner(STAGES), {message.kind: message for message, _ in messages_of_a_frame()}
    state.step(SourceHello(run=EACH["run"], epoch=EACH["epoch"], source=EACH["source"], live=False))
    for frame in range(frames):
        state.step(replace(said["picture"], frame=frame))
        state.step(replace(said["faces"], frame=frame))
        for stage in STAGES:
            state.step(replace(said["attribute"], frame=frame, stage=stage))
            state.missing_parts()
