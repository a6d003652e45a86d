"""Streams over the network, read by PyAV, which has the timeouts that OpenCV's reader lacks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from stages.core.frames import Picture
from stages.sources.base import Source, SourceAway, SourceError, counted
from stages.sources.remote import RemoteStill, is_remote_still
from stages.sources.still import PICTURES
from stages.sources.video import VIDEOS, Clip, Film

_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "rtp", "srt", "tcp", "udp")
_ENDLESS = frozenset({".mjpeg", ".mjpg", ".ts"})  # What cameras and servers call a stream without end
_TIMEOUT_S = 5.0


def open_stream(url: str) -> Source:
    """An http URL that ends like a file is read like a file, without loss; every other URL is live."""
    address = Address(url)
    if not address.is_file:
        return Stream(address)
    if is_remote_still(address.url, address.label, _TIMEOUT_S):
        return RemoteStill(address.name, address.label, address.url, _TIMEOUT_S)
    return RemoteFile(address)


class Address:
    """A URL and what may be shown of it: neither user nor password, nor the query, which often holds a token."""

    def __init__(self, url: str):
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        # An unescaped /, ? or # in a password ends the host, and user and password would be taken for it and shown.
        if not host or ("@" in (parts.path or url) and ":" in parts.netloc and "@" not in parts.netloc):
            raise SourceError(
                "The source's URL has no valid host; in a password write %2F for /, %3A for : and %40 for @."
            )
        if parts.scheme not in _SCHEMES:
            raise SourceError(f"The source's URL begins with {parts.scheme}://; known are {', '.join(_SCHEMES)}.")
        suffix = PurePosixPath(parts.path).suffix.lower()
        self.is_file = parts.scheme in ("http", "https") and suffix in (VIDEOS | PICTURES) - _ENDLESS
        self.url, self.scheme = url, parts.scheme
        self.name = host + parts.path.rstrip("/")
        self.label = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"

    def open(self) -> Clip:
        # RTSP over TCP: over UDP, FFmpeg's default, a lost packet smears the picture until the next key frame.
        options = {"rtsp_transport": "tcp"} if self.scheme.startswith("rtsp") else {}
        return Clip(self.url, self.label, options, _TIMEOUT_S)


class RemoteFile(Film):
    """A finite file on a server: nothing is dropped, and it can be read again."""

    def __init__(self, address: Address):
        self._address = address
        super().__init__(address.name, address.label)

    def _open(self) -> Clip:
        try:
            return self._address.open()
        except SourceAway as away:  # A file is looked for once.
            sentence = str(away)
        raise SourceError(sentence)


class Stream(Source):
    """A live stream; when it is lost it is opened again, and ends, with a note, where it stays away."""

    live = True

    def __init__(self, address: Address):
        self._address = address
        # Kept open for the first reading: opening a camera's stream takes seconds, and some allow one reader only.
        self._clip: Clip | None = address.open()
        super().__init__(address.name, self._clip.description)

    def close(self) -> None:
        super().close()
        if self._clip is not None:
            self._clip.close()
            self._clip = None

    def _read(self, start: int) -> Iterator[Picture]:
        clip, self._clip = self._clip or self._address.open(), None
        opened_s, count = time.monotonic(), 0
        while clip is not None:
            with clip:
                # By the time of arrival: many cameras send no time stamps, or ones that jump.
                for picture in clip.pictures(self._note, live=True):
                    yield replace(picture, time=time.monotonic() - opened_s)
            count += clip.count
            clip = self._found_again(self._address.label, self._address.open)
        back = f" and was lost {counted(self.reconnections, 'time')} before" if self.reconnections else ""
        self._note(f"{self._address.label}: the stream ended after {counted(count, 'frame')}{back}.")
