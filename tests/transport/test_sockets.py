"""Sockets: who hears what, and what is refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import zmq

from stages.protocol.messages import TO_CAPTURE, TO_WORKER, Frame, Heartbeat, Welcome, kinds
from stages.transport.ring import Ring
from stages.transport.sockets import Transport

HEARTBEAT = Heartbeat(run="", stage="age", replica=0, incarnation=1, credit=2, finished=0)
WELCOME = Welcome(run="r", epoch=1, source="s")


@pytest.fixture
def transport():
    transport = Transport()
    yield transport
    transport.close()


def first(transport: Transport, socket):
    """The first message that comes, within five seconds."""
    for _ in range(500):
        for message in socket.receive():
            return message
        transport.wait(0.01)
    raise AssertionError("nothing came")


def send(socket, message) -> None:
    """Once there is a connection."""
    for _ in range(500):
        if socket.send(message):
            return
        threading.Event().wait(0.01)
    raise AssertionError("never connected")


def refused(transport: Transport, socket, messages: int) -> None:
    """So many messages are refused within five seconds, and no more."""
    for _ in range(500):
        if socket.refused.total() == messages:
            return
        list(socket.receive())
        transport.wait(0.01)
    raise AssertionError(socket.refused)


def pair(transport: Transport, tmp_path):
    address = f"ipc://{tmp_path}/capture"
    return transport.bind([address], kinds(*TO_CAPTURE)), transport.connect(address, kinds(*TO_WORKER))


def test_a_socket_is_its_owners_alone(transport, tmp_path):
    pair(transport, tmp_path)
    assert (tmp_path / "capture").stat().st_mode & 0o777 == 0o600


def test_a_worker_that_connects_is_heard_and_answered(transport, tmp_path):
    bound, connected = pair(transport, tmp_path)
    send(connected, HEARTBEAT)
    connection, heartbeat = first(transport, bound)
    assert (heartbeat.stage, heartbeat.credit) == ("age", 2)
    assert bound.send(connection, WELCOME)
    assert first(transport, connected).run == "r"


def test_sending_to_a_peer_that_has_gone_says_so_and_does_not_block(transport, tmp_path):
    bound, connected = pair(transport, tmp_path)
    send(connected, HEARTBEAT)
    connection, _ = first(transport, bound)
    connected.close()
    for _ in range(500):
        if not bound.send(connection, WELCOME):
            return
        threading.Event().wait(0.01)
    raise AssertionError("a message to nobody was taken")


def test_with_nobody_there_nothing_is_sent(transport, tmp_path):
    assert not transport.connect(f"ipc://{tmp_path}/nobody", {}).send(HEARTBEAT)


def test_what_is_refused_is_counted_and_the_good_message_behind_it_arrives(transport, tmp_path):
    bound, connected = pair(transport, tmp_path)
    send(connected, HEARTBEAT)
    first(transport, bound)
    unknown_peer = zmq.Context.instance().socket(zmq.DEALER)
    unknown_peer.connect(f"ipc://{tmp_path}/capture")
    for parts in ([b""], [b"\xc1" * 100], [b"\x80", b"x", b"y"], [b"\x91" * 100_000]):
        unknown_peer.send_multipart(parts)
    send(connected, HEARTBEAT)
    assert first(transport, bound)[1].stage == "age"
    refused(transport, bound, 4)
    unknown_peer.close(linger=0)


def test_reasons_without_end_are_kept_in_bounds(transport, tmp_path):
    bound, _ = pair(transport, tmp_path)
    stranger = zmq.Context.instance().socket(zmq.DEALER)
    stranger.connect(f"ipc://{tmp_path}/capture")
    for number in range(1000):
        stranger.send(b"\x82\xa1v\x01\xa4kind\xa4" + f"{number:04}".encode())
    refused(transport, bound, 1000)
    assert len(bound.refused) <= 101
    stranger.close(linger=0)


def test_another_thread_can_end_the_wait(transport):
    waker = transport.waker()
    threading.Timer(0.05, waker.wake).start()
    transport.wait(30)
    waker.clear()


@pytest.mark.parametrize("reads", [True, False], ids=["by shared memory", "through the socket"])
def test_a_picture_is_what_was_sent_on_either_way(transport, tmp_path, reads):
    bound, connected = pair(transport, tmp_path)
    ring = Ring(4, 10_000_000)
    bound.share(ring)
    send(connected, HEARTBEAT)
    connection, _ = first(transport, bound)
    bound.reads_ring(connection, reads and connected.open_ring(ring.address))
    pixels = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    task = Frame(run="r", epoch=1, source="s", frame=1, seq=1, attempt=1, skip=[], geometries=[], arrays=(pixels,))
    assert sum(len(part) for part in bound.packed(task, connection)) < 1000 or not reads
    assert bound.send(connection, task)
    assert np.array_equal(first(transport, connected).arrays[0], pixels)
    ring.close()
