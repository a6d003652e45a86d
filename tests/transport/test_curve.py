"""Sockets between machines: who gets in, who does not, and what it costs the others. Hosts are loopback addresses."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from stages.config.load import read_config
from stages.config.placement import Placement
from stages.protocol.messages import TO_CAPTURE, TO_WORKER, Heartbeat, Welcome, WorkerHello, kinds
from stages.transport import curve
from stages.transport.curve import CurveError, Security, known_host, new_pair
from stages.transport.keys import KeysError, make_keys, read_keys
from stages.transport.ring import Ring
from stages.transport.sockets import DealerSocket, SocketError, Transport

PIPELINE = read_config(
    "hosts: {desk: {address: 127.0.0.1}, shed: {address: 127.0.0.2}}\nstages: {detect: {host: shed}, age: {}}", "p"
)
HOSTS = tuple(PIPELINE.hosts)
HEARTBEAT = Heartbeat(run="", stage="detect", replica=0, incarnation=1, credit=2)
LONGEST_S = 20.0


@pytest.fixture
def keys(tmp_path) -> Path:
    make_keys(tmp_path / "keys", HOSTS, new_pair)
    return tmp_path / "keys"


class Server:
    """A capture's socket on the host desk, bound for other machines."""

    def __init__(self, keys: Path):
        self.said: list[str] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.keys = keys
        self.transport = Transport(self.security("desk"), self.said.append)
        self.bound = self.transport.bind([self.address], kinds(*TO_CAPTURE))
        self.heard: list = []
        self.visitors: list[Transport] = []

    def security(self, host: str, keys: Path | None = None, **owners: str) -> Security:
        """Of a process on a host; `owners`: address -> host, for this server `desk` unless it is named."""
        keyring = read_keys(keys or self.keys, host, HOSTS)
        return Security(keyring, {self.address: "desk", **owners}, Placement.of(PIPELINE))

    def visit(self, security: Security | None, say=lambda sentence: None) -> DealerSocket:
        transport = Transport(security, say)
        self.visitors.append(transport)
        return transport.connect(self.address, kinds(*TO_WORKER))

    def until(self, happened, visitor: DealerSocket | None = None, message=HEARTBEAT) -> None:
        """Listen until it has happened; `visitor` says something again and again meanwhile, as workers do."""
        latest_s = time.monotonic() + LONGEST_S
        while not happened():
            assert time.monotonic() < latest_s, (self.heard, self.said, self.bound.refused)
            if visitor is not None:
                visitor.send(message)
            self.heard += self.bound.receive()
            self.transport.wait(0.02)

    def close(self) -> None:
        for transport in (*self.visitors, self.transport):
            transport.close()


@pytest.fixture
def server(keys):
    server = Server(keys)
    yield server
    server.close()


def assert_open_for_the_others(server: Server) -> None:
    friend = server.visit(server.security("shed"))
    server.until(lambda: server.heard, friend)
    assert server.heard[0][1].stage == "detect"


def test_a_host_with_its_key_gets_in_and_is_answered(server):
    friend = server.visit(server.security("shed"))
    server.until(lambda: server.heard, friend)
    connection, heartbeat = server.heard[0]
    assert heartbeat.stage == "detect"
    assert server.bound.send(connection, Welcome(run="r"))
    came: list = []
    server.until(lambda: came or came.extend(friend.receive()) or came)
    assert came[0].run == "r"
    assert (server.said, server.bound.refused.total()) == ([], 0)


def test_a_key_that_is_not_known_is_refused_and_said_once(server, tmp_path):
    make_keys(tmp_path / "theirs", HOSTS, new_pair)
    (tmp_path / "theirs/desk.public").write_bytes((server.keys / "desk.public").read_bytes())  # which is no secret
    for _ in range(3):
        server.visit(server.security("shed", tmp_path / "theirs"))
    server.until(lambda: server.bound.refused["a peer without a known key"] >= 3)
    assert server.heard == []
    assert server.said == ["a peer at 127.0.0.1 was refused: its key is not known."]
    assert_open_for_the_others(server)


def test_who_is_refused_is_told_so(server, tmp_path):
    make_keys(tmp_path / "theirs", HOSTS, new_pair)
    told: list[str] = []
    (tmp_path / "theirs/desk.public").write_bytes((server.keys / "desk.public").read_bytes())
    visitor = server.visit(server.security("shed", tmp_path / "theirs"), told.append)
    server.until(lambda: told or list(visitor.receive()))
    assert told == [f"{server.address} refuses this machine: one of the two has not the key that the other one knows."]


def test_a_key_that_was_replaced_is_no_longer_known(server, tmp_path):
    (server.keys / "old").mkdir(mode=0o700)
    for name in ("shed.secret", "shed.public"):
        (server.keys / name).rename(server.keys / "old" / name)
    (server.keys / "old/desk.public").write_bytes((server.keys / "desk.public").read_bytes())
    make_keys(server.keys, HOSTS, new_pair)
    newer = Server(server.keys)
    try:
        visitor = newer.visit(newer.security("shed", server.keys / "old"))
        newer.until(lambda: newer.bound.refused["a peer without a known key"] >= 1, visitor)
        assert newer.heard == []
        assert_open_for_the_others(newer)
    finally:
        newer.close()


def test_a_peer_without_a_key_is_refused(server):
    with zmq.Context() as context, context.socket(zmq.DEALER) as plain:
        plain.setsockopt(zmq.LINGER, 0)
        plain.connect(server.address)
        plain.send(b"let me in")
        server.until(lambda: server.bound.refused["a peer that could not show a key"] >= 1)
    assert server.heard == [] and server.bound.refused.keys() == {"a peer that could not show a key"}
    assert server.said == ["a peer was refused: it has no key, or takes this machine for another one."]
    assert_open_for_the_others(server)


def test_bytes_that_are_not_even_zeromq_are_refused(server):
    for noise in (b"GET / HTTP/1.1\r\n\r\n" * 100, b"\xff" * 10_000, b"\x00", bytes(range(256)) * 20):
        with socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2]))) as raw:
            raw.sendall(noise)
    assert_open_for_the_others(server)
    assert len({connection for connection, _ in server.heard}) == 1


def test_hundreds_that_connect_and_say_nothing_do_not_keep_a_host_out(server):
    port = int(server.address.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
    try:
        assert_open_for_the_others(server)
    finally:
        for peer in silent:
            peer.close()


def test_who_takes_this_machine_for_another_one_does_not_speak_with_it(server):
    server.visit(server.security("shed", **{server.address: "shed"}))
    server.until(lambda: server.bound.refused["a peer that could not show a key"] >= 1)
    assert server.heard == []


def test_a_host_is_not_heard_for_a_stage_that_the_configuration_does_not_put_there(server):
    visitor = server.visit(server.security("shed"))
    wrong = Heartbeat(run="", stage="age", replica=0, incarnation=1)
    reason = "a heartbeat that is not shed's to say"
    server.until(lambda: server.bound.refused[reason] >= 5, visitor, wrong)
    assert server.heard == []
    assert server.said == ["shed says things of a stage that the configuration does not put there; they are refused."]
    hello = WorkerHello(run="r", stage="detect", host="desk", replica=0, incarnation=1, card="ab")
    server.until(lambda: server.bound.refused["a hello that is not shed's to say"], visitor, hello)
    assert_open_for_the_others(server)


def test_within_a_machine_no_key_is_needed_and_the_same_rules_hold(keys, tmp_path):
    security = Security(read_keys(keys, "desk", HOSTS), {}, Placement.of(PIPELINE))
    transport = Transport(security)
    try:
        bound = transport.bind([f"ipc://{tmp_path}/capture"], kinds(*TO_CAPTURE))
        near = transport.connect(f"ipc://{tmp_path}/capture", kinds(*TO_WORKER))
        heard: list = []
        latest_s = time.monotonic() + LONGEST_S
        while not heard and time.monotonic() < latest_s:
            near.send(HEARTBEAT)  # detect is shed's
            near.send(Heartbeat(run="", stage="age", replica=0, incarnation=1))
            heard += bound.receive()
            transport.wait(0.02)
        assert {message.stage for _, message in heard} == {"age"}
    finally:
        transport.close()


def test_memory_is_not_shared_with_another_machine(server, keys):
    transport, ring = Transport(server.security("desk")), Ring(4, 10_000_000)
    assert not transport.connect(server.address, kinds(*TO_WORKER)).open_ring(ring.address)
    transport.close()
    ring.close()


# --- It fails closed ---


def test_an_authenticator_that_lets_anybody_in_is_noticed_before_a_port_is_opened(keys, monkeypatch):
    monkeypatch.setattr(curve, "known_host", lambda keyring, asked: "shed")
    transport = Transport(Security(read_keys(keys, "desk", HOSTS), {}, Placement.of(PIPELINE)))
    with pytest.raises(CurveError, match="a key that nobody knows was not refused"):
        transport.bind(["tcp://127.0.0.1:5999"], kinds(*TO_CAPTURE))
    transport.close()


def test_without_an_authenticator_nobody_gets_in(server, keys):
    with zmq.Context() as context, context.socket(zmq.ROUTER) as bound, context.socket(zmq.DEALER) as friend:
        server.security("desk").secure_server(bound)
        bound.bind("tcp://127.0.0.1:*")
        friend.setsockopt(zmq.LINGER, 0)
        address = bound.last_endpoint.decode()
        server.security("desk", **{address: "desk"}).secure_client(friend, address)
        friend.connect(address)
        friend.send(b"hello")
        assert not bound.poll(500)


@pytest.mark.parametrize(
    "asked",
    [
        [],
        [b"1.0"],
        [b"1.0", b"1", b"facepipe", b"", b"", b"CURVE"],
        [b"1.0", b"1", b"facepipe", b"", b"", b"CURVE", b"short"],
        [b"1.0", b"1", b"facepipe", b"", b"", b"CURVE", b"x" * 32],
        [b"1.0", b"1", b"facepipe", b"", b"", b"NULL"],
        [b"1.0", b"1", b"facepipe", b"", b"", b"PLAIN", b"desk", b"secret"],
        [b"1.0", b"1", b"", b"", b"", b"CURVE", b"x" * 32],
        [b"2.0", b"1", b"facepipe", b"", b"", b"CURVE", b"x" * 32],
    ],
    ids=repr,
)
def test_the_authenticator_knows_nobody_by_anything_but_a_known_key(keys, asked):
    assert known_host(read_keys(keys, "desk", HOSTS), asked) is None


@pytest.mark.parametrize("address", ["tcp://203.0.113.1:5600", "tcp://0.0.0.0:5600", "tcp://[fd00::1]:5600"])
def test_no_plain_socket_is_opened_to_other_machines(address):
    transport = Transport()
    with pytest.raises(SocketError, match="no socket is opened there without keys"):
        transport.bind([address], kinds(*TO_CAPTURE))
    with pytest.raises(SocketError, match="no socket is opened there without keys"):
        transport.connect(address, kinds(*TO_WORKER))
    transport.close()


def test_on_loopback_a_plain_socket_is_in_order_for_systems_without_ipc():
    transport = Transport()
    transport.bind(["tcp://127.0.0.1:5998"], kinds(*TO_CAPTURE))
    transport.close()


def test_keys_that_are_no_pair_are_refused(keys, tmp_path):
    from stages.plan import Plan

    make_keys(tmp_path / "theirs", HOSTS, new_pair)
    (keys / "desk.secret").write_bytes((tmp_path / "theirs/desk.secret").read_bytes())
    settings = Plan.of(replace(PIPELINE, keys=str(keys)), tmp_path, "desk").settings("render", 0)
    with pytest.raises(KeysError, match=r"desk\.secret and desk\.public in .* are no pair"):
        curve.security_of(settings)


def test_nothing_is_left_when_the_sockets_are_closed(keys):
    before = threading.active_count()
    server = Server(keys)
    server.close()
    latest_s = time.monotonic() + LONGEST_S
    while threading.active_count() > before and time.monotonic() < latest_s:
        threading.Event().wait(0.01)
    assert threading.active_count() == before
