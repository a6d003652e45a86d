"""The trace of a run: what the stages were given and answered, and what capture and render have decided.

One file, written by both of them. A record is the length of its head, the head (msgpack), and the parts of the message
as they travel, if it keeps one. Each is one write of the system to the end of the file, so that two processes can share
it. Each process says when it begins and how many records it has left when it ends: from that is seen whether anything
is missing.
"""

from __future__ import annotations

import errno
import os
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgpack

from ..errors import FacepipeError, reason, way_out
from ..names import short
from ..project import command
from ..protocol import limits
from ..protocol.messages import Attribute, Crops, Faces, Frame, Message, Refused, kinds, pack, unpack
from ..transport.images import decoded
from . import history
from .history import CoreStarted, CoreStep

MAGIC = b"FPT1"
TRACED = (Frame, Crops, Faces, Attribute)
AT_ONCE = 16_000_000  # bytes: pictures are read in one piece
MOST_S = 1e9  # no machine runs for thirty years


class TraceError(FacepipeError):
    """A record cannot be written or read."""


class TraceRecorder:
    """Writes the trace of one process. Where it cannot go on, that is said and the record ends: the run does not."""

    def __init__(self, path: Path, who: str, say: Callable[[str], None] = lambda sentence: None, is_first: bool = True):
        """`who`: the process and its life, such as "capture-0/0"; `say`: who is told when the record ends.

        Raises `TraceError`, if it `is_first`: a run that has begun has more to lose.
        """
        self._path, self._who, self._say, self._count = path, who, say, 0
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._append({"who": who, "begins": True}, [])
        except OSError as error:
            if is_first:
                way = way_out(error, "choose another file with --record")
                raise TraceError(f"{path} cannot be written: {error.strerror}; {way}.") from None
            self._end(error)

    def record_message(self, stage: str, message: Message) -> None:
        """Keep a message to or from a stage."""
        self._write(
            lambda: (
                {"at": time.monotonic(), "stage": stage},
                [bytes(memoryview(part)) for part in pack(message)],
            )
        )

    def record_start(self, core: str, of: str, *arguments: object) -> None:
        """Keep that a core was made, with these arguments; `of` names it within the process."""
        self._write(lambda: ({"began": core, "of": of, "with": [history.plain(one) for one in arguments]}, []))

    def record_step(self, of: str, event: object, actions: list, now_s: float | None) -> None:
        """Keep one step of a core: what it has heard, and decided."""
        self._write(lambda: ({"heard": [history.plain(event), history.decided(actions)], "of": of, "now": now_s}, []))

    def close(self) -> None:
        kept, self._count = self._count, -1
        self._write(lambda: ({"kept": kept}, []))
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _write(self, make: Callable[[], tuple[dict, list[bytes]]]) -> None:
        if self._descriptor is None:
            return
        try:
            head, parts = make()
            self._append({"who": self._who, **head}, parts)
            self._count += 1
        except Exception as error:
            self._end(error)

    def _append(self, head: dict, parts: list[bytes]) -> None:
        if parts:
            head["sizes"] = [len(part) for part in parts]
        packed = msgpack.packb(head)
        record = b"".join([MAGIC, struct.pack("<I", len(packed)), packed, *parts])
        written = os.write(self._descriptor, record)
        if written < len(record):
            # Half of it is there. Where nobody has written behind it, what the other process keeps can be read on.
            end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            if os.fstat(self._descriptor).st_size == end:
                os.ftruncate(self._descriptor, end - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _end(self, error: Exception) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
        self._say(f"{self._path} is kept no further by {self._who}: {reason(error)}; the results are whole without it.")


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """One message of a record."""

    at_s: float  # by the monotonic clock of the process that kept it
    stage: str
    message: Message


class TraceReader:
    """A record; when it has been read to its end, `incomplete` says what is missing, if anything."""

    def __init__(self, path: Path):
        self.incomplete: str | None = None
        self._path = path
        self._listens_to = kinds(*TRACED)

    def messages(self) -> Iterator[TracedMessage]:
        """What was kept, in the order in which it was; raises `TraceError` for a file that is no record."""
        for head, parts in self._records():
            if parts:
                yield TracedMessage(head["at"], head["stage"], self._message(parts))

    def history(self, core: str) -> Iterator[CoreStarted | CoreStep]:
        """What the cores of `core`, capture or render, have heard and decided; raises `TraceError`."""
        ours = set()
        for head, _ in self._records():
            of = f"{head['who']} {head.get('of', '')}".rstrip()
            if head.get("began") == core:
                ours.add(of)
                yield CoreStarted(of, core, head["with"])
            elif of in ours and "heard" in head:
                yield CoreStep(of, head["now"], *head["heard"])

    def _message(self, parts: list[bytes]) -> Message:
        try:
            return decoded(unpack(parts, self._listens_to))
        except Refused as error:
            raise TraceError(f"{self._path} is not a record of this version: {error}.") from None

    def _records(self) -> Iterator[tuple[dict, list[bytes]]]:
        kept, told = Counter(), {}
        try:
            with self._path.open("rb") as file:
                while (start := file.read(8)) != b"":
                    head = self._head(file, start)
                    parts = None if head is None else [_read(file, size) for size in head.get("sizes", ())]
                    if parts is None or None in parts:
                        self.incomplete = "it breaks off in the middle of a record"
                        return
                    told.setdefault(head["who"], None)
                    if "kept" in head:
                        told[head["who"]] = head["kept"]
                    kept[head["who"]] += bool({"sizes", "heard", "began"} & head.keys())
                    yield head, parts
        except OSError as error:
            raise TraceError(f"{self._path} cannot be read: {error.strerror}.") from None
        if not told:
            raise self._foreign()
        unsure = [who for who, count in told.items() if count != kept[who]]
        if unsure:
            self.incomplete = f"{', '.join(map(short, unsure))} did not come to its end"

    def _head(self, file: BinaryIO, start: bytes) -> dict | None:
        """None where it breaks off."""
        if start[:4] != MAGIC[: len(start)]:
            raise self._foreign()
        if len(start) < 8:
            return None
        packed = _read(file, *struct.unpack("<I", start[4:]))
        if packed is None:
            return None
        try:
            head = msgpack.unpackb(packed)
        except (ValueError, TypeError, msgpack.UnpackException, RecursionError):
            raise self._foreign() from None
        if not _is_head(head):
            raise self._foreign()
        return head

    def _foreign(self) -> TraceError:
        return TraceError(
            f"{self._path} is not a record of this version, or is damaged; make one with {command('run')} --record."
        )


def _read(file: BinaryIO, size: int) -> bytes | None:
    """So many bytes, or None where there are fewer; no more memory is taken than there are bytes."""
    parts = []
    while size and (part := file.read(min(size, AT_ONCE))):
        parts.append(part)
        size -= len(part)
    return None if size else b"".join(parts)


def _is_head(head: object) -> bool:
    """Whether it is what `TraceRecorder` writes; what a core has heard is found out when it is played."""
    if type(head) is not dict or not all(type(head.get(key, "")) is str for key in ("of", "began", "stage")):
        return False
    sizes, now_s = head.get("sizes", []), head.get("now")
    return (
        type(head.get("who")) is str
        and type(sizes) is list
        and all(type(size) is int and 0 <= size <= limits.PART_BYTES for size in sizes)
        and (not sizes or "stage" in head and _is_time(head.get("at")))
        and ("began" not in head or type(head.get("with")) is list)
        and ("heard" not in head or [type(said) for said in _items(head["heard"])] == [list, list] and "now" in head)
        and (now_s is None or _is_time(now_s))
    )


def _items(value: object) -> list:
    return value if type(value) is list else []


def _is_time(seconds: object) -> bool:
    """By a monotonic clock."""
    return type(seconds) in (int, float) and 0 <= seconds < MOST_S
