"""A screen without a monitor, where Xvfb is installed."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@dataclass(frozen=True)
class Screen:
    display: str  # ":99"
    environment: dict[str, str]  # of a program that is to use it
    memory: Path  # the file in which the server keeps what is on the screen

    def pixels(self) -> np.ndarray:
        """What is on the screen now: uint8 (600, 800, 3) BGR, out of a file in the form of xwd."""
        file = self.memory.read_bytes()
        header = struct.unpack_from(">25I", file)
        begin, width, height, line, colours = header[0], header[4], header[5], header[12], header[19]
        rows = np.frombuffer(file, np.uint8, height * line, begin + 12 * colours).reshape(height, line)
        return rows[:, : 4 * width].reshape(height, width, 4)[:, :, :3]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    """A screen of 800 x 600 that only those with its cookie may use."""
    if not shutil.which("Xvfb") or not shutil.which("xauth"):
        pytest.skip("needs Xvfb and xauth for a screen without a monitor")
    authority = tmp_path / "authority"
    authority.touch()
    read, write = os.pipe()
    # The cookie has to be there before the server; the number comes from the server, so the entry names any number.
    cookie = os.urandom(16)
    authority.write_bytes(_entry(cookie))
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-auth", str(authority), "-noreset",
         "-fbdir", str(tmp_path)],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    try:
        with os.fdopen(read) as said:
            display = f":{said.readline().strip()}"  # It writes its number once it takes connections.
        named = {"DISPLAY": display, "XAUTHORITY": str(authority), "QT_LOGGING_RULES": "*=false"}
        yield Screen(display, os.environ | named, tmp_path / "Xvfb_screen0")
    finally:
        server.terminate()
        server.wait(timeout=30)


def _entry(cookie: bytes) -> bytes:
    """An entry of an authority file for any address and display: family, then four fields with their lengths."""
    fields = (b"", b"", b"MIT-MAGIC-COOKIE-1", cookie)
    return b"\xff\xff" + b"".join(len(field).to_bytes(2) + field for field in fields)
