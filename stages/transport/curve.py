"""Security of sockets between machines: CURVE, and the ZAP authenticator that asks every peer for a known key.

`link.py` and this file are the only ones that import zmq. With `curve_server` alone anybody gets in who knows the
server's public key, which is no secret; only an answer of the authenticator (ZAP, ZeroMQ RFC 27) says who may. It fails
closed: it stands before any socket is bound, a socket whose authenticator does not answer lets nobody in, and before a
process binds it tries a key that nobody knows.
"""

from __future__ import annotations

import ipaddress
import struct
import threading
from collections import Counter
from pathlib import Path
from queue import SimpleQueue

import zmq
from zmq.utils import z85

from ..config.placement import Placement
from ..config.settings import Settings
from ..errors import FacepipeError
from ..protocol.messages import Attribute, FaceCrops, Faces, Failed, Heartbeat, Isolated, Message, WorkerHello
from .addresses import resolved
from .keys import Keyring, KeysError, read_keys

DOMAIN = b"facepipe"
PROOF_S = 5.0  # what the first handshake may take on a busy machine
FAILED_HANDSHAKES = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


def is_beyond(address: str) -> bool:
    """Whether other machines could reach a `tcp` address; raises `RunDirectoryError` for a name that nobody knows."""
    return not ipaddress.ip_address(resolved(address)[1][0].partition("%")[0]).is_loopback


class CurveError(FacepipeError):
    """The security of a socket does not hold."""


def security_of(settings: Settings) -> Security | None:
    """The locks of a process; None where everything runs on one machine. Raises `KeysError`."""
    machines = settings.machines
    if machines is None:
        return None
    keyring = read_keys(Path(machines.keys), machines.host, settings.pipeline.hosts)
    if zmq.curve_public(keyring.secret) != keyring.own:
        raise KeysError(
            f"{machines.host}.secret and {machines.host}.public in {machines.keys} are no pair; copy both anew from"
            " where --make-keys made them."
        )
    return Security(keyring, machines.owners, Placement.of(settings.pipeline))


class Security:
    """The keys of this process, and who may say what to it."""

    def __init__(self, keyring: Keyring, owners: dict[str, str], placement: Placement):
        self.host = keyring.host
        self._keyring, self._owners, self._placement = keyring, owners, placement

    def is_authorized(self, host: str, message: Message) -> bool:
        """Whether a process on this host, whose key it has shown, can have said that."""
        return is_authorized(self._placement, host, message)

    def start_authenticator(self, context: zmq.Context) -> ZapAuthenticator:
        """Start asking for keys in this context, and prove that it does; raises `CurveError`."""
        authenticator = ZapAuthenticator(context, self._keyring)
        _prove(context, self, authenticator)
        return authenticator

    def secure_server(self, socket: zmq.Socket) -> None:
        """Let in whom the authenticator knows; to be called before the socket is bound."""
        socket.curve_server = True
        socket.curve_secretkey, socket.curve_publickey = self._keyring.secret, self._keyring.own
        socket.zap_domain = DOMAIN
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # Without an authenticator that answers nobody gets in.

    def secure_client(self, socket: zmq.Socket, address: str) -> None:
        """Speak only with the host that this address belongs to; to be called before the socket is connected."""
        socket.curve_serverkey = self._keyring.public[self._owners.get(address, self.host)]
        socket.curve_secretkey, socket.curve_publickey = self._keyring.secret, self._keyring.own


def is_authorized(placement: Placement, host: str, message: Message) -> bool:
    """Whether a process on this host can have said that; `message` is one that capture or render listens to."""
    match message:
        case WorkerHello():
            return message.host == host and placement.works(host, message.stage)
        case Heartbeat() | Attribute() | Failed():
            return placement.works(host, message.stage)
        case Faces() | FaceCrops():
            return placement.works(host, "detect")
        case Isolated():
            return host in placement.peers_of_captures()
        case _:  # Everything else is said by the capture of a source.
            return placement.reads(host, message.source)


class ZapAuthenticator:
    """Answers for every new peer whether its key is known, and whose it is; on a thread of its own.

    The host's name becomes the User-Id of every message of that peer. The thread ends with the context.
    """

    def __init__(self, context: zmq.Context, keyring: Keyring):
        self.rejected: SimpleQueue[str] = SimpleQueue()  # the address of everybody who was rejected
        self._keyring = keyring
        socket = context.socket(zmq.REP)
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind("inproc://zeromq.zap.01")
        threading.Thread(target=self._answer, args=(socket,), daemon=True).start()

    def _answer(self, socket: zmq.Socket) -> None:
        try:
            while True:
                asked = socket.recv_multipart()
                host = known_host(self._keyring, asked)
                if host is None:
                    self.rejected.put(b"".join(asked[3:4]).decode(errors="replace"))
                verdict = [b"200", b"", host.encode()] if host else [b"400", b"the key is not known", b""]
                socket.send_multipart([b"1.0", b"".join(asked[1:2]), *verdict, b""])
        except zmq.ContextTerminated:
            pass
        finally:
            socket.close()


def known_host(keyring: Keyring, asked: list[bytes]) -> str | None:
    """Whose key a peer has shown, by the frames of one request of ZAP; None: nobody's that may come in."""
    version, _, domain, _, _, mechanism, *credentials = [*asked, *[b""] * (6 - len(asked))]
    if (version, domain, mechanism) != (b"1.0", DOMAIN, b"CURVE") or [len(c) for c in credentials] != [32]:
        return None
    return keyring.host_of(z85.encode(credentials[0]))


def failed_handshakes(monitor: zmq.Socket) -> Counter[bool]:
    """How many came to nothing since this was asked last: by an authenticator's decision (True), or for want of a
    right key."""
    count: Counter[bool] = Counter()
    while monitor.getsockopt(zmq.EVENTS) & zmq.POLLIN:
        count[_event(monitor) == zmq.EVENT_HANDSHAKE_FAILED_AUTH] += 1
    return count


def _event(monitor: zmq.Socket) -> int:
    """What a monitor tells next; pyzmq's own function for it would load asyncio, in every process."""
    event, _ = struct.unpack_from("=HI", monitor.recv_multipart()[0])
    return event


def new_pair() -> tuple[bytes, bytes]:
    """A public and a secret key."""
    return zmq.curve_keypair()


def _prove(context: zmq.Context, security: Security, authenticator: ZapAuthenticator) -> None:
    """Try a key that nobody knows on a socket that is locked like all others: it must not get in."""
    with context.socket(zmq.ROUTER) as server, context.socket(zmq.DEALER) as peer:
        security.secure_server(server)
        monitor = server.get_monitor_socket(FAILED_HANDSHAKES | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        try:
            server.bind("tcp://127.0.0.1:*")
            peer.setsockopt(zmq.LINGER, 0)
            peer.curve_serverkey = security._keyring.own
            peer.curve_publickey, peer.curve_secretkey = new_pair()
            peer.connect(server.last_endpoint)
            came = monitor.poll(PROOF_S * 1000)
            if not came or _event(monitor) != zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise CurveError("a key that nobody knows was not refused, so no port is opened; say so to the makers.")
        finally:
            monitor.close()
    authenticator.rejected.get(timeout=PROOF_S)  # It has been counted, and was none.
