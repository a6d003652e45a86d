"""A process that joins a real run and answers what cannot be taken: it is named, and costs the run nothing."""

from __future__ import annotations

import msgpack
import zmq

from tests.end_to_end.command import LONGEST_S
from tests.end_to_end.conftest import film, models, place, shown  # noqa: F401 (fixtures)

HELLO = {"kind": "hello", "stage": "gender", "host": "barn", "replica": 9, "incarnation": 2**40}
HEARTBEAT = {
    "kind": "heartbeat",
    "stage": "gender",
    "replica": 9,
    "incarnation": 2**40,
    "credit": 2**50,
    "finished": 0,
}


def header(said: dict) -> bytes:
    """As every message begins."""
    return msgpack.packb([1, said])


class Hostile:
    """Speaks as a gender does that has a valid key."""

    def __init__(self, runtime, card: str):
        self._card, self._context = card, zmq.Context()
        self.render, self.capture = (self._connected(runtime, name) for name in ("render", "capture-0"))

    def _connected(self, runtime, name: str) -> zmq.Socket:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{runtime}/facepipe-5600/{name}")
        return socket

    def until_refused(self) -> str:
        """Answer every task with NaN, beside frames that nobody has read, until capture refuses it; returns why."""
        self.capture.send(header({**HEARTBEAT, "run": ""}))
        while self.capture.poll(LONGEST_S * 1000):
            _, said = msgpack.unpackb(self.capture.recv_multipart()[0])
            match said["kind"]:
                case "welcome":
                    near = {key: said[key] for key in ("run", "epoch", "session_id")}
                    self.capture.send(header({**HELLO, **near, "card": self._card}))
                    self.capture.send(header({**HEARTBEAT, "run": said["run"]}))
                case "crops":
                    self._answer(said)
                    self.capture.send(header({**HEARTBEAT, "run": said["run"], "finished": said["seq"]}))
                case "refused":
                    return said["reason"]
        raise AssertionError("it was never refused")

    def _answer(self, task: dict) -> None:
        same = {key: task[key] for key in ("run", "epoch", "source", "attempt", "boxes_hash", "grant")}
        said = {"kind": "attribute", "stage": "gender", "replica": 9, "incarnation": 2**40, "spent": {}, **same}
        for frame in (2**53, *range(500, 1000)):
            self.render.send(header({**said, "grant": "", "frame": frame, "answers": [[0.5, 0.5]]}))
        self.render.send(header({**said, "frame": task["frame"], "answers": [[float("nan"), 0.5]]}))

    def close(self) -> None:
        self._context.destroy(linger=0)


def test_a_worker_whose_answers_cannot_be_taken_is_named_and_costs_nothing(place, film, shown, models):  # noqa: F811
    from stages.vision.inference.card import load_card
    from stages.vision.inference.digest import card_hash

    run = place.start(film, "--set=pace=true")
    run.until_lines(1)
    hostile = Hostile(place.runtime, card_hash(load_card(models / "gender.yaml")))
    try:
        reason = hostile.until_refused()
    finally:
        hostile.close()
    assert "its answers could not be taken: its answer for frame " in reason
    ran = run.end().succeeded()
    assert ran.results == shown.results
    assert "gender 9 on barn is given no more work: its answer for frame " in ran.out + ran.err
