"""Posts the events of a run to a server, signed, until it has taken them.

The signature is that of Standard Webhooks (standardwebhooks.com), for which there are libraries in many languages.
Written with http.client: it follows no redirect, and no client library has a limit for a request as a whole.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ..backoff import Backoff
from ..errors import reason
from .ending import Ending
from .endpoints import Hook, verified
from .link import Link
from .outbox import Message, Outbox
from .troubles import why_unreachable

LOOK_S = 0.2  # how soon a new event is noticed
ANSWER_BYTES = 65_536  # of an answer that are read, so that the connection can be used again; a longer one closes it
# These are about the event itself, and will be the same tomorrow. All else may be mended at the server: an address, a
# secret or a path that is wrong must not empty the queue.
REFUSED = {400, 409, 410, 413, 414, 415, 422, 431}
SECRET_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request."""

    status: int | None = None  # None: no answer
    trouble: str = ""  # why not, in words of a sentence
    retry_after_s: float | None = None


class WebhookSender:
    """Posts events, one request after the other."""

    def __init__(self, hook: Hook, outbox: Outbox, say: Callable[[str], None]):
        """`say` is told what a person should know."""
        self._hook, self.outbox, self._say = hook, outbox, say
        self._connection = _Connection(hook)
        self._has_refused = False
        self.link = Link(f"the webhook {hook.name} at {hook.shown}", say)

    def run(self, ending: Ending) -> None:
        """Post until the end."""
        backoff, was_asked = Backoff(), False
        while not ending.is_past:
            now_s = time.monotonic()
            self.outbox.save(now_s)
            messages = self.outbox.take(self._hook.batch, now_s)
            if not messages:
                if ending.is_asked or (ending.with_run and self.outbox.is_over):
                    break
                ending.wait(LOOK_S)
                continue
            was_asked = ending.is_asked
            body = json.dumps({"events": [message.body for message in messages]}).encode()
            answer = self._connection.post(_id_of(messages), body, min(self._hook.timeout_s, ending.left_s))
            if self._is_taken(answer, messages, body):
                backoff.succeeded()
                continue
            self.outbox.rewind()
            self.outbox.save(time.monotonic(), at_once=True)
            if was_asked:
                break  # It was tried once more, and the events stay where they are.
            ending.wait(backoff.failed(answer.retry_after_s))
        self._connection.close()
        self.outbox.save(time.monotonic(), at_once=True)

    def _is_taken(self, answer: Answer, messages: list[Message], body: bytes) -> bool:
        """Whether these events need not be sent again."""
        if answer.status is None:
            self.link.fails(answer.trouble)
            return False
        if 200 <= answer.status < 300:
            self.link.works()
            self._confirm(messages)
            return True
        if answer.status not in REFUSED:
            self.link.fails(f"answers {_said(answer.status)}")
            return False
        try:
            path = self.outbox.set_aside(body + b"\n")
        except OSError as error:
            self.link.fails(f"refuses events, which cannot be set aside: {reason(error)}")
            return False
        if not self._has_refused:
            self._has_refused = True
            self._say(f"{self.link.name} refuses events with {_said(answer.status)}; they are kept in {path}.")
        self._confirm(messages, refused=True)
        return True

    def _confirm(self, messages: list[Message], refused: bool = False) -> None:
        for message in messages:
            self.outbox.confirm(message, refused)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: `v1,` and the HMAC-SHA256, in base64, of ID, time and body.

    A secret that begins with `whsec_` is base64, as Standard Webhooks has it; any other one is its own bytes.
    """
    key = secret.encode()
    if secret.startswith(SECRET_PREFIX):
        with suppress(ValueError):
            key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    signed = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed).decode()


class _Connection:
    """A connection to the server, kept as long as both like."""

    def __init__(self, hook: Hook):
        self._hook = hook
        self._url = urlsplit(hook.url)
        self._http: http.client.HTTPConnection | None = None

    def post(self, message_id: str, body: bytes, within_s: float) -> Answer:
        """Send one request, and take its answer; never raises for what a server does."""
        was_open = self._http is not None
        answer = self._try(message_id, body, within_s)
        if answer.status is None and was_open and isinstance(self._broken, ConnectionError):
            answer = self._try(message_id, body, within_s)  # It had closed a connection that nobody used: no failure.
        return answer

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def _try(self, message_id: str, body: bytes, within_s: float) -> Answer:
        self._broken: Exception | None = None
        try:
            if self._http is None:
                self._http = self._opened(within_s)
            self._http.sock.settimeout(within_s)
            with _limited(self._http.sock, within_s):
                if isinstance(self._http.sock, ssl.SSLSocket):
                    self._http.sock.do_handshake()  # Does nothing on a connection that has had it.
                self._http.request("POST", self._target, body, self._headers(message_id, body))
                return self._answer(self._http.getresponse())
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.close()
            self._broken = error
            return Answer(trouble=why_unreachable(error))

    def _opened(self, within_s: float) -> http.client.HTTPConnection:
        host, is_tls = self._url.hostname, self._url.scheme == "https"
        port = self._url.port or (http.client.HTTPS_PORT if is_tls else http.client.HTTP_PORT)
        connection = http.client.HTTPConnection(host, port)
        connection.default_port = http.client.HTTPS_PORT if is_tls else http.client.HTTP_PORT  # For the Host header.
        connection.sock = socket.create_connection((host, port), within_s)
        # Head and body are two writes: without it, the second one waits 40 ms for the acknowledgement of the first.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_tls:
            # The handshake comes later: it may trickle, too.
            context = verified(self._hook.ca)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host, do_handshake_on_connect=False)
        return connection

    @property
    def _target(self) -> str:
        return (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")

    def _headers(self, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(time.time())  # The wall clock: the server compares it with its own, against replays.
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facepipe",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
        }
        if self._hook.secret is not None:
            headers["webhook-signature"] = signature(self._hook.secret, message_id, timestamp, body)
        return headers

    def _answer(self, response: http.client.HTTPResponse) -> Answer:
        read = response.read(ANSWER_BYTES)
        if len(read) == ANSWER_BYTES or response.will_close:
            self.close()
        return Answer(response.status, retry_after_s=_seconds(response.getheader("Retry-After")))


class _limited:
    """Within it the connection is cut when the time is over: a server that trickles would stay below every timeout."""

    def __init__(self, sock: socket.socket, within_s: float):
        self._timer = threading.Timer(within_s, self._cut, [sock])
        self._timer.daemon, self._is_cut = True, False

    def _cut(self, sock: socket.socket) -> None:
        self._is_cut = True
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, kind, error, trace) -> None:
        self._timer.cancel()
        if self._is_cut:
            raise TimeoutError from error


def _id_of(messages: list[Message]) -> str:
    """The ID of a request: that of its event, or one made of theirs."""
    if len(messages) == 1:
        return messages[0].event_id
    joined = "\0".join(message.event_id for message in messages)
    return hashlib.blake2b(joined.encode(), digest_size=12).hexdigest()


def _seconds(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header, which is a number of them or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _said(status: int) -> str:
    words = http.client.responses.get(status)
    return f"{status} {words}" if words else str(status)
