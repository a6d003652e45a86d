"""What both kinds of stream share: an encoder that begins a picture group every second, and a muxer behind it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from ..sinks.encoders import add_stream, encoded
from ..sinks.segments import TIME_BASE

KEY_S = 1.0  # from one key frame to the next: so long a new viewer waits for the first picture
_FASTEST = 240.0  # frames a second, nominally: above, H.264 would claim a level that players refuse


@dataclass(frozen=True, slots=True)
class Format:
    """What is encoded, and by what."""

    encoder: str  # one of `sinks.encoders.ENCODERS`
    size: tuple[int, int]  # width and height in pixels, even
    rate: float  # nominal frames a second


class Output:
    """Encodes pictures and muxes them; everything raises `OSError` and `av.FFmpegError`."""

    def __init__(self, container: av.container.OutputContainer, format: Format):
        self._container = container
        rate = min(format.rate, _FASTEST)
        # Key frames are forced by time; an encoder that cannot be forced has them by number, twice as far apart.
        group = max(1, round(2 * rate * KEY_S))
        nominal = Fraction(rate).limit_denominator(1001)
        self._stream = add_stream(container, format.encoder, format.size, nominal, group)
        self._key: int | None = None  # the time of the last one
        container.start_encoding()

    def write(self, planes: np.ndarray, pts: int) -> None:
        """Encode and send one picture, uint8 (H * 3 / 2, W) I420, at `pts` in units of TIME_BASE."""
        is_key = self._key is None or (pts - self._key) * TIME_BASE >= KEY_S
        self._key = pts if is_key else self._key
        for packet in encoded(self._stream, planes, pts, is_key):
            self._mux(packet)

    def close(self, has_ended: bool) -> None:
        """Send what the encoder holds; `has_ended`: the source has, and nothing follows."""
        for packet in self._stream.encode(None):
            self._mux(packet)
        self._container.close()

    def _mux(self, packet: av.Packet) -> None:
        self._container.mux(packet)
