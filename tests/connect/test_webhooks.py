"""What a server gets that events are posted to, and what its answers do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from stages.connect.webhook import signature
from tests.browser import until
from tests.connect.broker import certificates
from tests.connect.run_folder import Sending, WrittenRun, appeared, left

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    return WrittenRun(tmp_path / "run")


class Server:
    """Keeps what is posted, and answers with the next of `answers`, then with 204."""

    def __init__(self, *answers: int | tuple[int, dict[str, str]]):
        self.requests: list[tuple[dict[str, str], bytes, float]] = []  # headers, body, when
        self.answers = list(answers)
        self.always: int | None = None
        self.url = ""

    @property
    def people(self) -> list[int]:
        """Those in events that were taken."""
        return [event["id"] for event in self.events]

    @property
    def events(self) -> list[dict]:
        return [event for body in self.taken for event in json.loads(body)["events"]]

    taken: list[bytes]

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        self.requests.append((headers, body, time.monotonic()))
        answer = self.always or (self.answers.pop(0) if self.answers else 204)
        status, more = answer if isinstance(answer, tuple) else (answer, {})
        if 200 <= status < 300:
            self.taken.append(body)
        return status, more


@contextmanager
def server(*answers: int | tuple[int, dict[str, str]], context: ssl.SSLContext | None = None, port: int = 0):
    told = Server(*answers)
    told.taken = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):  # noqa: N802  the library's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, more = told.answer({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            for name, value in {**more, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as http:
        http.daemon_threads = True
        if context:
            http.socket = context.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        told.url = f"http{'s' if context else ''}://127.0.0.1:{http.server_port}/hook/very-secret"
        try:
            yield told
        finally:
            http.shutdown()
            thread.join()


def to(url: str, more: str = "") -> str:
    return f"webhooks: {{yard: {{url: '{url}'{more}}}}}\n"


def test_each_event_is_posted_once_and_the_sender_ends_with_the_run(run):
    run.appends(appeared(1), left(1))
    run.ends()
    with server() as there, Sending(run.path, to(there.url)) as sending:
        assert sending.ends() == 0
        assert [(event["event"], event["id"]) for event in there.events] == [("appeared", 1), ("left", 1)]
        assert [headers["webhook-id"] for headers, _, _ in there.requests] == [e["event_id"] for e in there.events]
        assert "2 events sent, 0 waiting" in sending.said and "very-secret" not in sending.said


def test_a_request_is_signed_as_standard_webhooks_has_it(tmp_path, run):
    run.appends(appeared(1))
    run.ends()
    key = b"a key of some length"
    (tmp_path / "key").write_text(f"whsec_{base64.b64encode(key).decode()}\n")
    with server() as there, Sending(run.path, to(there.url, ", secret: file:key")) as sending:
        assert sending.ends() == 0
        [(headers, body, _)] = there.requests
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_the_example_of_the_documentation_verifies_a_request_and_refuses_a_changed_one():
    page = (PROJECT / "docs/connect.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    exec(example, names := {})
    now = int(time.time())
    headers = {"webhook-id": "1", "webhook-timestamp": str(now), "webhook-signature": signature("key", "1", now, b"{}")}
    names["verify"](b"key", headers, b"{}")
    for secret, body in ((b"key", b"{ }"), (b"another", b"{}")):
        with pytest.raises(ValueError):
            names["verify"](secret, headers, body)
    with pytest.raises(ValueError):
        names["verify"](b"key", {**headers, "webhook-timestamp": str(now - 600)}, b"{}")


def test_the_signature_of_the_example_in_the_specification():
    # standardwebhooks, "Example signature": the secret, ID, time and body there.
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_server_in_trouble_gets_everything_later_in_its_order(run):
    run.appends(*map(appeared, range(30)))
    run.ends()
    with server(500, 503, 404) as there, Sending(run.path, to(there.url, ", batch: 10")) as sending:
        assert sending.ends() == 0
        assert there.people == list(range(30))
        assert len(there.requests) == 6, "the first batch four times"
        assert len({headers["webhook-id"] for headers, _, _ in there.requests}) == 3
        waits_s = [later - earlier for (*_, earlier), (*_, later) in pairwise(there.requests[:4])]
        assert waits_s[0] > 0.7 and waits_s[2] > 1.4 * waits_s[0], "each time longer"
        assert "answers 500 Internal Server Error; events wait" in sending.said


def test_retry_after_is_honoured(run):
    run.appends(appeared(1))
    run.ends()
    with server((429, {"Retry-After": "3"})) as there, Sending(run.path, to(there.url)) as sending:
        assert sending.ends() == 0
        [(*_, first), (*_, second)] = there.requests
    assert second - first >= 3


def test_what_a_server_refuses_for_good_is_set_aside_and_the_next_event_is_sent(run):
    run.appends(appeared(1), appeared(2))
    run.ends()
    with server(422) as there, Sending(run.path, to(there.url)) as sending:
        assert sending.ends() == 0
        assert there.people == [2]
        assert "1 events sent, 1 refused, 0 waiting" in sending.said
    [kept] = (run.path / ".facepipe.connect" / "webhook-yard.refused.jsonl").read_text().splitlines()
    assert [event["id"] for event in json.loads(kept)["events"]] == [1]


def test_a_redirect_is_not_followed(run):
    run.appends(appeared(1))
    with server() as elsewhere, server() as there:
        there.always = 302
        there.answer = lambda headers, body: (
            (there.requests.append((headers, body, 0.0)), 302)[1:] + ({"Location": elsewhere.url},)
        )
        with Sending(run.path, to(there.url)) as sending:
            sending.says("answers 302 Found; events wait")
            assert elsewhere.requests == []


def test_a_server_that_fails_for_long_costs_no_memory_and_no_event(run):
    run.appends(*map(appeared, range(200)))
    with server() as there:
        there.always = 500
        with Sending(run.path, to(there.url)) as sending:
            sending.says("answers 500")
            before = psutil.Process(sending.process.pid).memory_info().rss
            run.appends(*map(appeared, range(200, 50_000)))  # 3 MB that wait
            until(lambda: len(there.requests) >= 3, "three attempts")
            grown = psutil.Process(sending.process.pid).memory_info().rss - before
            assert grown < 3_000_000
            assert sending.said.count("answers 500") == 1, "said once"
            sending.kill()
        there.always = None
        with Sending(run.path, to(there.url, ", batch: 100")):
            until(lambda: len(there.taken) >= 500, "all of them")
        assert there.people[:50_000] == list(range(50_000))


def test_only_the_events_that_are_asked_for_are_posted(run):
    run.appends(appeared(1), left(1), appeared(2), left(2))
    run.ends()
    with server() as there, Sending(run.path, to(there.url, ", events: [left]")) as sending:
        assert sending.ends() == 0
        assert [event["event"] for event in there.events] == ["left", "left"]


def test_a_server_that_trickles_is_given_up_in_time(run):
    run.appends(appeared(1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def trickle() -> None:
            visitor, _ = listening.accept()
            with visitor:
                visitor.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.1):
                    try:
                        visitor.sendall(b"a")
                    except OSError:
                        return

        threading.Thread(target=trickle, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with Sending(run.path, to(url, ", timeout: 1")) as sending:
            sending.says("does not answer in time")
        over.set()


@pytest.mark.parametrize("answer", [b"not HTTP at all\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"])
def test_nonsense_is_said_and_tried_again(run, answer):
    run.appends(appeared(1))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    visitor, _ = listening.accept()
                    with visitor:
                        visitor.recv(10_000)
                        visitor.sendall(answer)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        with Sending(run.path, to(f"http://127.0.0.1:{listening.getsockname()[1]}/")) as sending:
            if b"200" in answer:
                until(lambda: (run.path / ".facepipe.connect" / "webhook-yard.json").exists(), "it is taken")
            else:
                sending.says("events wait in events.jsonl")
            assert sending.process.poll() is None and "Traceback" not in sending.said


def test_tls_is_verified(tmp_path, run):
    run.appends(appeared(1))
    made = certificates(tmp_path / "certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made / "server.pem", made / "server.key")
    with server(context=context) as there:
        with Sending(run.path, to(there.url)) as sending:
            sending.says("has a certificate that is not trusted")
            assert there.requests == []
        run.ends()
        with Sending(run.path, to(there.url, ", ca: certificates/ca.pem")) as sending:
            assert sending.ends() == 0
            assert there.people == [1]


def test_a_file_that_was_replaced_is_sent_from_its_beginning_and_what_is_the_same_has_its_id(run):
    run.appends(appeared(1), appeared(2))
    with server() as there, Sending(run.path, to(there.url)) as sending:
        until(lambda: there.people == [1, 2], "both")
        run.events.unlink()
        run.appends(appeared(1), appeared(7), appeared(8))
        sending.says("is not the file that was read before")
        until(lambda: there.people == [1, 2, 1, 7, 8], "all of the new file")
        ids = [event["event_id"] for event in there.events]
    assert ids[0] == ids[2] and len(set(ids)) == 4
