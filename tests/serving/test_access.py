"""Who is answered, how often, and what becomes of clients that would hold others up."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from stages.serving.accept import preferred
from stages.serving.access import Refused, check
from stages.serving.rate import RateLimit
from tests.browser import until
from tests.serving.server import PROJECT, Server, all_of

TOKEN = "0123456789abcdef"
OFFERED = ("application/json", "image/jpeg")


def is_let_in(path: str = "/v1/analyze", token: str | None = None, **headers: str) -> bool:
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    try:
        check(path, sent, token)
    except Refused:
        return False
    return True


def test_without_a_token_only_names_of_this_machine_are_answered():
    assert all(is_let_in(Host=host) for host in ("127.0.0.1:8040", "localhost", "[::1]:8040", "LOCALHOST:1"))
    assert not any(is_let_in(Host=host) for host in ("evil.example", "127.0.0.1.evil.example", "", "[", "0.0.0.0"))
    assert not is_let_in(), "no name at all"


def test_pages_of_other_sites_are_refused():
    assert is_let_in(Host="localhost:8040", Origin="http://localhost:8040")
    for origin in ("http://evil.example", "null", "http://localhost:1", "http://localhost:8040.evil.example"):
        assert not is_let_in(Host="localhost:8040", Origin=origin)
        assert not is_let_in(Host="localhost:8040", Origin=origin, token=TOKEN, Authorization=f"Bearer {TOKEN}")


def test_with_a_token_any_name_is_answered_and_nobody_without_it():
    assert is_let_in(Host="camera.lan", token=TOKEN, Authorization=f"Bearer {TOKEN}")
    assert is_let_in(Host="camera.lan", token=TOKEN, Authorization=f"bearer {TOKEN}")
    for wrong in ("", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"):
        assert not is_let_in(Host="camera.lan", token=TOKEN, Authorization=wrong)
    assert not is_let_in(Host="camera.lan", token=TOKEN)
    assert is_let_in("/healthz", Host="camera.lan", token=TOKEN)


def test_a_rate_holds_on_average_and_allows_a_burst():
    rate = RateLimit(per_s=10)
    assert [rate.wait_s("10.0.0.1", 100.0) for _ in range(20)] == [0.0] * 20
    assert rate.wait_s("10.0.0.1", 100.0) == pytest.approx(0.1)
    assert rate.wait_s("10.0.0.2", 100.0) == 0.0
    assert rate.wait_s("10.0.0.1", 100.1) == 0.0
    assert sum(rate.wait_s("10.0.0.1", 100.1 + i / 1000) == 0.0 for i in range(10_000)) == pytest.approx(100, abs=2)


def test_a_machine_with_many_addresses_of_ipv6_has_one_rate():
    rate = RateLimit(per_s=1)
    waits = [rate.wait_s(f"2001:db8::{number:x}", 0.0) for number in range(3)]
    assert waits[:2] == [0.0, 0.0]
    assert waits[2] > 0


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("image/jpeg", "image/jpeg"),
        ("image/*, */*;q=0.1", "image/jpeg"),
        ("application/json;q=0.2, image/jpeg;q=0.3", "image/jpeg"),
        ("*/*, application/json;q=0", "image/jpeg"),
        ("text/html", None),
        ("image/jpeg;q=nonsense", None),
    ],
)
def test_the_kind_of_answer_is_what_the_client_prefers(accept, kind):
    assert preferred(accept, OFFERED) == kind


# --- A real server ---


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("starlette", reason="the extra serve is not installed")
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    folder = tmp_path_factory.mktemp("server")
    (folder / "token").write_text(TOKEN + "\n")
    options = ("--host", "0.0.0.0", "--token", f"file:{folder / 'token'}", "--clients", "8", "--timeout", "2")
    with Server(folder, *options) as server:
        yield server


def test_the_token_is_asked_for_and_said_nowhere(server):
    refused = server.get("/v1/sources")
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert server.get("/v1/sources", Authorization=f"Bearer {TOKEN[:-1]}").status == 401
    assert server.get("/v1/sources", Authorization=f"Bearer {TOKEN}").status == 200
    assert {server.get(path).status for path in ("/healthz", "/readyz", "/openapi.json", "/docs")} == {200}
    server.raw(f"GET /{TOKEN} NONSENSE\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()).close()
    assert TOKEN not in server.said
    command_line = Path(f"/proc/{server.process.pid}/cmdline")
    assert not command_line.exists() or TOKEN not in command_line.read_text()


def test_a_body_that_does_not_arrive_in_time_is_given_up(server):
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 1000\r\n\r\n"
    with server.raw(head.encode() + b"x") as connection:
        assert all_of(connection).startswith(b"HTTP/1.1 408 ")


def test_connections_that_say_nothing_make_room_for_others(server):
    with ExitStack() as silent:
        for _ in range(30):
            silent.enter_context(server.raw(b"GET /healthz"))
        assert server.get("/healthz").status == 200


def test_a_request_that_is_never_finished_is_ended(server):
    began_s = time.monotonic()
    with server.raw(b"GET /healthz HTTP/1.1\r\nX: ") as connection:
        connection.settimeout(60)
        assert all_of(connection) == b""
    assert time.monotonic() - began_s > 5


def test_a_client_that_never_reads_is_cut_off_and_holds_up_nobody(server):
    """It asks for a page again and again; what it is sent fills its buffer, then the system's, then ours."""
    psutil = pytest.importorskip("psutil")
    process = psutil.Process(server.process.pid)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with connection:
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(1)
        before = process.memory_info().rss

        def is_cut_off() -> bool:
            try:
                connection.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            except TimeoutError:
                return False
            except OSError:
                return True
            return False

        until(is_cut_off, "the end of a connection that is not read from")
        assert process.memory_info().rss - before < 20_000_000
    assert server.get("/healthz").status == 200


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head(server):
    """With Nagle's algorithm each answer but the first takes the 40 ms of a delayed acknowledgement."""
    connection, took_s = server.connect(), []
    for _ in range(20):
        began_s = time.monotonic()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        took_s.append(time.monotonic() - began_s)
    connection.close()
    assert min(took_s[5:]) < 0.03


def test_too_many_requests_a_second_get_429_and_when_to_come_back(tmp_path):
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    with Server(tmp_path, "--rate", "1") as server:
        answers = [server.get("/healthz") for _ in range(10)]
        assert answers[0].status == 200
        refused = next(answer for answer in answers if answer.status == 429)
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json["error"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_server_though_clients_are_there(tmp_path, number, status):
    with Server(tmp_path) as server, server.raw(b"GET /healthz"):
        assert server.get("/healthz").status == 200
        server.process.send_signal(number)
        assert server.process.wait(30) == status
        assert "Traceback" not in server.said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "--token"),
        (["--host", "nowhere.invalid", "--token", "file:token"], "nowhere.invalid"),
        (["--token", TOKEN], "env:NAME"),
        (["--token", "env:NOT_SET"], "NOT_SET"),
        (["--token", "file:short"], "16"),
        (["--token", "file:missing"], "missing"),
        (["--port", "70000"], "70000"),
        (["--megapixels", "nan"], "nan"),
        (["--clients", "0"], "0"),
        (["--config", "missing.yaml"], "missing.yaml"),
        (["--set", "nonsense=1"], "nonsense"),
        (["--detector", "nonsense"], "nonsense"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_sentence(tmp_path, options, words):
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "short").write_text("short")
    command = [sys.executable, "-P", "-m", "stages.serve", *options]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(PROJECT)})
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert words in ended.stderr
