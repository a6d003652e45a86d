"""Every limit of the server in one place, each with what happens beyond it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person may set, by options of the command."""

    body_bytes: int = 20_000_000  # of one request; beyond: 413
    pixels: int = 25_000_000  # of one picture, as its header says, before it is decoded; beyond: 413
    clients: int = 64  # connections; beyond: one that has no request under way is closed, or the new one gets 503
    queue: int = 8  # pictures that are analysed or wait for it; beyond: 503
    rate: float = 200.0  # requests a second from one address, on average; beyond: 429
    timeout_s: float = 30.0  # for sending the body, and again for the answer; beyond: 408 and 503


BURST_S = 2.0  # so many seconds' requests may come at once
ADDRESSES = 10_000  # whose rate is known; beyond: the one that has been silent for longest is forgotten
STREAMS = 16  # connections that are sent events or moving pictures; beyond: 503

# Beyond: the connection is closed.
REQUEST_S = 10.0  # from the end of one request until the next has begun, with its headers
STALLED_S = 10.0  # in which a client reads nothing of what waits for it
HEADER_BYTES = 16_384

PARTS = 4  # of a multipart body; beyond: 400
JPEG_SIDE = 65_500  # pixels: more cannot be said in a JPEG
PICTURE_BYTES = 10_000_000  # of a snapshot
