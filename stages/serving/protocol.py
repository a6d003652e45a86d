"""Connections that hold others up are ended: uvicorn itself waits for them without end."""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import REQUEST_S, STALLED_S

_SENTENCE = b'{"error": "Too many clients at once; try it again."}'
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_SENTENCE), _SENTENCE)
)


class WatchedProtocol(H11Protocol):
    """One connection. It has to begin a request in time, and to read what it is sent."""

    def __init__(self, *, clients: int, **options: object):
        """`clients`: connections at once."""
        super().__init__(**options)
        self._clients = clients
        self._silent_since_s = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    @property
    def is_answered(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        # asyncio does so only for sockets whose protocol is named, which `create_server` omits. Head and body are two
        # writes, and the second would wait 40 ms for the client's delayed acknowledgement.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self._clients and not self._finds_a_place():
            transport.write(_FULL)
            transport.close()
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.is_answered:
            _cancel(self._deadline)

    def on_response_complete(self) -> None:
        super().on_response_complete()  # It may begin the next request, if that came together with this one.
        if self.is_answered:
            self._await_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._stall)

    def connection_lost(self, error: Exception | None) -> None:
        _cancel(self._deadline)
        _cancel(self._stall)
        super().connection_lost(error)

    def _await_request(self) -> None:
        """Also ends a client that goes on sending a body which was refused, and one that does not read the answer."""
        _cancel(self._deadline)
        self._silent_since_s = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _finds_a_place(self) -> bool:
        silent = [other for other in self.connections if other is not self and other.is_answered]
        if not silent:
            return False
        min(silent, key=lambda other: other._silent_since_s).transport.abort()
        return True


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
