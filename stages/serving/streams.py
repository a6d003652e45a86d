"""Answers that go on as long as a run does: events as they happen, and pictures that move."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .access import Refused
from .limits import STREAMS
from .runs import Snapshot, SourceOfRun

_LOOK_S = 0.2  # between two looks into the folder of the run
_ALIVE_S = 15.0  # between two signs of life where nothing happens: proxies end what is silent for longer
_BOUNDARY = "facepipe"
_BETWEEN = f"\r\n--{_BOUNDARY}\r\n".encode()


class Streams:
    """Makes these answers, and counts those that are under way."""

    def __init__(self) -> None:
        self._count = 0

    def events(self, source: SourceOfRun, first: list, last: int) -> Response:
        """Server-sent events: `first`, and those that come after them. `last`: the number of the last one known.

        Raises `Refused` where there are too many streams.
        """
        return self._stream(_events(source, first, last), "text/event-stream")

    def pictures(self, source: SourceOfRun, first: Snapshot) -> Response:
        """Motion JPEG, as browsers show it in place of a picture. Raises `Refused` as above."""
        return self._stream(_pictures(source, first), f"multipart/x-mixed-replace; boundary={_BOUNDARY}")

    def _stream(self, parts: AsyncIterator[bytes], media_type: str) -> Response:
        if self._count >= STREAMS:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "Too many streams are sent at once; end one.", {"Retry-After": "5"}
            )
        return _Counted(self, parts, media_type=media_type)


class _Counted(StreamingResponse):
    def __init__(self, streams: Streams, *arguments: object, **options: object):
        super().__init__(*arguments, **options)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams._count += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams._count -= 1


async def _events(source: SourceOfRun, events: list, last: int) -> AsyncIterator[bytes]:
    silent_s = 0.0
    yield b"retry: 2000\n\n"
    while True:
        for event in events:
            last, silent_s = event.number, 0.0
            yield f"id: {source.run}:{event.number}\ndata: {json.dumps(event.fields)}\n\n".encode()
        if not events:
            if source.is_over:
                return
            await asyncio.sleep(_LOOK_S)
            silent_s += _LOOK_S
            if silent_s > _ALIVE_S:
                silent_s = 0.0
                yield b":\n\n"
        # In this order: what was written before the end is there after it.
        await asyncio.to_thread(source.look)
        events = await asyncio.to_thread(source.events_after, last)


async def _pictures(source: SourceOfRun, shown: Snapshot) -> AsyncIterator[bytes]:
    snapshot: Snapshot | None = shown
    yield _BETWEEN
    while True:
        if snapshot is not None:
            shown = snapshot
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(shown.jpeg)}\r\n\r\n"
            # With the boundary behind it: a browser shows a picture when it knows that it is whole.
            yield head.encode() + shown.jpeg + _BETWEEN
        elif source.is_over:
            return
        await asyncio.sleep(_LOOK_S)
        await asyncio.to_thread(source.look)
        snapshot = await asyncio.to_thread(source.snapshot, shown.stamp)
