"""Every socket is thrown random bytes, broken and hostile messages: they are counted, and good ones arrive."""

from __future__ import annotations

import contextlib
import socket
import time

import psutil
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from stages.protocol import limits
from stages.protocol.messages import (
    FROM_RENDER,
    TO_CAPTURE,
    TO_RENDER,
    TO_WORKER,
    Heartbeat,
    Refused,
    Welcome,
    kinds,
    unpack,
)
from stages.transport.sockets import Transport
from tests.fuzz.strategies import anything, damaged, monsters

HEARTBEAT = Heartbeat(run="good", stage="age", replica=0, incarnation=1)
WELCOME = Welcome(run="good")
LONGEST_S = 30.0


def bad(messages: tuple) -> st.SearchStrategy:
    """Multiparts for a socket that listens to these messages; now and then one of them is good after all."""
    return st.lists(anything | damaged(messages) | monsters, min_size=1, max_size=8)


def how_many_are_refused(multiparts: list[list[bytes]], listens_to) -> int:
    count = 0
    for parts in multiparts:
        try:
            unpack(parts, listens_to)
        except Refused:
            count += 1
    return count


def until(happened, socket) -> list:
    """Receive until it has happened."""
    came, latest_s = [], time.monotonic() + LONGEST_S
    while not happened(came):
        assert time.monotonic() < latest_s, came
        came += socket.receive()
        time.sleep(0.001)
    return came


@pytest.mark.hypothesis
@pytest.mark.parametrize("messages", [TO_CAPTURE, TO_RENDER], ids=["capture", "render"])
def test_a_bound_socket_counts_what_is_bad_and_hears_what_is_good(tmp_path, messages):
    transport, listens_to = Transport(), kinds(*messages)
    bound = transport.bind([f"ipc://{tmp_path}/bound"], listens_to)
    with zmq.Context() as context, context.socket(zmq.DEALER) as unknown_peer:
        unknown_peer.connect(f"ipc://{tmp_path}/bound")
        friend = transport.connect(f"ipc://{tmp_path}/bound", kinds(*TO_WORKER))

        @given(bad(messages))
        def throw(multiparts):
            before = bound.refused.total()
            for parts in multiparts:
                unknown_peer.send_multipart(parts)
            unknown_peer.send_multipart([b"", b"the last"])
            expected = how_many_are_refused(multiparts, listens_to) + 1
            until(lambda came: bound.refused.total() - before >= expected, bound)
            assert bound.refused.total() - before == expected
            friend.send(HEARTBEAT)
            until(lambda came: any(message.run == "good" for _, message in came), bound)
            assert len(bound.refused) <= 101

        until(lambda came: friend.send(HEARTBEAT) and came, bound)
        throw()
    transport.close()


@pytest.mark.hypothesis
@pytest.mark.parametrize("messages", [TO_WORKER, FROM_RENDER], ids=["of capture", "of render"])
def test_a_connected_socket_counts_what_is_bad_and_hears_what_is_good(tmp_path, messages):
    transport, listens_to = Transport(), kinds(*messages)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as unknown_peer:
        unknown_peer.bind(f"ipc://{tmp_path}/bound")
        socket = transport.connect(f"ipc://{tmp_path}/bound", listens_to)
        latest_s = time.monotonic() + LONGEST_S
        while not socket.send(HEARTBEAT):
            assert time.monotonic() < latest_s
        name = unknown_peer.recv_multipart()[0]

        @given(bad(messages))
        def throw(multiparts):
            before = socket.refused.total()
            for parts in multiparts:
                unknown_peer.send_multipart([name, *parts])
            unknown_peer.send_multipart([name, b"", b"the last"])
            expected = how_many_are_refused(multiparts, listens_to) + 1
            until(lambda came: socket.refused.total() - before >= expected, socket)
            assert socket.refused.total() - before == expected

        throw()
    transport.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="sockets of Unix")
def test_a_thousand_peers_that_say_nothing_or_leave_in_the_middle_cost_files_only_while_they_are_there(tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip("this system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    me, transport = psutil.Process(), Transport()
    bound = transport.bind([f"ipc://{tmp_path}/bound"], kinds(*TO_CAPTURE))
    files, memory = me.num_fds(), me.memory_info().rss
    with contextlib.ExitStack() as left:
        for number in range(1000):
            peer = left.enter_context(socket.socket(socket.AF_UNIX))
            peer.connect(f"{tmp_path}/bound")
            if number % 2:
                peer.sendall(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03"[: number % 12])  # a greeting of ZeroMQ, cut off
        friend = transport.connect(f"ipc://{tmp_path}/bound", kinds(*TO_WORKER))
        latest_s = time.monotonic() + LONGEST_S
        while not friend.send(HEARTBEAT):
            assert time.monotonic() < latest_s
        until(lambda came: came, bound)
    latest_s = time.monotonic() + LONGEST_S
    while me.num_fds() > files + 20 and time.monotonic() < latest_s:
        list(bound.receive())
        time.sleep(0.05)
    assert me.num_fds() <= files + 20
    assert me.memory_info().rss < memory + 60_000_000
    transport.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="sockets of Unix")
@pytest.mark.parametrize("announced", [limits.PART_BYTES + 1, 2**62, 2**64 - 1])
def test_a_part_that_announces_more_than_any_may_have_ends_its_connection_before_it_comes(tmp_path, announced):
    transport, me = Transport(), psutil.Process()
    bound = transport.bind([f"ipc://{tmp_path}/bound"], kinds(*TO_CAPTURE))
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 32)
    ready = b"\x05READY\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER"
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(LONGEST_S)
        peer.connect(f"{tmp_path}/bound")
        memory = me.memory_info().rss
        peer.sendall(greeting + bytes([4, len(ready)]) + ready)
        peer.sendall(b"\x02" + announced.to_bytes(8, "big") + b"x" * 1000)
        with contextlib.suppress(ConnectionResetError):
            while peer.recv(4096):  # Greeting and READY of the other side, then its end.
                pass
    friend = transport.connect(f"ipc://{tmp_path}/bound", kinds(*TO_WORKER))
    until(lambda came: friend.send(HEARTBEAT) and came, bound)
    assert me.memory_info().rss < memory + 20_000_000
    transport.close()


def test_peers_that_come_and_go_without_end_leave_nothing_behind(tmp_path):
    transport = Transport()
    bound = transport.bind([f"ipc://{tmp_path}/bound"], kinds(*TO_CAPTURE))
    me = psutil.Process()

    def come_and_go(times: int) -> None:
        for _ in range(times):
            with zmq.Context() as context, context.socket(zmq.DEALER) as unknown_peer:
                unknown_peer.setsockopt(zmq.LINGER, 1000)
                unknown_peer.connect(f"ipc://{tmp_path}/bound")
                unknown_peer.send(b"nothing")
                heard = bound.refused.total() + 1
                until(lambda came, heard=heard: bound.refused.total() >= heard, bound)

    come_and_go(30)
    files, memory = me.num_fds(), me.memory_info().rss
    come_and_go(150)
    assert me.num_fds() <= files + 10
    assert me.memory_info().rss < memory + 20_000_000
    transport.close()
