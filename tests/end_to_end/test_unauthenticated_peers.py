"""Noise on the sockets of a running pipeline is refused and counted; nothing is lost by it."""

from __future__ import annotations

import random
import signal

import msgpack
import zmq

from tests.end_to_end.command import Workplace, asked, labels
from tests.end_to_end.material import FACES

HEARTBEAT = {
    "kind": "heartbeat",
    "run": "",
    "stage": "gender",
    "replica": 7,
    "incarnation": 1,
    "credit": 2,
    "finished": 0,
}
ACK = {"kind": "ack", "run": "x", "source": "slow.mp4", "epoch": 0, "incarnation": 2**50, "number": 2**50}
DONE = {**ACK, "acked_up_to": 2**50, "missing_parts": [], "clean": True}


def pack(said: object) -> bytes:
    """The header of a message that says this."""
    return msgpack.packb([1, said])


def noise() -> list[list[bytes]]:
    """Messages that are none: of random bytes, of the wrong shape, too large, too deep."""
    rng = random.Random(7)
    picture = {"kind": "picture", "run": "x", "epoch": 1, "source": "slow.mp4", "frame": 0, "time": 0.0}
    return [
        *([rng.randbytes(rng.randrange(400)) for _ in range(rng.randrange(1, 6))] for _ in range(200)),
        [b""],
        [b"", b""],
        [b"x"] * 500,
        [pack(HEARTBEAT), b"a buffer that no heartbeat has"],
        [msgpack.packb([2, HEARTBEAT])],
        [msgpack.packb(HEARTBEAT)],
        [pack({**HEARTBEAT, "kind": "no such"})],
        [pack({**HEARTBEAT, "credit": -1})],
        [pack({**HEARTBEAT, "credit": 2**63})],
        [pack({**HEARTBEAT, "stage": "x" * 10_000})],
        [pack({**HEARTBEAT, "more": 1})],
        [pack({**HEARTBEAT, "run": None})],
        [pack({1: 2})],
        [msgpack.packb({1: 2})],
        [pack([HEARTBEAT])],
        [b"\x91" * 100_000],  # A list in a list in a list.
        [b"\xdf\xff\xff\xff\xff"],  # A map that says it has four billion keys.
        [b"\xc6\xff\xff\xff\xff"],
        [pack("x" * 1_000_000)],
        [pack({**picture, "parts": [{"encoding": "raw", "shape": [2**31, 2**31, 3], "dtype": "uint8"}]}), b"abc"],
        [pack({**picture, "parts": [{"encoding": "raw", "shape": [1, 1, 3], "dtype": "uint8"}]})],
        [pack(DONE)],
    ]


def throw(place: Workplace, messages: list[list[bytes]]) -> None:
    """Send them to render and to capture, from peers that nobody knows."""
    with zmq.Context() as context:
        for name in ("render", "capture-0"):
            with context.socket(zmq.DEALER) as unknown_peer:
                unknown_peer.setsockopt(zmq.LINGER, 20_000)
                unknown_peer.connect(f"ipc://{place.runtime}/facepipe-5600/{name}")
                for message in messages:
                    unknown_peer.send_multipart(message)


def test_noise_is_refused_and_counted_and_neither_it_nor_messages_of_other_runs_change_anything(place, slow_film):
    run = place.start(slow_film, "--set=pace=true").until_lines(4)
    for _ in range(30):  # One that keeps connecting and leaving.
        throw(place, [[pack({**HEARTBEAT, "stage": "nobody"})]])
    drop = {"kind": "drop", "run": "x", "epoch": 1, "source": "slow.mp4", "first": 0, "last": 99}
    well_formed = [
        {**drop, "stage": "detect", "reason": "spite"},
        {"kind": "end", "run": "x", "epoch": 1, "source": "slow.mp4", "frames": 1},
        HEARTBEAT,
        {"kind": "hello", "run": "x", "epoch": 0, "source": "other", "live": False},
    ]
    messages = noise()
    throw(place, [*([pack(message)] for message in well_formed), *messages])
    run.until_lines(12)
    ran = run.signal(signal.SIGINT).end()
    assert ran.status == 130, ran.err
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
    assert len(ran.lines) >= 12
    assert [len(line["faces"]) for line in ran.lines] == FACES[: len(ran.lines)]
    assert all(asked(line["frame"], every=2) == labels(face) for line in ran.lines for face in line["faces"])
    assert sum(ran.summary["refused"].values()) >= 2 * (len(messages) - 5)
