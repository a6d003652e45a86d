"""How a worker waits for what it works for."""

from __future__ import annotations

import time
from types import SimpleNamespace

from stages.config.schema import Pipeline
from stages.supervision import worker
from stages.supervision.worker import Identity, serve


class Clock:
    """Driven by what the worker waits for: work takes no time."""

    now_s = 100.0

    def wait(self, seconds: float) -> None:
        self.now_s += max(seconds, 0.001)


class Peer:
    """Nobody answers."""

    def __init__(self, clock: Clock):
        self._clock, self.sent_s = clock, []

    def send(self, message: object) -> None:
        self.sent_s.append(self._clock.now_s)

    def receive(self) -> list:
        return []


def test_a_worker_asks_often_as_a_run_starts_and_seldom_while_a_camera_is_waited_for(monkeypatch):
    clock = Clock()
    peers = {place: Peer(clock) for place in ("render", "capture")}
    transport = SimpleNamespace(connect=lambda place, kinds: peers[place], wait=clock.wait, close=lambda: None)
    monkeypatch.setattr(worker, "open_transport", lambda *_: transport)
    monkeypatch.setattr(worker, "injector_of", lambda settings: None)
    monkeypatch.setattr(worker, "security_of", lambda settings: None)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)

    class Control(SimpleNamespace):
        stop_requested = property(lambda self: clock.now_s >= 160.0)

    control = Control(ready=lambda: None, heartbeat=lambda: None, changed_settings=lambda: None, say=print)
    settings = SimpleNamespace(once=False, render="render", captures=["capture"], read={"door": 0}, pipeline=Pipeline())
    serve(settings, control, Identity("age", "here", 0, 1, "card"), lambda tasks: [])
    for peer in peers.values():
        first, last = (sum(since_s <= at_s < since_s + 1 for at_s in peer.sent_s) for since_s in (100.0, 158.0))
        assert first >= 40 and 9 <= last <= 11
