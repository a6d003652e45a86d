"""The process that answers Prometheus and probes: it is told of a run on its standard input, and knows nothing else.

Whatever others do to it, the run does not notice. As on the page in the browser there are limits: so many connections,
so long and so much for a request.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from typing import NoReturn

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ..errors import reason
from .metrics import READY, SERVER, families

CONNECTIONS = 64  # at once; beyond them the one that came first makes room
REQUEST_S = 5.0  # to say what is wanted, and to take the answer
REQUEST_BYTES = 8192
PATHS = ("/metrics", "/")
PROBES = ("/ready", "/live")
SILENT_S = 15.0  # a launcher that has said nothing for so long, and says something twice a second, hangs


class Numbers:
    """What was told last."""

    def __init__(self, line: bytes) -> None:
        self.take(line)

    def take(self, line: bytes) -> None:
        self._told, self._told_s = json.loads(line), time.monotonic()

    def flaws(self, probe: str) -> list[str]:
        """Why a probe is not answered with yes, in sentences."""
        silent_s = time.monotonic() - self._told_s
        silent = [f"the launcher has said nothing for {silent_s:.0f} s"] if silent_s > SILENT_S else []
        return silent + self._told["health"][probe]

    def collect(self):
        return families(self._told["numbers"])

    def describe(self) -> list:
        return []


class Server:
    """Answers every connection once."""

    def __init__(self, numbers: Numbers):
        self._numbers = numbers
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(numbers)
        self._open: dict[asyncio.StreamWriter, None] = {}  # in the order of their coming

    async def serve(self, host: str, port: int) -> None:
        server = await asyncio.start_server(self._answer, host, port, limit=REQUEST_BYTES)
        print(READY, flush=True)
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS:
            first = next(iter(self._open))
            del self._open[first]
            first.transport.abort()
        self._open[writer] = None
        try:
            async with asyncio.timeout(REQUEST_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response(request))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # It said nothing, too much, or has gone: there is nobody to be answered.
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    def _response(self, request: bytes) -> bytes:
        line, *headers = request.decode("latin-1").split("\r\n")
        method, _, rest = line.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method != "GET":
            return _response(HTTPStatus.METHOD_NOT_ALLOWED)
        if path in PROBES:
            flaws = self._numbers.flaws(path.removeprefix("/"))
            status = HTTPStatus.SERVICE_UNAVAILABLE if flaws else HTTPStatus.OK
            return _response(status, body="".join(f"{flaw}\n" for flaw in flaws or ["yes"]).encode())
        if path not in PATHS:
            return _response(HTTPStatus.NOT_FOUND)
        accepted = (
            value for name, _, value in (header.partition(":") for header in headers) if name.lower() == "accept"
        )
        encode, kind = choose_encoder(next(accepted, ""))
        return _response(HTTPStatus.OK, kind, encode(self._registry))


def _response(status: HTTPStatus, kind: str = "text/plain; charset=utf-8", body: bytes | None = None) -> bytes:
    body = f"{status.phrase}\n".encode() if body is None else body
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: {SERVER}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _hear(numbers: Numbers) -> NoReturn:
    """Take what is told until the launcher is gone, and end with it."""
    for line in sys.stdin.buffer:
        numbers.take(line)
    os._exit(0)


def main(host: str, port: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # End with the launcher, however that ends.
    line = sys.stdin.buffer.readline()
    if not line:
        return
    numbers = Numbers(line)
    threading.Thread(target=_hear, args=(numbers,), daemon=True).start()
    try:
        asyncio.run(Server(numbers).serve(host, port))
    except OSError as error:
        with suppress(OSError):
            # asyncio says a sentence of its own around the system's.
            words = os.strerror(error.errno) if error.errno and error.errno > 0 else reason(error)
            print(words, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
