"""Sockets between machines: who gets in, who does not, and what it costs the others. Hosts are loopback addresses."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from stages.core.messages import TO_CAPTURE, TO_WORKER, Beat, Welcome, WorkerHello, kinds
from stages.core.placement import Placement
from stages.core.reading import read_config
from stages.runtime import curve
from stages.runtime.curve import LockError, Security, known_host, new_pair
from stages.runtime.keys import KeysError, make_keys, read_keys
from stages.runtime.link import Connected, LinkError, Links

PIPELINE = read_config(
    "hosts: {desk: {address: 127.0.0.1}, shed: {address: 127.0.0.2}}\nstages: {detect: {host: shed}, age: {}}", "p"
)
HOSTS = tuple(PIPELINE.hosts)
BEAT = Beat(run="", stage="detect", replica=0, incarnation=1, room=2)
LONGEST_S = 20.0


@pytest.fixture
def keys(tmp_path) -> Path:
    make_keys(tmp_path / "keys", HOSTS, new_pair)
    return tmp_path / "keys"


class Door:
    """A capture's socket on the host desk, bound for other machines."""

    def __init__(self, keys: Path):
        self.said: list[str] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.keys = keys
        self.links = Links(self.security("desk"), self.said.append)
        self.bound = self.links.bind([self.address], kinds(*TO_CAPTURE))
        self.heard: list = []
        self.visitors: list[Links] = []

    def security(self, host: str, keys: Path | None = None) -> Security:
        return Security(read_keys(keys or self.keys, host, HOSTS), {self.address: "desk"}, Placement.of(PIPELINE))

    def visit(self, security: Security | None, say=lambda sentence: None) -> Connected:
        links = Links(security, say)
        self.visitors.append(links)
        return links.connect(self.address, kinds(*TO_WORKER))

    def until(self, happened, visitor: Connected | None = None, message=BEAT) -> None:
        """Listen until it has happened; `visitor` says something again and again meanwhile, as workers do."""
        latest_s = time.monotonic() + LONGEST_S
        while not happened():
            assert time.monotonic() < latest_s, (self.heard, self.said, self.bound.refused)
            if visitor is not None:
                visitor.send(message)
            self.heard += self.bound.receive()
            self.links.wait(0.02)

    def close(self) -> None:
        for links in (*self.visitors, self.links):
            links.close()


@pytest.fixture
def door(keys):
    door = Door(keys)
    yield door
    door.close()


def assert_open_for_the_others(door: Door) -> None:
    friend = door.visit(door.security("shed"))
    door.until(lambda: door.heard, friend)
    assert door.heard[0][1].stage == "detect"


def test_a_host_with_its_key_gets_in_and_is_answered(door):
    friend = door.visit(door.security("shed"))
    door.until(lambda: door.heard, friend)
    connection, beat = door.heard[0]
    assert beat.stage == "detect"
    assert door.bound.send(connection, Welcome(run="r"))
    came: list = []
    door.until(lambda: came or came.extend(friend.receive()) or came)
    assert came[0].run == "r"
    assert (door.said, door.bound.refused.total()) == ([], 0)


def test_a_key_that_is_not_known_is_refused_and_said_once(door, tmp_path):
    make_keys(tmp_path / "theirs", HOSTS, new_pair)
    (tmp_path / "theirs/desk.public").write_bytes((door.keys / "desk.public").read_bytes())  # which is no secret
    for _ in range(3):
        door.visit(door.security("shed", tmp_path / "theirs"))
    door.until(lambda: door.bound.refused["a peer without a known key"] >= 3)
    assert door.heard == []
    assert door.said == ["a peer at 127.0.0.1 was refused: its key is not known."]
    assert_open_for_the_others(door)


def test_who_is_refused_is_told_so(door, tmp_path):
    make_keys(tmp_path / "theirs", HOSTS, new_pair)
    told: list[str] = []
    (tmp_path / "theirs/desk.public").write_bytes((door.keys / "desk.public").read_bytes())
    visitor = door.visit(door.security("shed", tmp_path / "theirs"), told.append)
    door.until(lambda: told or list(visitor.receive()))
    assert told == [f"{door.address} refuses this machine: one of the two has not the key that the other one knows."]


def test_a_key_that_was_replaced_is_no_longer_known(door, tmp_path):
    old = door.security("shed")
    for name in ("shed.secret", "shed.public"):
        (door.keys / name).unlink()
    make_keys(door.keys, HOSTS, new_pair)
    newer = Door(door.keys)
    try:
        old._owners = {newer.address: "desk"}
        visitor = newer.visit(old)
        newer.until(lambda: newer.bound.refused["a peer without a known key"] >= 1, visitor)
        assert newer.heard == []
        assert_open_for_the_others(newer)
    finally:
        newer.close()


def test_a_peer_without_a_key_is_refused(door):
    with zmq.Context() as context, context.socket(zmq.DEALER) as plain:
        plain.setsockopt(zmq.LINGER, 0)
        plain.connect(door.address)
        plain.send(b"let me in")
        door.until(lambda: door.bound.refused["a peer that could not show a key"] >= 1)
    assert door.heard == [] and door.bound.refused.keys() == {"a peer that could not show a key"}
    assert door.said == ["a peer was refused: it has no key, or takes this machine for another one."]
    assert_open_for_the_others(door)


def test_bytes_that_are_not_even_zeromq_are_refused(door):
    for noise in (b"GET / HTTP/1.1\r\n\r\n" * 100, b"\xff" * 10_000, b"\x00", bytes(range(256)) * 20):
        with socket.create_connection(("127.0.0.1", int(door.address.rpartition(":")[2]))) as raw:
            raw.sendall(noise)
    assert_open_for_the_others(door)
    assert len({connection for connection, _ in door.heard}) == 1


def test_hundreds_that_connect_and_say_nothing_do_not_keep_a_host_out(door):
    port = int(door.address.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
    try:
        assert_open_for_the_others(door)
    finally:
        for peer in silent:
            peer.close()


def test_who_takes_this_machine_for_another_one_does_not_speak_with_it(door):
    visitor = door.security("shed")
    visitor._owners = {door.address: "shed"}
    door.visit(visitor)
    door.until(lambda: door.bound.refused["a peer that could not show a key"] >= 1)
    assert door.heard == []


def test_a_host_is_not_heard_for_a_stage_that_the_configuration_does_not_put_there(door):
    visitor = door.visit(door.security("shed"))
    wrong = Beat(run="", stage="age", replica=0, incarnation=1)
    reason = "a beat that is not shed's to say"
    door.until(lambda: door.bound.refused[reason] >= 5, visitor, wrong)
    assert door.heard == []
    assert door.said == ["shed says things of a stage that the configuration does not put there; they are refused."]
    hello = WorkerHello(run="r", stage="detect", host="desk", replica=0, incarnation=1, card="ab")
    door.until(lambda: door.bound.refused["a hello that is not shed's to say"], visitor, hello)
    assert_open_for_the_others(door)


def test_within_a_machine_no_key_is_needed_and_the_same_rules_hold(keys, tmp_path):
    security = Security(read_keys(keys, "desk", HOSTS), {}, Placement.of(PIPELINE))
    links = Links(security)
    try:
        bound = links.bind([f"ipc://{tmp_path}/capture"], kinds(*TO_CAPTURE))
        near = links.connect(f"ipc://{tmp_path}/capture", kinds(*TO_WORKER))
        heard: list = []
        latest_s = time.monotonic() + LONGEST_S
        while not heard and time.monotonic() < latest_s:
            near.send(BEAT)  # detect is shed's
            near.send(Beat(run="", stage="age", replica=0, incarnation=1))
            heard += bound.receive()
            links.wait(0.02)
        assert {message.stage for _, message in heard} == {"age"}
    finally:
        links.close()


# --- It fails closed ---


def test_a_gate_that_lets_anybody_in_is_noticed_before_a_port_is_opened(keys, monkeypatch):
    monkeypatch.setattr(curve, "known_host", lambda keyring, asked: "shed")
    links = Links(Security(read_keys(keys, "desk", HOSTS), {}, Placement.of(PIPELINE)))
    with pytest.raises(LockError, match="a key that nobody knows was not refused"):
        links.bind(["tcp://127.0.0.1:5999"], kinds(*TO_CAPTURE))
    links.close()


def test_without_a_gate_nobody_gets_in(door, keys):
    security = door.security("desk")
    with zmq.Context() as context, context.socket(zmq.ROUTER) as bound, context.socket(zmq.DEALER) as friend:
        security.lock_server(bound)
        bound.bind("tcp://127.0.0.1:*")
        friend.setsockopt(zmq.LINGER, 0)
        address = bound.last_endpoint.decode()
        security._owners = {address: "desk"}
        security.lock_client(friend, address)
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
def test_the_gate_knows_nobody_by_anything_but_a_known_key(keys, asked):
    assert known_host(read_keys(keys, "desk", HOSTS), asked) is None


@pytest.mark.parametrize("address", ["tcp://203.0.113.1:5600", "tcp://0.0.0.0:5600", "tcp://[fd00::1]:5600"])
def test_no_plain_socket_is_opened_to_other_machines(address):
    links = Links()
    with pytest.raises(LinkError, match="no socket is opened there without keys"):
        links.bind([address], kinds(*TO_CAPTURE))
    with pytest.raises(LinkError, match="no socket is opened there without keys"):
        links.connect(address, kinds(*TO_WORKER))
    links.close()


def test_on_loopback_a_plain_socket_is_in_order_for_systems_without_ipc():
    links = Links()
    links.bind(["tcp://127.0.0.1:5998"], kinds(*TO_CAPTURE))
    links.close()


def test_keys_that_are_no_pair_are_refused(keys, tmp_path):
    from stages.plan import Plan

    make_keys(tmp_path / "theirs", HOSTS, new_pair)
    (keys / "desk.secret").write_bytes((tmp_path / "theirs/desk.secret").read_bytes())
    settings = Plan.of(replace(PIPELINE, keys=str(keys)), tmp_path, "desk").settings("render", 0)
    with pytest.raises(KeysError, match=r"desk\.secret and desk\.public in .* are no pair"):
        curve.security_of(settings)


def test_nothing_is_left_when_the_links_are_closed(keys):
    before = threading.active_count()
    door = Door(keys)
    door.close()
    latest_s = time.monotonic() + LONGEST_S
    while threading.active_count() > before and time.monotonic() < latest_s:
        threading.Event().wait(0.01)
    assert threading.active_count() == before
