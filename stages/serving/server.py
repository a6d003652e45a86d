"""The server as a process: its socket, and uvicorn on it."""

from __future__ import annotations

import logging
import socket
from functools import partial

import uvicorn

from ..errors import FacepipeError, reason, way_out
from .app import App
from .limits import HEADER_BYTES, Limits
from .protocol import WatchedProtocol

_LINGERS_S = 2.0  # answers under way, when the server is ended
_BACKLOG = 128


class ServeError(FacepipeError):
    """Nothing can be served."""


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: at one that is free. Raises `ServeError`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        raise ServeError(
            f"{host}, port {port}, cannot be served at: {reason(error)};"
            f" {way_out(error, 'choose another place with --host and --port')}."
        ) from None


def serve(app: App, limits: Limits, listener: socket.socket) -> None:
    """Serve until a signal ends the process; raises `KeyboardInterrupt` after Ctrl-C."""
    for library in ("uvicorn.error", "python_multipart"):  # A peer that sends nonsense is not worth a line.
        logging.getLogger(library).setLevel(logging.ERROR)
    config = uvicorn.Config(
        app.asgi,
        http=partial(WatchedProtocol, clients=limits.clients),
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,  # Requests hold tokens.
        proxy_headers=False,  # Whoever sends X-Forwarded-For says who he likes to be.
        server_header=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=_LINGERS_S,
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        app.close()
