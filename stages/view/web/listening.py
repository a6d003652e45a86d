"""Where the page is served: a listening socket, and its address."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable

from ...errors import FacepipeError


class WebError(FacepipeError):
    """The page was asked for and cannot be served."""


def listening(host: str, ports: Iterable[int]) -> socket.socket:
    """A socket that listens at the first of these ports that is free; raises `WebError` where that cannot be."""
    taken: int | None = None
    for port in ports:
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        except OSError as error:
            raise WebError(
                f"the address {host} is not known here ({error.strerror}); correct it with --web-host ADDRESS."
            ) from None
        try:
            return socket.create_server(address[:2], family=family)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise WebError(
                    f"the page in the browser cannot be served at {host}, port {port} ({error.strerror}); choose"
                    " another place with --web-host and --web."
                ) from None
            taken = port
    raise WebError(
        f"port {taken} for the page in the browser is taken by another program; choose another one: --web PORT."
    )


def own_address(family: socket.AddressFamily) -> str:
    """The address that other machines find this one at, as far as it knows."""
    somewhere = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"  # for documentation: nobody's
    with socket.socket(family, socket.SOCK_DGRAM) as trial, contextlib.suppress(OSError):
        trial.connect((somewhere, 9))  # Sends nothing: it asks which way it would go.
        return trial.getsockname()[0]
    return socket.gethostname()
