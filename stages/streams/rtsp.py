"""A stream to an RTSP server (RFC 2326, ANNOUNCE and RECORD), which serves it to players."""

from __future__ import annotations

import av

from .output import Format, Output

# One TCP connection for all: no ports to open, and no lost packets, which show as grey blocks.
_OPTIONS = {"rtsp_transport": "tcp"}


class RtspOutput(Output):
    """Sends to a server; the constructor connects."""

    def __init__(self, address: str, format: Format):
        """`address`: with user and password if the server asks for them."""
        super().__init__(av.open(address, "w", format="rtsp", container_options=_OPTIONS), format)
