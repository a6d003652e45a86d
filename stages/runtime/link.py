"""Sockets: the only file that imports zmq.

Capture and render each bind one ROUTER, everyone else connects a DEALER. Routing IDs stay unset, because a ROUTER takes
a second peer of the same name for the first; a `hello` says who speaks. Sends never block: what cannot be sent is lost
here and sent again by the rules of the core, which alone bound what is ever under way, so the high-water marks are off.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import zmq

from stages.core import limits
from stages.core.messages import Message, Refused, pack, unpack

MESSAGES_A_TURN = 8  # taken from one socket before the others get their turn
RECONNECT_MS = 10  # at first: everything is started at once, and binds within the first tenths of a second
RECONNECT_MOST_MS = 100  # a longer pause would be waited for whenever somebody binds later than the others
LINGER_MS = 500  # the last words of a process that ends; more would hang on a peer that has gone


class Link:
    """What a bound and a connecting socket have in common: sending, receiving and counting what is refused."""

    def __init__(self, context: zmq.Context, kind: int, listens_to: dict[str, type[Message]]):
        self.refused: Counter[str] = Counter()  # messages not taken, by reason
        self._listens_to = listens_to
        self._socket = context.socket(kind)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, limits.PART_BYTES)

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> Iterator[list[zmq.Frame]]:
        for _ in range(MESSAGES_A_TURN):
            # Asking costs a third of the exception that a receive without a message raises.
            if not self._socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
                return
            yield self._socket.recv_multipart(zmq.NOBLOCK, copy=False)

    def _unpack(self, frames: list[zmq.Frame]) -> Message | None:
        try:
            return unpack([frame.buffer for frame in frames], self._listens_to)
        except Refused as refusal:
            self.refused[str(refusal)[:80]] += 1
            # A peer that floods us with ever new nonsense must not fill the memory with its reasons.
            if len(self.refused) > 100:
                self.refused = Counter({"of many kinds": self.refused.total()})
            return None

    def _send(self, parts: list) -> bool:
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
            return True
        except (zmq.Again, zmq.error.ZMQError):
            return False  # Nobody is connected, or the peer has gone: the rules of the core send it again.


class Bound(Link):
    """The socket that capture and render bind; every peer has a name of its own for as long as it stays connected."""

    def __init__(self, context: zmq.Context, address: str, listens_to: dict[str, type[Message]]):
        super().__init__(context, zmq.ROUTER, listens_to)
        self._socket.setsockopt(
            zmq.ROUTER_MANDATORY, 1
        )  # Otherwise a message to a peer that has gone vanishes silently.
        self._socket.bind(address)

    def receive(self) -> Iterator[tuple[str, Message]]:
        """What has come: the connection it came from and the message; what is refused is counted."""
        for frames in self._receive():
            connection = frames[0].bytes.hex()
            message = self._unpack(frames[1:])
            if message is not None:
                yield connection, message

    def send(self, connection: str, message: Message) -> bool:
        """Whether the message is on its way; False: that connection is gone."""
        return self._send([bytes.fromhex(connection), *pack(message)])


class Connected(Link):
    """A socket connected to the bound one of a capture or of render."""

    def __init__(self, context: zmq.Context, address: str, listens_to: dict[str, type[Message]]):
        super().__init__(context, zmq.DEALER, listens_to)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # Otherwise messages pile up for a peer that is not there.
        self._socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MOST_MS)
        self._socket.connect(address)

    def receive(self) -> Iterator[Message]:
        """What has come; what is refused is counted."""
        for frames in self._receive():
            message = self._unpack(frames)
            if message is not None:
                yield message

    def send(self, message: Message) -> bool:
        """Whether the message is on its way; False: nobody is connected."""
        return self._send(pack(message))


class Links:
    """The sockets of one process, in one context, and waiting for all of them at once."""

    def __init__(self):
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._links: list[Link] = []
        self._waker: tuple[zmq.Socket, zmq.Socket] | None = None

    def bind(self, address: str, listens_to: dict[str, type[Message]]) -> Bound:
        return self._add(Bound(self._context, address, listens_to))

    def connect(self, address: str, listens_to: dict[str, type[Message]]) -> Connected:
        return self._add(Connected(self._context, address, listens_to))

    def waker(self) -> Waker:
        """A way for one other thread to end a `wait`."""
        waker = Waker(self._context)
        self._poller.register(waker.receiving, zmq.POLLIN)
        self._links.append(waker)
        return waker

    def wait(self, timeout_s: float) -> None:
        """Wait until something has come, at most so long."""
        self._poller.poll(max(0, timeout_s) * 1000)

    def close(self) -> None:
        for link in self._links:
            link.close()
        self._context.term()

    def _add(self, link):
        self._poller.register(link._socket, zmq.POLLIN)
        self._links.append(link)
        return link


class Waker:
    """Ends the wait of the thread that owns the links; `wake` may be called from one other thread."""

    def __init__(self, context: zmq.Context):
        self.receiving = context.socket(zmq.PAIR)
        self._sending = context.socket(zmq.PAIR)
        address = f"inproc://waker-{id(self)}"
        self.receiving.bind(address)
        self._sending.connect(address)
        self._sending.setsockopt(zmq.LINGER, 0)

    def wake(self) -> None:
        with contextlib.suppress(zmq.ZMQError):  # The process is ending and the socket is closed already.
            self._sending.send(b"", zmq.NOBLOCK)

    def clear(self) -> None:
        """Take the wakes that have come."""
        while self.receiving.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            self.receiving.recv(zmq.NOBLOCK)

    def close(self) -> None:
        self.receiving.close()
        self._sending.close()
