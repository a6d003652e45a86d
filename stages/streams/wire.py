"""What render and the process of a stream say to each other, over its standard input and output.

One frame is under way: render sends the next one when the process has answered `TAKEN`. So it knows what has arrived,
and no buffer of the system grows old frames.
"""

from __future__ import annotations

import json
import os
import select
import struct
from dataclasses import asdict, dataclass

import numpy as np

from .output import Format

TAKEN = b"taken\n"  # the connection stands; later: a frame is sent
_LENGTH, _FRAME = struct.Struct("<I"), struct.Struct("<cd")
_PICTURE, _END = b"F", b"E"
_PIPE_BYTES = 1 << 20  # what the system lets wait in a pipe where it is asked: fewer changes between the processes
_SET_PIPE_SIZE = 1031  # fcntl's F_SETPIPE_SZ of Linux


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to do. It goes over the pipe, because every user of the machine can read command lines."""

    address: str
    format: Format
    patience_s: int = 10  # for the server, to answer or to take a frame

    def to_bytes(self) -> bytes:
        said = json.dumps(asdict(self)).encode()
        return _LENGTH.pack(len(said)) + said

    @classmethod
    def read(cls, descriptor: int) -> Task | None:
        """The first message; None where there is none any more."""
        if (length := _exactly(descriptor, _LENGTH.size)) is None:
            return None
        if (said := _exactly(descriptor, *_LENGTH.unpack(length))) is None:
            return None
        task = json.loads(said)
        kind = task["format"]
        return cls(task["address"], Format(kind["encoder"], tuple(kind["size"]), kind["rate"]), task["patience_s"])


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One picture, uint8 (H * 3 / 2, W) I420, at the time that it has in its source."""

    time_s: float
    planes: np.ndarray

    def to_buffers(self) -> tuple[bytes, memoryview]:
        return _FRAME.pack(_PICTURE, self.time_s), memoryview(self.planes).cast("B")


@dataclass(frozen=True, slots=True)
class Ended:
    """No more frames come."""

    of_source: bool  # because there are none, and not because render ends

    def to_bytes(self) -> bytes:
        return _FRAME.pack(_END, float(self.of_source))


def received(descriptor: int, size: tuple[int, int], within_s: float) -> Shown | Ended | None:
    """The next message; None where none comes within that time. An input that was closed is an end, too."""
    if not select.select([descriptor], [], [], within_s)[0]:
        return None
    header = _exactly(descriptor, _FRAME.size)
    kind, number = _FRAME.unpack(header) if header else (_END, 0.0)
    if kind == _END:
        return Ended(bool(number))
    width, height = size
    planes = _exactly(descriptor, width * height * 3 // 2)
    if planes is None:
        return Ended(False)
    return Shown(number, np.frombuffer(planes, np.uint8).reshape(height * 3 // 2, width))


def widen(descriptor: int) -> None:
    """Let more wait in a pipe, where the system can."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _PIPE_BYTES)
    except (ImportError, OSError):  # Another system, or a limit: it works as it is.
        return


def _exactly(descriptor: int, count: int) -> bytearray | None:
    """So many bytes; None where the pipe ends before."""
    content = bytearray(count)
    view = memoryview(content)
    while view:
        if not (taken := os.readv(descriptor, [view])):
            return None
        view = view[taken:]
    return content
