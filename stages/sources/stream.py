"""Streams, and files on servers, read by PyAV, which has the timeouts that OpenCV's reader lacks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

import av

from ..frames import Picture
from ..kinds import PICTURES, VIDEOS
from ..names import counted
from .base import Source, SourceAway, SourceError, size_and_rate
from .picture import FILE_BYTES, Still
from .picture_header import may_be_picture, read_header
from .refusal import address_of
from .urls import public, public_path
from .video import HTTP, Clip, Film, is_end

_ENDLESS = frozenset({".mjpeg", ".mjpg", ".ts"})  # What cameras and servers call a stream without end
_TIMEOUT_S = 5.0
_FASTER = 2  # times as fast as a camera


def open_stream(url: str) -> Source:
    """What an http server says has an end is read like a file, without loss; every other URL is live."""
    address = Address(url)
    if not address.is_http:
        return Stream(address, address.open())
    if address.ends_like_a_file and is_remote_still(address.url, address.label, _TIMEOUT_S):
        return RemoteStill(address.name, address.label, address.url, _TIMEOUT_S)
    try:
        clip = address.open_file() if address.ends_like_a_file else address.open()
    except SourceAway:
        raise
    except SourceError:  # Of a picture in tiles FFmpeg says so.
        if is_remote_still(address.url, address.label, _TIMEOUT_S):
            return RemoteStill(address.name, address.label, address.url, _TIMEOUT_S)
        raise
    if not clip.is_finite:
        return Stream(address, clip)
    clip.close()
    if not address.ends_like_a_file and is_remote_still(address.url, address.label, _TIMEOUT_S):
        return RemoteStill(address.name, address.label, address.url, _TIMEOUT_S)
    return RemoteFile(address)


class Address:
    """A URL and what may be shown of it: neither user nor password, nor the query, which often holds a token."""

    def __init__(self, url: str):
        parts = address_of(url)
        self.is_http = parts.scheme in ("http", "https")
        self.ends_like_a_file = PurePosixPath(parts.path).suffix.lower() in (VIDEOS | PICTURES) - _ENDLESS
        self.url, self.scheme = parts.scheme + url[len(parts.scheme) :], parts.scheme  # FFmpeg knows no HTTP://.
        self.name = parts.hostname + public_path(parts.path).rstrip("/")
        self.label = public(url)

    def open(self) -> Clip:
        """Raises `SourceAway` where it may come yet, and `SourceError`."""
        # RTSP over TCP: over UDP, FFmpeg's default, a lost packet smears the picture until the next key frame.
        options = {"rtsp_transport": "tcp"} if self.scheme.startswith("rtsp") else HTTP if self.is_http else {}
        return Clip(self.url, self.label, options, _TIMEOUT_S)

    def open_file(self) -> Clip:
        """The same of a file, which is looked for once: nobody is about to plug it in."""
        try:
            return self.open()
        except SourceAway as away:
            sentence = str(away)
        raise SourceError(sentence)


class RemoteFile(Film):
    """A finite file on a server: nothing is dropped, and it can be read again."""

    def __init__(self, address: Address):
        self._address = address
        self._was: tuple | None = None  # by which it is noticed that it is another file now
        super().__init__(address.name, address.label)

    def _open(self) -> Clip:
        clip = self._address.open_file()
        self._was = self._was or clip.identity
        if clip.identity != self._was:
            clip.close()
            raise SourceError(
                f"{self._label} is another file now than when it was opened; what is written so far is of the one that"
                " it was."
            )
        return clip


class RemoteStill(Still):
    """One picture on a server, read like one on the disk.

    FFmpeg fetches it, as it does all that comes over the network, but does not decode it: of a picture in tiles it
    would take the first tile for the whole.
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


class Stream(Source):
    """A live stream; when it is lost it is opened again, and ends, with a note, where it stays away."""

    live = True

    def __init__(self, address: Address, clip: Clip):
        """`clip` is kept for the first reading: opening a camera's stream takes seconds, and some allow one reader."""
        self._address, self._clip = address, clip
        super().__init__(address.name, size_and_rate(*clip.size, clip.stated_rate))

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
                    yield replace(picture, time=time.monotonic() - opened_s, clock=time.time())
            count += clip.count
            if clip.came_whole_s > _FASTER * (time.monotonic() - opened_s) and not self.reconnections:
                break  # A file that its server gives without a length: a camera takes as long as what it shows.
            clip = self._found_again(self._address.label, self._address.open)
        back = f" and was lost {counted(self.reconnections, 'time')} before" if self.reconnections else ""
        self._note(f"{self._address.label}: the stream ended after {counted(count, 'frame')}{back}.")
