"""A picture on a server, read like one on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import av

from .base import SourceError
from .header import may_be_picture, read_header
from .still import FILE_BYTES, Still
from .video import HTTP, is_end


class RemoteStill(Still):
    """One picture on a server. FFmpeg fetches it, as it does all that comes over the network, but does not decode it:
    of a picture in tiles it would take the first tile for the whole.
    """

    def __init__(self, name: str, label: str, url: str, timeout_s: float):
        self._url, self._timeout_s = url, timeout_s
        super().__init__(name, label)

    def _file(self) -> bytes:
        try:
            return _limited(_parts(self._url, self._timeout_s), self._label)
        except av.error.FFmpegError as error:  # Its message holds the URL, which may hold a password.
            raise SourceError(f"{self._label} cannot be read: {error.strerror}.") from None


def is_remote_still(url: str, label: str, timeout_s: float) -> bool:
    """Whether what a server sends is one picture, by its content."""
    with suppress(av.error.FFmpegError):  # Said by whoever opens it as a video.
        parts = _parts(url, timeout_s)
        start = next(parts, b"")
        if may_be_picture(start):
            header = read_header(start + _limited(parts, label))
            return header is not None and not header.plays
    return False


def _parts(url: str, timeout_s: float) -> Iterator[bytes]:
    """The bytes of a file on a server, about a kilobyte at a time."""
    with av.open(url, format="data", timeout=timeout_s, options=HTTP) as file:
        try:
            for packet in file.demux():
                yield bytes(packet)
        except av.error.FFmpegError as error:
            if not is_end(error, file):
                raise


def _limited(parts: Iterator[bytes], label: str) -> bytes:
    file = bytearray()
    for part in parts:
        file += part
        if len(file) > FILE_BYTES:
            raise SourceError(f"{label} has more than {FILE_BYTES // 1_000_000} MB; no picture of that size is read.")
    return bytes(file)
