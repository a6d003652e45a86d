"""Follows the events.jsonl of one source, which grows, from a place that outlives this process.

With `render.rotate` there is one in each piece of the results; they are read one after the other.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import FacepipeError
from ..layout import EVENTS, PIECES
from ..project import command
from ..results.atomic import open_plain
from ..results.pieces import NOTHING, events_before, number_of, pieces_in

LINE_BYTES = 1_000_000  # a longer line is no event
BLOCK = 100  # events that are read at once
TAIL_BYTES = 256  # before a place: they tell whether the file is still the one that was read
SHORT_S = 10.0  # a file that is shorter than what was read may be written again by a render that was killed


@dataclass(frozen=True, slots=True)
class Place:
    """A place between two lines."""

    bytes: int = 0  # before it in its file
    lines: int = 0  # before it in all pieces
    tail: str = ""  # a digest of the bytes just before it
    piece: str = ""  # the name of the piece, "" where there are none


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the file."""

    fields: dict  # as they are written
    number: int  # of its line in all pieces, from 0
    digest: str  # of its line
    after: Place  # the place behind it

    @property
    def kind(self) -> str:
        """Such as "appeared"."""
        return self.fields["event"]


class NotAnEvent(FacepipeError):
    """A line of events.jsonl that facepipe has not written."""


def follow(path: Path, position: int = 0) -> Iterator[tuple[int, dict]]:
    """The events of a source behind a position, each with the position behind it, in bytes.

    `path`: of events.jsonl, or the folder of the results of the source. With `render.rotate` a position is one in all
    pieces, as if they were joined. It ends where they do: to follow a run, ask again with the last position. A line
    that is still being written is left for the next time; a file that is not there yet holds nothing. Positions stay
    valid while a run goes on, is killed and resumed: what was written is never changed, and written again where it was
    cut off. Raises `OSError`, and `NotAnEvent`.
    """
    folder = path.parent if path.name == EVENTS else path
    file = EventFile(folder, _place_at(folder, position), refuses=True)
    while events := file.read(BLOCK, 0.0):
        before = _bytes_before(folder, events[0].after.piece)  # All that are read at once are of one piece.
        for event in events:
            yield before + event.after.bytes, event.fields


def _place_at(folder: Path, position: int) -> Place:
    for piece in reversed(_pieces_in(folder)):
        if (before := _bytes_before(folder, piece)) <= position:
            return Place(position - before, piece=piece)
    return Place(position)


def _pieces_in(folder: Path) -> list[str]:
    """The names of the pieces, the oldest first; none where there is one file."""
    return [path.name for path in pieces_in(folder) if path != folder]


def _bytes_before(folder: Path, piece: str) -> int:
    extent = events_before(folder / PIECES / piece) if piece else None
    return extent.bytes if extent else 0


class EventFile:
    """Reads whole lines from a place on. A file that was cut or replaced is read again from its beginning."""

    def __init__(self, folder: Path, place: Place, refuses: bool = False):
        """`folder`: that of the results of the source; `refuses`: a line that is no event raises `NotAnEvent`."""
        self.folder, self.place = folder, place
        self.malformed = 0  # lines that are no events; they are left out
        self.began_again = 0  # how often it was not the file any more that had been read
        self.deleted = 0  # events that were gone with their piece, `render.keep`, before they were read
        self.went_on_at: Place | None = None  # behind those
        self._refuses = refuses
        self._short_since_s: float | None = None

    @property
    def path(self) -> Path:
        """The file that is read."""
        return (self.folder / PIECES / self.place.piece if self.place.piece else self.folder) / EVENTS

    def read(self, most: int, now_s: float) -> list[Event]:
        """The next events, at most so many; `now_s`: a monotonic clock. Raises `OSError`, not for a missing file."""
        pieces = _pieces_in(self.folder)
        if pieces and self.place.piece not in pieces:
            self._go_on_in(next((name for name in pieces if self._is_later(name)), pieces[-1]))
        while not (events := self._read(most, now_s)) and pieces and self.place.piece != pieces[-1]:
            self._go_on_in(pieces[pieces.index(self.place.piece) + 1])  # Nothing is added to the one before any more.
        return events

    def _read(self, most: int, now_s: float) -> list[Event]:
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
        ahead, count = EventFile(self.folder, self.place), 0
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
        return not self.place.tail or _digest(file.read(self.place.bytes - begins)) == self.place.tail

    def _begin_again(self) -> None:
        self._go_on_in(self.place.piece)
        self.began_again += 1

    def _is_later(self, piece: str) -> bool:
        return not self.place.piece or number_of(piece) > number_of(self.place.piece)

    def _go_on_in(self, piece: str) -> None:
        """Read a piece from its beginning."""
        before = events_before(self.folder / PIECES / piece) if piece else NOTHING
        lines = self.place.lines if before is None else before.lines
        gone, self.place = lines - self.place.lines, Place(lines=lines, piece=piece)
        if gone > 0:
            self.deleted += gone
            self.went_on_at = self.place

    def _events(self, file, most: int) -> list[Event]:
        begins = max(0, self.place.bytes - TAIL_BYTES)
        file.seek(begins)
        tail, events = file.read(self.place.bytes - begins), []
        while len(events) < most and (line := _whole_line(file)) is not None:
            fields = _parsed(line)
            if fields is None and self._refuses:
                if events:
                    break
                raise NotAnEvent(
                    f"{self.path} has a line at byte {self.place.bytes} that is no event; {command('people')} --events"
                    " writes the file anew."
                )
            tail = (tail + line)[-TAIL_BYTES:]
            self.place = Place(file.tell(), self.place.lines + 1, _digest(tail), self.place.piece)
            if fields is None:
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
