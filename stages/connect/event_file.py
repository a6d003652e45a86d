"""Follows one events.jsonl, which grows, from a place that outlives this process."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..results.atomic import open_plain

LINE_BYTES = 1_000_000  # a longer line is no event
BLOCK = 100  # events that are read at once
TAIL_BYTES = 256  # before a place: they tell whether the file is still the one that was read
SHORT_S = 10.0  # a file that is shorter than what was read may be written again by a render that was killed


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the file, between two lines."""

    bytes: int = 0  # before it
    lines: int = 0
    tail: str = ""  # a digest of the bytes just before it


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the file."""

    fields: dict  # as they are written
    number: int  # of its line, from 0
    digest: str  # of its line
    after: Place  # the place behind it

    @property
    def kind(self) -> str:
        """Such as "appeared"."""
        return self.fields["event"]


class EventFile:
    """Reads whole lines from a place on. A file that was cut or replaced is read again from its beginning."""

    def __init__(self, path: Path, place: Place):
        self.path, self.place = path, place
        self.malformed = 0  # lines that are no events; they are left out
        self.began_again = 0  # how often it was not the file any more that had been read
        self._short_since_s: float | None = None

    def read(self, most: int, now_s: float) -> list[Event]:
        """The next events, at most so many; `now_s`: a monotonic clock. Raises `OSError`, not for a missing file."""
        try:
            file = open_plain(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        with file:
            size = os.fstat(file.fileno()).st_size
            if size < self.place.bytes and not self._is_given_up(now_s):
                return []
            if size == self.place.bytes:
                self._short_since_s = None
                return []
            self._short_since_s = None
            if not self._is_the_same(file):
                self._begin_again()
            return self._events(file, most)

    def waiting(self, wanted: Callable[[Event], bool]) -> int:
        """How many events there are behind the place that are `wanted`."""
        ahead, count = EventFile(self.path, self.place), 0
        try:
            while events := ahead.read(BLOCK, 0.0):
                count += sum(map(wanted, events))
        except OSError:
            pass  # It cannot be read at the moment, and what was counted is what can be told.
        return count

    def _is_given_up(self, now_s: float) -> bool:
        """Whether a file that is too short will not grow to its former size any more."""
        self._short_since_s = now_s if self._short_since_s is None else self._short_since_s
        return now_s - self._short_since_s > SHORT_S

    def _is_the_same(self, file) -> bool:
        begins = max(0, self.place.bytes - TAIL_BYTES)
        file.seek(begins)
        return not self.place.bytes or _digest(file.read(self.place.bytes - begins)) == self.place.tail

    def _begin_again(self) -> None:
        self.place = Place()
        self.began_again += 1

    def _events(self, file, most: int) -> list[Event]:
        begins = max(0, self.place.bytes - TAIL_BYTES)
        file.seek(begins)
        tail, events = file.read(self.place.bytes - begins), []
        while len(events) < most and (line := _whole_line(file)) is not None:
            tail = (tail + line)[-TAIL_BYTES:]
            self.place = Place(file.tell(), self.place.lines + 1, _digest(tail))
            if (fields := _parsed(line)) is None:
                self.malformed += 1
            else:
                events.append(Event(fields, self.place.lines - 1, _digest(line), self.place))
        return events


def _whole_line(file) -> bytes | None:
    """The next line with its end; None where it is not whole yet. Of one that is too long, its end."""
    line = file.readline(LINE_BYTES)
    while line and not line.endswith(b"\n"):
        if len(line) < LINE_BYTES:
            return None
        line = file.readline(LINE_BYTES)
    return line or None


def _parsed(line: bytes) -> dict | None:
    try:
        fields = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) and isinstance(fields.get("event"), str) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
