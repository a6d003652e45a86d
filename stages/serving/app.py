"""The answers of the server, as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import time
from email.utils import formatdate
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .accept import preferred
from .access import Refused, check
from .analysis import JPEG, JSON, Analysis, AnalysisQueue
from .body import picture_in
from .description import description, page
from .limits import Limits
from .rate import RateLimit
from .runs import Runs, Snapshot, SourceOfRun
from .streams import Streams
from .trying import TryPage

_HEADERS = {
    # Nothing is loaded from elsewhere, and no other page may embed anything. The page at / allows its own scripts.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class App:
    """The handlers, with what they share."""

    def __init__(self, analysis: Analysis, runs: Runs, limits: Limits, token: str | None):
        """`token`: what clients have to send; None where only this machine reaches the server."""
        self._analysis, self._runs, self._limits = analysis, runs, limits
        self._streams = Streams()
        self._queue = AnalysisQueue(limits)
        self._described = description(limits, has_token=token is not None)
        self._page = page(self._described)
        self._try = TryPage()
        self.asgi = Starlette(
            routes=[
                Route("/v1/analyze", self._analyze, methods=["POST"]),
                Route("/v1/sources", self._sources),
                # Names of streams have slashes: rtsp://camera/live/1 is camera/live/1.
                Route("/v1/sources/{name:path}/snapshot.jpg", self._snapshot),
                Route("/v1/sources/{name:path}/stream.mjpg", self._moving),
                Route("/v1/sources/{name:path}/events", self._events),
                Route("/healthz", _healthy),
                Route("/readyz", self._ready),
                Route("/openapi.json", lambda _: JSONResponse(self._described)),
                Route("/docs", lambda _: HTMLResponse(self._page)),
                *(Route(path, self._trying) for path in self._try.paths),
            ],
            middleware=[Middleware(_Door, token=token, rate=RateLimit(limits.rate))],
            exception_handlers={
                Refused: lambda _, error: refusal(error),
                HTTPException: lambda _, error: refusal(_of_starlette(error)),
                Exception: lambda _, error: refusal(_DEFECT),
            },
        )

    def close(self) -> None:
        """Begin no analysis any more."""
        self._queue.close()

    async def _analyze(self, request: Request) -> Response:
        kind = preferred(request.headers.get("accept"), (JSON, JPEG))
        if kind is None:
            raise Refused(HTTPStatus.NOT_ACCEPTABLE, f"The header Accept allows neither {JSON} nor {JPEG}; send one.")
        if self._queue.is_full:
            await self._queue.call(bytes)  # Refused before the body is read.
        file = await picture_in(request, self._limits)
        work = asyncio.ensure_future(self._queue.call(self._analysis.of, file, kind, self._limits.pixels))
        await _while_connected(request, work)
        return Response(work.result(), media_type=kind)

    async def _sources(self, request: Request) -> Response:
        run = await asyncio.to_thread(self._runs.current)
        if run is None:
            return JSONResponse({"run": None, "over": True, "sources": []})
        return JSONResponse({"run": run.run, "over": run.is_over, "sources": list(run.sources.values())})

    async def _snapshot(self, request: Request) -> Response:
        shown = await _picture_of(await self._source(request))
        return Response(
            shown.jpeg, media_type=JPEG, headers={"Last-Modified": formatdate(shown.stamp / 1e9, usegmt=True)}
        )

    async def _moving(self, request: Request) -> Response:
        _refuse_head(request)
        source = await self._source(request)
        return self._streams.pictures(source, await _picture_of(source))

    async def _events(self, request: Request) -> Response:
        _refuse_head(request)
        source = await self._source(request)
        last = _number_in(request.headers.get("last-event-id", ""), source.run)
        first = await asyncio.to_thread(source.events_after, last)
        if not first and source.is_over and last >= 0:
            return Response(status_code=HTTPStatus.NO_CONTENT)  # So that a browser does not come back for ever.
        return self._streams.events(source, first, last)

    async def _source(self, request: Request) -> SourceOfRun:
        source = await asyncio.to_thread(self._runs.source, request.path_params["name"])
        if source is None:
            raise Refused(HTTPStatus.NOT_FOUND, "There is no source of this name; /v1/sources has the names.")
        return source

    async def _trying(self, request: Request) -> Response:
        return self._try.answer(request.url.path)

    async def _ready(self, request: Request) -> Response:
        """The models are loaded before anything is served, so that only the queue can stand in the way."""
        if self._queue.is_full:
            return JSONResponse({"status": "busy"}, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "1"})
        return JSONResponse({"status": "ready"})


async def _healthy(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _picture_of(source: SourceOfRun) -> Snapshot:
    if (shown := await asyncio.to_thread(source.snapshot)) is None:
        raise Refused(
            HTTPStatus.NOT_FOUND, "This source has no picture yet; a run leaves some with --set render.snapshot=1."
        )
    return shown


def _refuse_head(request: Request) -> None:
    """Starlette takes HEAD for GET, and of an answer that goes on there is no end to wait for."""
    if request.method == "HEAD":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "A stream has no HEAD; send GET.", {"Allow": "GET"})


def _number_in(event_id: str, run: str) -> int:
    """The number of the last event that a client of this run has; -1 where it has none."""
    begins, _, number = event_id.rpartition(":")
    is_known = begins == run and number.isascii() and number.isdigit() and len(number) < 16
    return int(number) if is_known else -1


async def _while_connected(request: Request, work: asyncio.Future) -> None:
    """Wait for work, and cancel it where the client goes: nobody would get the answer."""
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Refused(HTTPStatus.BAD_REQUEST, "The client has gone.")
    finally:
        for one in (work, gone):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError, Refused):
                await one


_DEFECT = Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed; its log says why.")


def refusal(error: Refused) -> Response:
    """The answer to a request that is refused."""
    return JSONResponse({"error": str(error)}, error.status, error.headers)


def _of_starlette(error: HTTPException) -> Refused:
    status = HTTPStatus(error.status_code)
    sentences = {
        HTTPStatus.NOT_FOUND: "There is nothing at this path; /docs lists what there is.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This method is not for this path; /docs lists what there is.",
    }
    return Refused(status, sentences.get(status, f"{status.phrase}."), dict(error.headers or {}))


class _Door:
    """Refuses what may not come in, before anything else sees it, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, token: str | None, rate: RateLimit):
        self._app, self._token, self._rate = app, token, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
        except Refused as refused:
            await refusal(refused)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        """First the rate, so that tokens cannot be tried without end."""
        address = scope["client"][0] if scope["client"] else ""
        if wait_s := self._rate.wait_s(address, time.monotonic()):
            seconds = str(max(1, round(wait_s + 0.5)))
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS, "Too many requests came; send fewer a second.", {"Retry-After": seconds}
            )
        check(scope["path"], scope["headers"], self._token)
