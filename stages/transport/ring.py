"""Pictures between processes of one machine: they lie in memory that both can read, and a message says where.

A socket would copy each picture into the kernel and out of it again, 200 kB at a time, and wake a thread each time. The
memory is a file without a name (memfd) of the sender, which ends with it whatever it dies of. It is written round and
round: a picture that its reader has not fetched before it was written over counts as a message that was lost. Where
memory cannot be shared (another machine, another container, no Linux) pictures travel through the socket.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import stat
import struct

import numpy as np
from msgspec.structs import replace

from ..protocol.messages import SHARED, Encoded, Message, Refused

LEAST = 32_768  # bytes: less travels as cheaply through a socket
KEPT = 64  # rings that one process keeps open: a render with so many sources
_ALIGN = 4096
_TOKEN = 16  # bytes, by which a reader knows that it has opened the right memory
_HEAD = struct.Struct("<16sQ")  # the token, and the position below which everything has been written over
_PLACE = struct.Struct("<16sQ")  # the token, and the position of a picture
_PREFIX = "/memfd:facepipe"


class Ring:
    """Memory of this process that others read pictures from."""

    def __init__(self, pictures: int, most_bytes: int):
        """Room for so many pictures of the size of the first one, at most so many bytes."""
        self._pictures, self._most = pictures, most_bytes
        self._memory: mmap.mmap | None = None
        self._capacity = self._position = 0
        self._last: tuple[np.ndarray, Encoded] | None = None  # Render and detect are given a picture in one go.
        self._token = secrets.token_bytes(_TOKEN)
        self._file = -1
        if hasattr(os, "memfd_create"):
            with contextlib.suppress(OSError):
                self._file = os.memfd_create("facepipe")

    @property
    def address(self) -> tuple[int, int, str] | None:
        """Where others find it: process, descriptor, token; None where memory cannot be shared."""
        return None if self._file < 0 else (os.getpid(), self._file, self._token.hex())

    def shared(self, message: Message) -> Message:
        """The message with its large pictures in shared memory, as far as there is room for them."""
        if not message.may_be_encoded or not any(_is_large(array) for array in message.arrays):
            return message
        return replace(message, arrays=tuple(self._put(a) if _is_large(a) else a for a in message.arrays))

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
        if self._file >= 0:
            os.close(self._file)
        self._memory, self._file = None, -1

    def _put(self, array: np.ndarray) -> np.ndarray | Encoded:
        if self._last is not None and self._last[0] is array:
            return self._last[1]
        size = -(-array.nbytes // _ALIGN) * _ALIGN
        if self._file < 0 or (self._memory is None and not self._allocate(size)) or 2 * size > self._capacity:
            return array
        at = self._position % self._capacity
        if at + size > self._capacity:  # It lies in one piece: the rest of this round is left out.
            self._position += self._capacity - at
            at = 0
        position, self._position = self._position, self._position + size
        # What the next one writes over is given up already: who reads the mark afterwards has read nothing of it.
        _HEAD.pack_into(self._memory, 0, self._token, max(0, self._position + size - self._capacity))
        place = np.frombuffer(self._memory, np.uint8, array.nbytes, _ALIGN + at)
        np.copyto(place.reshape(array.shape), array)
        encoded = Encoded(SHARED, array.shape, _PLACE.pack(self._token, position))
        self._last = array, encoded
        return encoded

    def _allocate(self, size: int) -> bool:
        capacity = min((self._pictures + 2) * size, self._most // _ALIGN * _ALIGN)
        try:
            os.ftruncate(self._file, _ALIGN + capacity)
            self._memory = mmap.mmap(self._file, _ALIGN + capacity)
        except (OSError, ValueError):
            os.close(self._file)
            self._file = -1
            return False
        self._capacity = capacity
        _HEAD.pack_into(self._memory, 0, self._token, 0)
        return True


class RingReader:
    """The rings of others that this process has opened."""

    def __init__(self):
        self._files: dict[bytes, tuple[int, int]] = {}  # by token: descriptor and capacity (0: not known yet)

    def open(self, address: tuple[int, int, str] | None) -> bool:
        """Open the ring that a process of this machine has named; whether it can be read."""
        if address is None:
            return False
        pid, descriptor, token = *address[:2], bytes.fromhex(address[2])
        if token in self._files:
            return True
        try:
            path = f"/proc/{pid}/fd/{descriptor}"
            if not os.readlink(path).startswith(_PREFIX):  # Any other file is none of ours, and might block.
                return False
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError):
            return False
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            return False
        while len(self._files) >= KEPT:
            os.close(self._files.pop(next(iter(self._files)))[0])
        self._files[token] = file, 0
        return True

    def read(self, picture: Encoded) -> np.ndarray:
        """The pixels, uint8 of the picture's shape; raises `Refused` where they have been written over."""
        try:
            token, position = _PLACE.unpack(picture.buffer)
            file, capacity = self._files[token]
            if not capacity:
                capacity = os.fstat(file).st_size - _ALIGN
                self._files[token] = file, capacity
            pixels = np.empty(picture.shape, np.uint8)
            read = os.preadv(file, [pixels.reshape(-1)], _ALIGN + position % capacity)
            named, low = _HEAD.unpack(os.pread(file, _HEAD.size, 0))
        except (struct.error, KeyError, OSError, OverflowError, ValueError, ZeroDivisionError):
            raise Refused("a picture in memory that is not shared with this process") from None
        if named != token or read != pixels.nbytes or position < low:
            raise Refused("a picture that was not fetched in time")
        return pixels

    def close(self) -> None:
        for file, _ in self._files.values():
            os.close(file)
        self._files.clear()


def _is_large(array: object) -> bool:
    return type(array) is np.ndarray and array.nbytes >= LEAST
