"""Fault injection, as the configuration's `chaos` asks for it: messages that are late, lost, doubled or corrupt, and
processes that end, hang or fail at a frame. Off unless it does.
"""

from __future__ import annotations

import heapq
import os
import random
import time
from collections.abc import Callable

from ..config.schema import Chaos
from ..config.settings import Settings
from ..protocol.generations import Life
from .curve import Security
from .sockets import DealerSocket, RouterSocket, Transport

OVERTAKEN_S = 0.05  # how long a message waits that later ones are to overtake
ON_ITS_WAY_S = 0.2  # what a message needs to have left this process


class FaultInjector:
    """The faults of one process. Pure: one seed, stage, replica and life give the same draws again."""

    def __init__(self, chaos: Chaos, stage: str, replica: int, life: Life):
        self._chaos = chaos
        self._random = random.Random(f"{chaos.seed} {stage} {replica} {life}")
        self._due_s = 0.0

    def schedule(self, now_s: float) -> list[tuple[float, bool]]:
        """When the next message is to be sent, and whether it is to be corrupt: not at all, once or twice."""
        chaos, draw = self._chaos, self._random.random
        if draw() < chaos.drop:
            return []
        # Late, but in order: that is what a slow network does.
        self._due_s = max(self._due_s, now_s + 2 * chaos.delay * draw())
        is_corrupt = draw() < chaos.corrupt
        due_s = self._due_s + (OVERTAKEN_S if draw() < chaos.reorder else 0.0)
        return [(due_s, is_corrupt)] * (2 if draw() < chaos.duplicate else 1)

    def corrupt(self, header: bytes) -> bytes:
        """The header, cut off somewhere.

        Not with a byte changed: a number that becomes another one is a message like any other, and would be believed.
        """
        return header[: self._random.randrange(len(header))]

    @property
    def slow_s(self) -> float:
        """How much longer a frame takes."""
        return self._chaos.slow

    def crashes_between(self, frame: int) -> bool:
        """Whether the process ends when it has given the first of its two answers to this frame."""
        return frame in self._chaos.crash_between

    def fault_at(self, frame: int) -> str | None:
        """What this frame does to the process: "crash", "hang", "fail" or nothing."""
        if frame in self._chaos.crash_at or self._random.random() < self._chaos.crash:
            return "crash"
        if frame in self._chaos.hang_at:
            return "hang"
        return "fail" if frame in self._chaos.fail_at else None


def injector_of(settings: Settings) -> FaultInjector | None:
    """The faults of this process; None where there are none to be."""
    chaos = settings.pipeline.chaos.get(settings.stage)
    if chaos is None or (chaos.once and settings.life):
        return None
    return FaultInjector(chaos, settings.stage, settings.replica, settings.life)


def open_transport(injector: FaultInjector | None, security: Security | None, say: Callable[[str], None]) -> Transport:
    """The sockets of a process, with these faults; the rest as `Transport` takes it."""
    return Transport(security, say) if injector is None else FaultyTransport(injector, security, say)


def inject(injector: FaultInjector | None, frame: int) -> None:
    """Do to this process what the frame does to it, if anything; raises `RuntimeError` where it is to fail."""
    if injector is not None and injector.slow_s:
        time.sleep(injector.slow_s)
    match injector and injector.fault_at(frame):
        case "crash":
            os.abort()
        case "hang":
            time.sleep(1e6)
        case "fail":
            raise RuntimeError("chaos asks for a failure at this frame")


def inject_between(injector: FaultInjector | None, frame: int) -> None:
    """End this process between its two answers to a frame, the first on its way, if the frame does that to it."""
    if injector is not None and injector.crashes_between(frame):
        time.sleep(ON_ITS_WAY_S)
        os.abort()


class FaultyTransport(Transport):
    """Sockets whose messages are late, lost, doubled or corrupt."""

    def __init__(self, injector: FaultInjector, security: Security | None, say: Callable[[str], None]):
        super().__init__(security, say)
        self._injector = injector
        # a heap: when, in which order, which socket, which of its ZeroMQ sockets, which parts
        self._late: list[tuple] = []
        self._order = 0

    def bind(self, *arguments) -> _FaultySocket:
        return _FaultySocket(super().bind(*arguments), self)

    def connect(self, *arguments) -> _FaultySocket:
        return _FaultySocket(super().connect(*arguments), self)

    def wait(self, timeout_s: float) -> None:
        self._send_what_is_due()
        until_next_s = self._late[0][0] - time.monotonic() if self._late else timeout_s
        super().wait(min(timeout_s, until_next_s))
        self._send_what_is_due()

    def send(self, socket: RouterSocket | DealerSocket, place: int, address: list[bytes], parts: list) -> bool:
        """Send with the faults that are drawn for it; False where a message that was sent at once found nobody."""
        now_s, arrived = time.monotonic(), True
        for due_s, is_corrupt in self._injector.schedule(now_s):
            whole = [*address, self._injector.corrupt(parts[0]) if is_corrupt else parts[0], *parts[1:]]
            if due_s <= now_s:
                arrived = socket.send_parts(socket.zmq_sockets[place], whole) and arrived
            else:
                self._order += 1
                heapq.heappush(self._late, (due_s, self._order, socket, place, whole))
        return arrived

    def _send_what_is_due(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, socket, place, parts = heapq.heappop(self._late)
            socket.send_parts(socket.zmq_sockets[place], parts)


class _FaultySocket:
    """A socket whose messages go through the fault injector of its process."""

    def __init__(self, socket: RouterSocket | DealerSocket, transport: FaultyTransport):
        self._socket, self._transport = socket, transport

    def __getattr__(self, name: str) -> object:
        return getattr(self._socket, name)

    def send(self, *connection_and_message) -> bool:
        *connection, message = connection_and_message
        place, _, name = connection[0].partition("-") if connection else ("0", "", "")
        return self._transport.send(
            self._socket,
            int(place),
            [bytes.fromhex(name)] if connection else [],
            self._socket.packed(message, *connection),
        )
