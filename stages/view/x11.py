"""As much of the X11 protocol as tells whether a server takes us, and how large its monitors are.

It takes 0.2 ms. A process that tries to open a window takes 0.3 s, flashes it, and ends by SIGABRT without saying
whether no server answers or it refuses us.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_ANSWER_S = 5.0  # a busy machine's screen takes more than two
_COOKIE = b"MIT-MAGIC-COOKIE-1"
_LOCAL_FAMILY, _ANY_FAMILY = 256, 65535  # of an entry in the authority file
_QUERY_EXTENSION, _QUERY_SCREENS = 98, 5  # the latter of Xinerama
_kept: list[XServer] = []


class XError(Exception):
    """Why an X server cannot be used, in a few words."""


class XServer:
    """A connection to the X server of a display, by which nothing is drawn."""

    def __init__(self, display: str):
        """Raises `XError`."""
        parsed = re.fullmatch(r"(?:unix|(?:tcp/)?(?P<host>[^/]*?)):(?P<number>\d{1,5})(?:\.\d+)?", display)
        if parsed is None:
            raise XError(f"DISPLAY is {display!r}, which names no screen")
        host, number = parsed["host"] or "", int(parsed["number"])
        try:
            self._socket = _connected(host, number)
            accepted, setup = self._set_up(_cookie(number))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise XError(f"no screen answers at DISPLAY {display} ({reason})") from None
        if not accepted:
            self._socket.close()
            raise XError(f"the screen at DISPLAY {display} refuses us (see xauth)")
        self._setup = setup

    def monitors(self) -> list[tuple[int, int, int, int]]:
        """Left, top, width and height in pixels of each monitor; of all together where the server does not tell them.

        Raises `OSError` and `struct.error` where its answer is not understood.
        """
        return self._xinerama() or [(0, 0, *self._root_size())]

    def _root_size(self) -> tuple[int, int]:
        vendor_length, _, _, formats = struct.unpack_from("<HHBB", self._setup, 16)
        first_screen = 32 + vendor_length + -vendor_length % 4 + 8 * formats
        return struct.unpack_from("<HH", self._setup, first_screen + 20)

    def _xinerama(self) -> list[tuple[int, int, int, int]]:
        name = b"XINERAMA"
        self._socket.sendall(struct.pack("<BxHHxx", _QUERY_EXTENSION, 2 + len(name) // 4, len(name)) + name)
        is_there, extension = struct.unpack_from("<BB", self._reply(), 8)
        if not is_there:
            return []
        self._socket.sendall(struct.pack("<BBH", extension, _QUERY_SCREENS, 1))
        reply = self._reply()
        (count,) = struct.unpack_from("<I", reply, 8)
        return [struct.unpack_from("<hhHH", reply, 32 + 8 * number) for number in range(count)]

    def _set_up(self, cookie: bytes) -> tuple[bool, bytes]:
        method = _COOKIE if cookie else b""
        request = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(method), len(cookie))  # X11, little-endian
        self._socket.sendall(request + _padded(method) + _padded(cookie))
        head = self._received(8)
        return head[0] == 1, self._received(4 * struct.unpack_from("<H", head, 6)[0])

    def _reply(self) -> bytes:
        """The next reply; errors and events, of which we ask for none, have 32 bytes."""
        head = self._received(32)
        return head + self._received(4 * struct.unpack_from("<I", head, 4)[0]) if head[0] == 1 else bytes(32)

    def _received(self, length: int) -> bytes:
        received = b""
        while len(received) < length:
            more = self._socket.recv(length - len(received))
            if not more:
                raise ConnectionResetError("the connection was closed")
            received += more
        return received


def x_server(display: str) -> XServer:
    """A connection to the X server of a display; raises `XError`.

    It is kept open: a server whose last client leaves starts anew, and turns away who comes meanwhile.
    """
    _kept.append(XServer(display))
    return _kept[-1]


def _connected(host: str, number: int) -> socket.socket:
    if host:
        return socket.create_connection((host, 6000 + number), timeout=_ANSWER_S)
    path = f"/tmp/.X11-unix/X{number}"
    for address in (path, f"\0{path}"):  # The second is Linux's own kind of name, which needs no file.
        server = socket.socket(socket.AF_UNIX)
        server.settimeout(_ANSWER_S)
        try:
            server.connect(address)
            return server
        except OSError as error:
            server.close()
            refused = error
    raise refused


def _cookie(number: int) -> bytes:
    """What the authority file has for a display; empty where there is no file or no entry."""
    path = Path(os.environ.get("XAUTHORITY") or os.path.expanduser("~/.Xauthority"))
    try:
        entries = list(_entries(path.read_bytes()))
    except (OSError, struct.error):
        return b""
    fitting = [e for e in entries if e[2] in (b"", str(number).encode()) and e[3] == _COOKIE]
    here = socket.gethostname().encode()
    fitting.sort(key=lambda e: (e[0] == _LOCAL_FAMILY and e[1] == here, e[0] == _ANY_FAMILY), reverse=True)
    return fitting[0][4] if fitting else b""


def _entries(content: bytes) -> Iterator[tuple]:
    """Each entry of an authority file: family, address, display number, name of the method, its secret."""
    position = 0
    while position < len(content):
        (family,) = struct.unpack_from(">H", content, position)
        position += 2
        fields = []
        for _ in range(4):
            (length,) = struct.unpack_from(">H", content, position)
            fields.append(content[position + 2 : position + 2 + length])
            position += 2 + length
        yield family, *fields


def _padded(field: bytes) -> bytes:
    return field + bytes(-len(field) % 4)
