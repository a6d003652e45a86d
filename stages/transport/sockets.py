"""Sockets between the processes; nothing else but their security, in `curve.py`, imports zmq.

Capture and render each bind a ROUTER, everyone else connects a DEALER. Routing IDs stay unset, because a ROUTER takes
a second peer of the same name for the first; a `hello` says who speaks. Sends never block: what cannot be sent is lost
here and sent again by the rules of the core, which alone bound what is ever under way, so the high-water marks are off.

Within a machine the sockets are `ipc`. Between machines they are `tcp` with CURVE: whoever binds knows of every single
message from which host it is, and hears that host only for the stages that it has.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

import zmq

from ..errors import FacepipeError
from ..protocol import limits
from ..protocol.messages import Kinds, Message, Refused, pack, unpack
from .addresses import IPC, TCP, resolved
from .curve import FAILED_HANDSHAKES, Security, ZapAuthenticator, failed_handshakes
from .images import decoded
from .ring import Ring, RingReader

MESSAGES_A_TURN = 8  # taken from one socket before the others get their turn
RECONNECT_MS = 10  # at first: everything is started at once, and binds within the first tenths of a second
RECONNECT_MOST_MS = 100  # a longer pause would be waited for whenever somebody binds later than the others
LINGER_MS = 500  # the last words of a process that ends; more would hang on a peer that has gone
REASONS = 100  # kept apart of what is refused
HELD = 20  # messages that a subscriber may be behind: pictures may be in them
SENTENCES = 20  # said about who is refused

# Between machines: a connection on which nothing has been acknowledged for so long is given up and made anew, so that a
# cable that is plugged in again is found in about a second. TCP alone would wait longer and longer.
SILENT_MS = 10_000
CONNECT_MS = 2_000
# between two tries: who is refused at once must not cost the other more than a few handshakes a second
RECONNECT_TCP_MS = 100
HANDSHAKE_MS = 10_000
PING_MS = 2_000  # so that there is always something to be acknowledged
# A large picture on a slow line delays the answer to a ping that was sent behind it; it must not end the connection.
PONG_MS = 60_000


class SocketError(FacepipeError):
    """A socket cannot be opened."""


class Socket:
    """What a bound and a connecting socket have in common: sending, receiving and counting what is refused."""

    def __init__(self, listens_to: Kinds | None):
        """`listens_to`: what it receives; None: it only sends."""
        self.refused: Counter[str] = Counter()  # messages and peers not taken, by reason
        self.zmq_sockets: list[zmq.Socket] = []
        self._malformed: deque[tuple[dict, str]] = deque(maxlen=REASONS)
        self._listens_to = listens_to
        self._rings = RingReader()  # of the peers, on this machine
        self._ring: Ring | None = None  # our own, for peers that have said that they can read it

    def close(self) -> None:
        self._rings.close()
        for socket in self.zmq_sockets:
            socket.close()

    def share(self, ring: Ring) -> None:
        """Give peers that can read it their pictures by this ring."""
        self._ring = ring

    def _open(self, context: zmq.Context, kind: int, address: str) -> zmq.Socket:
        socket = context.socket(kind)
        self.zmq_sockets.append(socket)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, limits.PART_BYTES)
        if address.startswith(TCP):
            socket.setsockopt(zmq.IPV6, "[" in address)
            socket.setsockopt(zmq.TCP_MAXRT, SILENT_MS)
            socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_MS)
            socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
            socket.setsockopt(zmq.HEARTBEAT_IVL, PING_MS)
            socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, PONG_MS)
        return socket

    def _receive(self, socket: zmq.Socket) -> Iterator[list[zmq.Frame]]:
        for _ in range(MESSAGES_A_TURN):
            # Asking costs a third of the exception that a receive without a message raises.
            if not socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
                return
            yield socket.recv_multipart(zmq.NOBLOCK, copy=False)

    def _unpack(self, frames: list[zmq.Frame]) -> Message | None:
        try:
            message = unpack([frame.buffer for frame in frames], self._listens_to)
            return decoded(message, self._rings.read) if self._is_authorized(frames[0], message) else None
        except Refused as refusal:
            self._count(str(refusal)[:80])
            if refusal.header is not None and "grant" in refusal.header:
                self._malformed.append((refusal.header, str(refusal)[:200]))
            return None

    def malformed(self) -> list[tuple[dict, str]]:
        """What was refused since this was asked last, of what says whose answer it is: its header, and the reason."""
        refused = list(self._malformed)
        self._malformed.clear()
        return refused

    def _is_authorized(self, frame: zmq.Frame, message: Message) -> bool:
        return True  # Who is connected to one other only has proved whose it is.

    def _count(self, reason: str, times: int = 1) -> None:
        self.refused[reason] += times
        # A peer that floods us with ever new nonsense must not fill the memory with its reasons.
        if len(self.refused) > REASONS:
            self.refused = Counter({"of many kinds": self.refused.total()})

    def send_parts(self, socket: zmq.Socket, parts: list) -> bool:
        """Whether the parts are on their way through one of `zmq_sockets`."""
        try:
            socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
            return True
        except (zmq.Again, zmq.error.ZMQError):
            return False  # Nobody is connected, or the peer has gone: the rules of the core send it again.


class RouterSocket(Socket):
    """What capture and render bind; every peer has a name of its own for as long as it stays connected.

    A socket for each address: the processes of this machine need no key, those of others do.
    """

    remedy = "see hosts and port"  # where an address cannot be opened

    def __init__(
        self,
        listens_to: Kinds | None,
        security: Security | None,
        authenticator: ZapAuthenticator | None,
        say: Callable[[str], None],
    ):
        super().__init__(listens_to)
        self._security, self._authenticator, self._say = security, authenticator, say
        self._said: set[str] = set()
        self._monitors: list[zmq.Socket] = []
        self._beyond: list[bool] = []  # of each socket: whether its peers are on other machines
        self._reading: set[str] = set()  # connections whose peers can read our ring

    def open(self, context: zmq.Context, address: str) -> None:
        socket = self._open(context, zmq.ROUTER, address)
        # Of those who connect one must not fill the memory with what nobody has taken yet. Nothing is lost by it: it
        # waits in the sender, whose own mark is off.
        socket.setsockopt(zmq.RCVHWM, limits.QUEUED)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # Otherwise a message to a peer that has gone vanishes silently.
        self._beyond.append(address.startswith(TCP) and self._security is not None)
        self._bind(socket, address)

    def receive(self) -> Iterator[tuple[str, Message]]:
        """What has come: the connection it came from and the message; what is refused is counted."""
        for place, socket in enumerate(self.zmq_sockets):
            for frames in self._receive(socket):
                message = self._unpack(frames[1:])
                if message is not None:
                    yield f"{place}-{frames[0].bytes.hex()}", message
        self._count_rejected()

    def send(self, connection: str, message: Message) -> bool:
        """Whether the message is on its way; False: that connection is gone."""
        place, _, name = connection.partition("-")
        return self.send_parts(self.zmq_sockets[int(place)], [bytes.fromhex(name), *self.packed(message, connection)])

    def packed(self, message: Message, connection: str) -> list:
        """The parts of a message to that connection."""
        return pack(self._ring.shared(message) if self._ring is not None and connection in self._reading else message)

    def reads_ring(self, connection: str, reads: bool) -> None:
        """The peer has said whether it can read our ring."""
        if len(self._reading) >= limits.GREETED:
            self._reading.clear()  # Their pictures travel through the socket.
        (self._reading.add if reads else self._reading.discard)(connection)

    def open_ring(self, connection: str, address: tuple[int, int, str] | None) -> bool:
        """Open the ring that this peer has named; whether it can be read. One of another machine cannot."""
        return not self.is_beyond(connection) and self._rings.open(address)

    def is_beyond(self, connection: str) -> bool:
        """Whether the peer is on another machine."""
        return self._beyond[int(connection.partition("-")[0])]

    def close(self) -> None:
        for monitor in self._monitors:
            monitor.close()
        super().close()

    def _bind(self, socket: zmq.Socket, address: str) -> None:
        if address.startswith(TCP):
            family, (ip, port, *_) = resolved(address)
            if self._security is not None:
                self._security.secure_server(socket)
                self._monitors.append(socket.get_monitor_socket(FAILED_HANDSHAKES))
            # The option is asked for once more: a socket without it would take anybody for a friend.
            if socket.getsockopt(zmq.MECHANISM) != zmq.CURVE:
                _refuse_plain(ip)
            address = f"{TCP}[{ip}]:{port}" if ":" in ip else f"{TCP}{ip}:{port}"
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            raise SocketError(f"{address} cannot be opened: {zmq.strerror(error.errno)}; {self.remedy}.") from None
        if address.startswith(IPC):
            os.chmod(address.removeprefix(IPC), 0o600)  # Its folder keeps others out already.

    def _is_authorized(self, frame: zmq.Frame, message: Message) -> bool:
        if self._security is None:
            return True
        host = _host_of(frame) or self._security.host  # No key is asked for on this machine.
        if self._security.is_authorized(host, message):
            return True
        self._refuse(
            f"a {message.kind} that is not {host}'s to say",
            f"{host} says things of a stage that the configuration does not put there; they are refused",
        )
        return False

    def _count_rejected(self) -> None:
        if self._authenticator is None:
            return
        while not self._authenticator.rejected.empty():
            address = self._authenticator.rejected.get()
            self._refuse("a peer without a known key", f"a peer at {address} was refused: its key is not known")
        # Those whom the authenticator has rejected it has reported itself.
        failed = sum(failed_handshakes(monitor)[False] for monitor in self._monitors)
        if failed:
            self._refuse(
                "a peer that could not show a key",
                "a peer was refused: it has no key, or takes this machine for another one",
                failed,
            )

    def _refuse(self, reason: str, sentence: str, times: int = 1) -> None:
        self._count(reason, times)
        if sentence not in self._said and len(self._said) < SENTENCES:
            self._said.add(sentence)
            self._say(f"{sentence}.")


class PubSocket(RouterSocket):
    """What is published to everybody who listens. Who is slow loses messages, and holds nobody up."""

    remedy = "change render.publish"

    def __init__(self, security: Security | None, authenticator: ZapAuthenticator | None, say: Callable[[str], None]):
        super().__init__(None, security, authenticator, say)

    def open(self, context: zmq.Context, address: str) -> None:
        socket = self._open(context, zmq.PUB, address)
        socket.setsockopt(zmq.SNDHWM, HELD)
        socket.setsockopt(zmq.MAXMSGSIZE, limits.NAME_CHARACTERS * 8)  # What a subscriber says is a topic.
        before = os.umask(0o177) if address.startswith(IPC) else None  # At no moment may others connect to it.
        try:
            self._bind(socket, address)
        finally:
            if before is not None:
                os.umask(before)

    def send(self, parts: list[bytes]) -> None:
        """Send a message to those who keep up; who those are is not known."""
        self.send_parts(self.zmq_sockets[0], parts)
        self._count_rejected()


class DealerSocket(Socket):
    """A socket connected to the bound one of a capture or of render."""

    def __init__(self, listens_to: Kinds, security: Security | None, say: Callable[[str], None]):
        super().__init__(listens_to)
        self._security, self._say = security, say
        self._socket: zmq.Socket | None = None
        self._monitor: zmq.Socket | None = None
        self._address = ""
        self._is_read = False  # whether the peer can read our ring

    def open(self, context: zmq.Context, address: str) -> None:
        self._address = address
        self._socket = socket = self._open(context, zmq.DEALER, address)
        socket.setsockopt(zmq.IMMEDIATE, 1)  # Otherwise messages pile up for a peer that is not there.
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MOST_MS)
        if address.startswith(TCP):
            socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_TCP_MS)
            if self._security is not None:
                self._security.secure_client(socket, address)
                self._monitor = socket.get_monitor_socket(FAILED_HANDSHAKES)
            if socket.getsockopt(zmq.MECHANISM) != zmq.CURVE:
                _refuse_plain(address.removeprefix(TCP).rpartition(":")[0])
        socket.connect(address)

    def receive(self) -> Iterator[Message]:
        """What has come; what is refused is counted."""
        for frames in self._receive(self._socket):
            message = self._unpack(frames)
            if message is not None:
                yield message
        if self._monitor is not None and sum(failed_handshakes(self._monitor).values()):
            self._monitor = self._monitor.close()  # Said once.
            self._say(f"{self._address} refuses this machine: one of the two has not the key that the other one knows.")

    def close(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
        super().close()

    def send(self, message: Message) -> bool:
        """Whether the message is on its way; False: nobody is connected."""
        return self.send_parts(self._socket, self.packed(message))

    def packed(self, message: Message) -> list:
        """The parts of a message."""
        return pack(self._ring.shared(message) if self._ring is not None and self._is_read else message)

    def reads_ring(self, reads: bool) -> None:
        """The peer has said whether it can read our ring."""
        self._is_read = reads

    def open_ring(self, address: tuple[int, int, str] | None) -> bool:
        """Open the ring that the peer has named; whether it can be read. One of another machine cannot."""
        is_beyond = self._address.startswith(TCP) and self._security is not None
        return not is_beyond and self._rings.open(address)


class Transport:
    """The sockets of one process, in one context, and waiting for all of them at once."""

    def __init__(self, security: Security | None = None, say: Callable[[str], None] = lambda sentence: None):
        """`security`: the locks, where the run spans several machines; `say`: who is told about peers refused."""
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._sockets: list[Socket | Waker] = []
        self._security, self._say = security, say

    def bind(self, addresses: Iterable[str], listens_to: Kinds) -> RouterSocket:
        """Bind these addresses; raises `SocketError`, `CurveError`, and `RunDirectoryError` for an unknown name."""
        addresses = tuple(addresses)
        needs_authenticator = self._security is not None and any(address.startswith(TCP) for address in addresses)
        authenticator = self._security.start_authenticator(self._context) if needs_authenticator else None
        return self._add(RouterSocket(listens_to, self._security, authenticator, self._say), addresses)

    def broadcast(self, address: str) -> PubSocket:
        """Bind an address that others subscribe to; raises as `bind` does."""
        authenticator = self._security.start_authenticator(self._context) if self._security is not None else None
        return self._add(PubSocket(self._security, authenticator, self._say), [address])

    def connect(self, address: str, listens_to: Kinds) -> DealerSocket:
        """Connect to an address, whether or not somebody is there yet; raises `SocketError`."""
        return self._add(DealerSocket(listens_to, self._security, self._say), [address])

    def disconnect(self, dealer: DealerSocket) -> None:
        """Close a connection: nothing comes from there any more."""
        self._sockets.remove(dealer)
        for socket in dealer.zmq_sockets:
            self._poller.unregister(socket)
        dealer.close()

    def waker(self) -> Waker:
        """A way for one other thread to end a `wait`."""
        waker = Waker(self._context)
        self._poller.register(waker.receiving, zmq.POLLIN)
        self._sockets.append(waker)
        return waker

    def wait(self, timeout_s: float) -> None:
        """Wait until something has come, at most so long."""
        self._poller.poll(max(0, timeout_s) * 1000)

    def close(self) -> None:
        for member in self._sockets:
            member.close()
        self._context.term()

    def _add(self, member, addresses: Iterable[str]):
        self._sockets.append(member)
        for address in addresses:
            member.open(self._context, address)
        for socket in member.zmq_sockets:
            self._poller.register(socket, zmq.POLLIN)
        return member


class Waker:
    """Ends the wait of the thread that owns the transport; `wake` may be called from one other thread."""

    def __init__(self, context: zmq.Context):
        self.receiving = context.socket(zmq.PAIR)
        self._sending = context.socket(zmq.PAIR)
        address = f"inproc://waker-{id(self)}"
        self.receiving.bind(address)
        self._sending.connect(address)
        self._sending.setsockopt(zmq.LINGER, 0)

    def wake(self) -> None:
        """End the wait, now or when it begins."""
        with contextlib.suppress(zmq.ZMQError):  # The process is ending and the socket is closed already.
            self._sending.send(b"", zmq.NOBLOCK)

    def clear(self) -> None:
        """Take the wakes that have come."""
        while self.receiving.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            self.receiving.recv(zmq.NOBLOCK)

    def close(self) -> None:
        self.receiving.close()
        self._sending.close()


def _host_of(frame: zmq.Frame) -> str | None:
    """The host whose key the sender of a message has shown; None where no key was asked for."""
    try:
        return frame.get("User-Id") or None
    except zmq.ZMQError:
        return None


def _refuse_plain(ip: str) -> None:
    ip = ip.strip("[]")
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(ip).is_loopback:
            return
    raise SocketError(
        f"{ip} can be reached from other machines, and no socket is opened there without keys; name hosts."
    )
