"""The web server of a run: a thread of its own in render, with an event loop of its own.

What render does is leave the newest frame here, and a small copy of what can be looked back at, and go on. Everything
else happens in the thread, and only while somebody looks. A browser is sent one message, with the picture and what is
new, and the next one when it says that it has drawn it: one that is slow gets fewer, one that stands still gets none,
and nothing is kept for either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from importlib.resources import files

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ...frames import FinishedFrame
from ...protocol.rates import Snapshot
from .access import LIVE, MOVED, RequestRefused, asked_for, is_loopback
from .feed import FILM, KEPT, ViewerFeed
from .listening import WebError, listening, own_address
from .viewer import MESSAGE_BYTES, NotUnderstood, Viewer

_log = logging.getLogger(__name__)

VIEWERS = 16  # browsers at once; each is drawn for, if its switches are its own
CONNECTIONS = 64  # with those that have not said yet what they want
_OPENING_S = 5.0  # they have so long to say it
_PING_S = 10.0  # a browser that answers no ping for so long is gone
_APART_S = 1 / 40  # between two messages to a browser
_HEARS_S = 1 / 200  # between two messages of a browser: one that talks without end must not take render's time
_WATCHES_S = 2.0  # one that has drawn nothing for so long does not look
_COMES_S = 60.0  # so long a run waits for a first viewer of finished pictures
_COMES_BACK_S = 3.0  # a browser that reloads the page is away for a moment
_CLOSING_S = 0.5
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_HEADERS = {
    # Nothing is loaded from elsewhere, and no other page may embed this one.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Web:
    """Serves the page. All methods are for the thread that made it, and return at once."""

    def __init__(
        self,
        *,
        host: str,
        ports: Iterable[int],
        token: str,
        sources: Sequence[str],
        stages: Mapping[str, int],
        style: str,
        blur: str,
        run: str,
        life: int,
        stays: bool,
        records: bool = False,
    ):
        """Bind and serve; raises `WebError` where that cannot be.

        ports: the page is at the first of them that is free. token: what an address must begin with where others than
        this machine reach it. sources: the names that are known already; they have their tabs from the beginning.
        stages: how many processes each has, in order, `detect` first. style: of `annotate`. blur: what is done to faces
        already. run: its name; a page that finds another run in its place begins anew. life: number of this incarnation
        of render, higher than those before. stays: whether the last of still pictures is waited at. records: whether a
        browser may begin and end recordings.
        """
        self._socket = listening(host, ports)
        own = self._socket.getsockname()[0]
        self._token = "" if is_loopback(own) else token
        self._port = self._socket.getsockname()[1]
        self._host = own_address(self._socket.family) if own in ("0.0.0.0", "::") else host
        self._feed = ViewerFeed(sources, stages, style, blur, run, life, records)
        self._stays, self._records = stays, records
        self._recorded: frozenset[str] = frozenset()  # the sources of which a recording is wanted
        self._recorded_lock = threading.Lock()  # around its changes, by browsers and by render
        self._refused: Counter[str] = Counter()
        self._connections: dict[_Connection, None] = {}  # in the order of their coming
        self._viewers: dict[int, tuple[Viewer, asyncio.Event]] = {}
        self._may_come_until_s = time.monotonic() + _COMES_S
        self._static = {file.name: file.read_bytes() for file in (files(__package__) / "static").iterdir()}
        self._loop, self._over = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The one that it has of those it could have."""
        return self._port

    @property
    def address(self) -> str:
        """Where the page is, for a person; it holds the token."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/" + (f"{self._token}/" if self._token else "")

    @property
    def refused(self) -> Counter[str]:
        """Requests, connections and messages not taken, by reason."""
        return Counter(dict(self._refused))  # A copy, made in one go: the thread goes on counting.

    @property
    def is_watched(self) -> bool:
        """Whether anybody looks: a browser in the background draws nothing."""
        now_s = time.monotonic()
        viewers = [viewer for viewer, _ in list(self._viewers.values())]
        return any(viewer.ready or now_s - viewer.sent_s < _WATCHES_S for viewer in viewers)

    def waits_for(self, source: str) -> bool:
        """Whether a person looks at the last picture of a source that is no video, or may still come to do so."""
        somebody = bool(self._viewers) or time.monotonic() < self._may_come_until_s
        return self._stays and somebody and self._feed.is_still(source)

    def finished(self, frame: FinishedFrame, to_anonymize: Sequence | None, live: bool = False) -> None:
        """A frame is in the outputs.

        to_anonymize: boxes of faces, where a viewer wants them hidden; None: unknown.
        """
        self._feed.finished(frame, to_anonymize, live)
        self._wake()

    def forget(self, source: str) -> None:
        """A source does not belong to the run any more: its tab and its picture go."""
        self._feed.forget(source)
        self._wake()

    def preview(self, frame: FinishedFrame) -> None:
        """The newest picture of a live source, with the faces of the newest that has been analysed."""
        self._feed.preview(frame)
        self._wake()

    def told(
        self, source: str, snapshot: Snapshot, dropped: Mapping[tuple[str, str], int], restarts: dict[str, int]
    ) -> None:
        """How the run goes; `dropped`: frames by stage and reason; `restarts`: how often, by stage.

        Raises `WebError` where the page is served no longer.
        """
        if not self._thread.is_alive():
            raise WebError("its server has ended; the log of render says why")
        self._feed.told(source, snapshot, dropped, restarts)
        self._wake()

    def happened(self, event: dict, said: str, frame: FinishedFrame) -> None:
        """Something happened that is in events.jsonl: its line there, its answers in words, and the frame.

        To be called before `finished` with this frame.
        """
        self._feed.happened(event, said, frame)

    def wants_recorded(self, source: str) -> bool:
        """Whether somebody has asked for a recording of a source that has not been ended."""
        return source in self._recorded

    def recorded(self, source: str, file: str | None, since: float, failure: str | None = None) -> None:
        """A recording goes on since a time, in seconds since 1970; or it is complete, in `file`; or it failed."""
        if failure:
            self._want_recorded(source, False)
        self._feed.recorded(source, {"since": since, "file": file, "failure": failure})
        self._wake()

    def close(self) -> None:
        """End all connections: the run is over."""
        with contextlib.suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_CLOSING_S)

    def _wake(self) -> None:
        if self._viewers:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell_viewers)

    # --- In the thread ---

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        silent = logging.getLogger("facepipe.web")
        silent.disabled = True  # A peer that speaks no HTTP is counted, not logged.
        options = {
            "compression": None,  # A JPEG becomes no smaller.
            "create_connection": partial(_Connection, self._connections, self._refused),
            "max_size": MESSAGE_BYTES,
            "max_queue": 4,
            "open_timeout": _OPENING_S,
            "close_timeout": _CLOSING_S,
            "ping_interval": _PING_S,
            "ping_timeout": _PING_S,
            "server_header": None,
            "logger": silent,
        }
        async with serve(self._talk, sock=self._socket, process_request=self._answer, **options) as server:
            await self._over.wait()
            server.close(code=1001, reason="over")

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request; None for a browser that wants to be told live."""
        try:
            if request.method != "GET":
                raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, "a request that is no GET")
            name = asked_for(request.path, _once(request.headers), self._token, self._has)
            if name == LIVE and len(self._viewers) >= VIEWERS:
                raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "one too many at once")
        except RequestRefused as refused:
            _count(self._refused, str(refused))
            return _response(refused.status, "text/plain", f"{refused.sentence}\n".encode())
        if name == LIVE:
            return None
        if name.startswith(KEPT):
            return _found("image/jpeg", self._feed.kept(name))
        if name.startswith(FILM):
            return _found("application/json", self._feed.film(name))
        if name == MOVED:
            moved = _response(HTTPStatus.PERMANENT_REDIRECT, "text/plain", b"")
            moved.headers["Location"] = f"/{self._token}/"
            return moved
        return _response(HTTPStatus.OK, _TYPES[name.rpartition(".")[2]], self._static[name])

    def _has(self, name: str) -> bool:
        return name in self._static or name.startswith((KEPT, FILM))

    async def _talk(self, connection: ServerConnection) -> None:
        viewer, waking = Viewer(ready=True), asyncio.Event()
        self._viewers[id(viewer)] = viewer, waking
        waking.set()
        sending = asyncio.create_task(self._send(connection, viewer, waking))
        try:
            async for message in connection:
                try:
                    viewer.receive(message, self._feed.attributes, self._feed.sources)
                    self._record(viewer)
                except NotUnderstood as reason:
                    _count(self._refused, str(reason))
                    if viewer.is_beyond_hope:
                        await connection.close(1008, "too many messages that make no sense")
                waking.set()
                await asyncio.sleep(_HEARS_S)
        except ConnectionClosed as closed:
            if closed.sent and closed.sent.code == 1009:
                _count(self._refused, "a message that is too long")
        finally:
            del self._viewers[id(viewer)]
            self._may_come_until_s = time.monotonic() + _COMES_BACK_S
            sending.cancel()

    def _record(self, viewer: Viewer) -> None:
        """Begin or end the recording that a browser has asked for."""
        wanted, viewer.records = viewer.records, None
        if wanted is None or viewer.source is None:
            return
        if not self._records:
            raise NotUnderstood("a recording, which is not allowed")
        self._want_recorded(viewer.source, wanted)

    def _want_recorded(self, source: str, wanted: bool) -> None:
        with self._recorded_lock:
            self._recorded = self._recorded | {source} if wanted else self._recorded - {source}

    async def _send(self, connection: ServerConnection, viewer: Viewer, waking: asyncio.Event) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await waking.wait()
                waking.clear()
                if viewer.ready and (message := self._message(viewer)):
                    viewer.ready, viewer.sent_s = False, time.monotonic()
                    await connection.send(message)
                    await asyncio.sleep(_APART_S)  # A file that is read faster than life is not shown so.

    def _message(self, viewer: Viewer) -> bytes | None:
        try:
            return self._feed.message(viewer)
        except Exception:  # A defect of ours; the stage's log has it, and the run goes on.
            _log.exception("a viewer gets no message")
            return None

    def _tell_viewers(self) -> None:
        for _, waking in self._viewers.values():
            waking.set()


class _Connection(ServerConnection):
    """A connection that counts."""

    def __init__(self, every: dict[_Connection, None], refused: Counter[str], *arguments: object, **options: object):
        super().__init__(*arguments, **options)
        self._every, self._refused = every, refused
        self._has_spoken = False

    def data_received(self, data: bytes) -> None:
        self._has_spoken = True
        super().data_received(data)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if len(self._every) >= CONNECTIONS:
            _count(self._refused, "a connection too many")
            # A browser sends its request at once: the connection that has been silent for longest makes room.
            goes = next((other for other in self._every if other.request is None), self)
            goes.transport.abort()
            if goes is self:
                return
            del self._every[goes]
        self._every[self] = None

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._every:
            del self._every[self]
            # Browsers open a connection to have one at hand, and close it again without a word.
            if self._has_spoken and self.request is None and self.protocol.handshake_exc is not None:
                _count(self._refused, "what is no HTTP")
        super().connection_lost(error)


def _count(refused: Counter[str], reason: str) -> None:
    refused[f"from a browser: {reason}"] += 1


def _found(kind: str, body: bytes | None) -> Response:
    """What may be gone: the oldest are, and a page may still list them. So it is not counted."""
    if body is None:
        return _response(HTTPStatus.NOT_FOUND, "text/plain", b"Not Found\n")
    return _response(HTTPStatus.OK, kind, body)


def _response(status: HTTPStatus, kind: str, body: bytes) -> Response:
    encoding = "" if kind == "image/jpeg" else "; charset=utf-8"
    plain = {"Content-Type": f"{kind}{encoding}", "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status.value, status.phrase, Headers({**plain, **_HEADERS}), body)


def _once(headers: Headers) -> dict[str, str]:
    """The headers that decide, with what is said twice as one text that fits nothing."""
    return {name: ", ".join(headers.get_all(name)) for name in ("Host", "Origin", "Sec-Fetch-Site") if name in headers}
