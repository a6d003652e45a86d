"""Whether a window could be opened, found out without trying: Qt ends the whole process where it cannot.

The X server is asked here, in 0.2 ms. A process that tries takes 0.3 s, flashes a window, and ends by SIGABRT without
saying whether no server answers or it refuses us.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import FacepipeError

_ANSWER_S = 5.0  # a busy machine's screen takes more than two
_COOKIE = b"MIT-MAGIC-COOKIE-1"
_LOCAL_FAMILY, _ANY_FAMILY = 256, 65535  # of an entry in the authority file
_open_connections: list[socket.socket] = []


class DisplayError(FacepipeError):
    """A window was asked for and cannot be opened."""

    def __init__(self, reason: str):
        super().__init__(
            f"a window was asked for, but {reason}; --display none does without, auto opens one where it is possible."
        )


def window_available() -> str | None:
    """None if a window can be opened, else why not, in a few words."""
    import cv2  # Only here: the command asks for the screen alone, before anything is started.

    if cv2.currentUIFramework() in ("", "NONE"):
        return "this OpenCV is built without windows (headless)"
    return no_screen()


def no_screen() -> str | None:
    """Why there is no screen for a window, in a few words; None where there is one."""
    if sys.platform in ("win32", "darwin"):
        return None
    display = os.environ.get("DISPLAY", "")
    if not display and os.environ.get("WAYLAND_DISPLAY"):
        return "OpenCV's windows need X11, and DISPLAY is not set (on Wayland, Xwayland sets it)"
    if not display:
        return "there is no screen (DISPLAY is not set)"
    return _refusal(display)


def _refusal(display: str) -> str | None:
    """Why the X server of `display` would not take us, by asking it for a connection."""
    parsed = re.fullmatch(r"(?:unix|(?:tcp/)?(?P<host>[^/]*?)):(?P<number>\d{1,5})(?:\.\d+)?", display)
    if parsed is None:
        return f"DISPLAY is {display!r}, which names no screen"
    host, number = parsed["host"] or "", int(parsed["number"])
    try:
        server = _connected(host, number)
        cookie = _cookie(number)
        method = _COOKIE if cookie else b""
        setup = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(method), len(cookie))  # X11, little-endian
        server.sendall(setup + _padded(method) + _padded(cookie))
        answer = server.recv(1)
    except (OSError, OverflowError) as error:
        return f"no screen answers at DISPLAY {display} ({getattr(error, 'strerror', None) or error})"
    if answer == b"\x01":
        # Kept open: a server whose last client leaves starts anew, and turns away who comes meanwhile.
        _open_connections.append(server)
        return None
    server.close()
    return f"the screen at DISPLAY {display} refuses us (see xauth)"


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
