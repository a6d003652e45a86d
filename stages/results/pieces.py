"""The results of a source in pieces, with `render.rotate`: each is a folder in `pieces/`, and the newest one grows.

    pieces/000001/                       results.jsonl, events.jsonl, annotated/
    pieces/000002-2026-11-29T10-00-00/   of a live source: when it was begun; piece.json too

A piece is begun by its piece.json, which says what there was before it: whoever goes on reads this piece alone, however
many there were, and it does not matter whether the older ones are still there.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec

from .. import time_of_day
from ..layout import EVENTS, LINE_BYTES, PIECE, PIECES, RESULTS
from .atomic import is_plain, open_plain
from .borders import Moment, expired
from .errors import REPLACE, DamagedState
from .source_folder import SourceFolder

_NAME = re.compile(r"(\d{6,12})(?:-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)?", re.ASCII)
LARGEST_BYTES = 10 * LINE_BYTES
OF_FACES, OF_PEOPLE = "faces", "people"  # whose state a piece begins with: of what follows faces, and of the events
UNREAD_BYTES = 100_000_000  # of the events of a source that were not sent yet and are older than `render.keep`


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a file there is, in all pieces before one."""

    lines: int = 0
    bytes: int = 0


NOTHING = Extent()


@dataclass(frozen=True, slots=True)
class Before:
    """What there was before a piece. The first one has the default."""

    frame: int = 0  # the first that is not in an earlier piece
    begins: Moment | None = None  # when that frame was
    time: float | None = None  # of the last frame before it, in seconds of the source
    source: str | None = None  # whose frames they are
    counts: dict[str, int] = field(default_factory=dict)  # rendered, faces, missing, errors
    events: Extent = NOTHING
    state: dict[str, dict] = field(default_factory=dict)  # what render remembers, by `OF_FACES` and `OF_PEOPLE`

    @classmethod
    def of(cls, place: SourceFolder) -> Before:
        """What is said of the piece of a source; raises `DamagedState` where that cannot be read."""
        return cls.read(place.own / PIECE) if place.piece is not None and number_of(place.piece) > 1 else cls()

    @classmethod
    def read(cls, path: Path) -> Before:
        """What a piece.json says; raises `DamagedState`."""
        try:
            with open_plain(path) as file:
                read = msgspec.convert(json.loads(file.read(LARGEST_BYTES)), cls)
                if read.begins is None or read.frame <= 0 or not math.isfinite(read.begins.seconds):
                    raise ValueError("no beginning")
                return read
        except OSError as error:
            raise DamagedState(f"{path} cannot be read: {error.strerror}; put it back, or {REPLACE}.") from error
        except (ValueError, RecursionError):
            raise DamagedState(f"{path} is damaged; put it back, or {REPLACE}.") from None

    def to_bytes(self) -> bytes:
        """The file."""
        text = json.dumps(msgspec.to_builtins(self), ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace") + b"\n"


class Pieces:
    """The pieces of one source, for the one who writes them."""

    def __init__(self, whole: SourceFolder):
        """`whole`: the folder of the source."""
        self._whole, self._manifest = whole, whole.manifest

    def newest(self) -> SourceFolder | None:
        """The piece that is written to; None where none was begun. Raises `DamagedState`."""
        for name in reversed(_names(self._whole.path)):
            piece = self._piece(name)
            if number_of(name) == 1 or os.path.lexists(piece.own / PIECE):
                return piece
            if os.path.lexists(piece.results):
                raise DamagedState(f"{piece.own / PIECE} is missing; put it back, or {REPLACE}.")
        return None

    def first(self, clock: str | None) -> SourceFolder:
        """Where the first piece is to be; `clock`: the time of day, of a live source."""
        return self._piece(self._name(1, clock))

    def begin(self, before: Before) -> SourceFolder:
        """Begin the next piece; killed at any moment, this leaves it begun or not. Raises `OSError`, `ForeignFile`."""
        newest = self.newest()
        piece = self._piece(self._name(number_of(newest.piece) + 1, before.begins.clock))
        self._manifest.remove_temporaries(piece.own)
        self._manifest.write(piece.own / PIECE, before.to_bytes())
        return piece

    def expire(
        self,
        now: Moment,
        keep_s: float | None,
        keep_bytes: int | None,
        is_unread: Callable[[SourceFolder], bool] = lambda piece: False,
    ) -> None:
        """Delete the finished pieces that are not to be kept, what is ours of them.

        `now`: the moment of the frame that begins the next piece. `is_unread`: whether the events of a piece are still
        to be sent somewhere: they are kept longer, the newest `UNREAD_BYTES` of them. Raises `OSError`.
        """
        pieces = [self._piece(path.name) for path in _held(self._whole.path)]
        files = self._files()
        sizes = [sum(os.lstat(path).st_size for path in files[piece.piece]) for piece in pieces]
        old = pieces[: expired(_ends_s(pieces, now), sizes, now.seconds, keep_s, keep_bytes)]
        unread = _newest_events([piece for piece in old if piece.events in files[piece.piece] and is_unread(piece)])
        for piece in old:
            for path in files[piece.piece]:
                if piece not in unread or path.name not in (EVENTS, PIECE):
                    self._manifest.remove(path)
            self._manifest.remove_folders(piece.own)

    def _files(self) -> dict[str, list[Path]]:
        """What is ours in each piece; its piece.json, which says when it began, is the last to be deleted."""
        files, pieces = defaultdict(list), self._whole.path / PIECES
        for path in sorted(self._manifest.files(), key=lambda path: path.name == PIECE):
            if path.is_relative_to(pieces):
                files[path.relative_to(pieces).parts[0]].append(path)
        return files

    def _piece(self, name: str) -> SourceFolder:
        return replace(self._whole, piece=name)

    def _name(self, number: int, clock: str | None) -> str:
        for name in _names(self._whole.path):
            if number_of(name) == number:
                return name  # It was about to be begun.
        begun = "" if clock is None else time_of_day.read(clock).strftime("-%Y-%m-%dT%H-%M-%S")
        return f"{number:06}{begun}"


def newest_of(whole: SourceFolder, rotates: bool) -> SourceFolder:
    """The piece that is gone on with, or the folder of the source where it has none.

    `rotates`: whether the run has `render.rotate`. Raises `DamagedState`.
    """
    return (Pieces(whole).newest() if rotates else None) or whole


def pieces_of(whole: SourceFolder) -> list[SourceFolder]:
    """The outputs of a source, the oldest first: its pieces, or the source itself where it has none."""
    held = [] if os.path.lexists(whole.results) else _held(whole.path)
    return [replace(whole, piece=path.name) for path in held] or [whole]


def is_piece(name: object) -> bool:
    """Whether this is the name of a piece."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def number_of(piece: str) -> int:
    """The number of a piece by its name, from 1."""
    return int(_NAME.fullmatch(piece)[1])


def pieces_in(folder: Path) -> list[Path]:
    """The folders that hold the files of a source, the oldest first: of its pieces, or its own where it has none."""
    if os.path.lexists(folder / RESULTS):
        return [folder]
    return _held(folder) or [folder]


def results_in_pieces(folder: Path) -> list[Path]:
    """Every results.jsonl of a source, the oldest first, or the path at which its only one would be."""
    paths = [path / RESULTS for path in pieces_in(folder)]
    return [path for path in paths if is_plain(path)] or paths[:1]


def events_before(piece: Path) -> Extent | None:
    """The events in all pieces before the one in this folder; None where that cannot be read."""
    with suppress(DamagedState):
        return Before.read(piece / PIECE).events if number_of(piece.name) > 1 else NOTHING
    return None


def whole_of(folder: Path) -> Path:
    """The folder of the source whose piece this is, or the same folder where it is none."""
    is_piece = folder.parent.name == PIECES and _NAME.fullmatch(folder.name)
    return folder.parent.parent if is_piece else folder


def _names(folder: Path) -> list[str]:
    found: list[str] = []
    with suppress(OSError):  # There is none.
        entries = os.scandir(folder / PIECES)
        found = [e.name for e in entries if _NAME.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
    return sorted(found, key=lambda name: (number_of(name), name))


def _held(folder: Path) -> list[Path]:
    """The folders of pieces that are not deleted: another file than ours may keep one.

    Raises `DamagedState` where two have one number, such as a copy: each frame would be read twice.
    """
    paths = (folder / PIECES / name for name in _names(folder))
    held = [path for path in paths if any(os.path.lexists(path / name) for name in (RESULTS, EVENTS, PIECE))]
    for one, other in pairwise(held):
        if number_of(one.name) == number_of(other.name):
            raise DamagedState(f"{one} and {other.name} are the same piece; move one of them out of {PIECES}/.")
    return held


def _newest_events(pieces: list[SourceFolder]) -> list[SourceFolder]:
    """The newest of these pieces, whose events together take no more than `UNREAD_BYTES`."""
    sizes = accumulate(os.lstat(piece.events).st_size for piece in reversed(pieces))
    return pieces[len(pieces) - sum(size <= UNREAD_BYTES for size in sizes) :]


def _ends_s(pieces: list[SourceFolder], now: Moment) -> Iterator[float]:
    """When each of them ended: where the next one begins of which that can be read, and is not in the future.

    A clock that was wrong for a moment, and years ahead, would otherwise keep all that follows for years.
    """
    for number in range(len(pieces)):
        begins_s = (_begins_s(later) for later in pieces[number + 1 :])
        yield next((begin_s for begin_s in begins_s if begin_s is not None and begin_s <= now.seconds), now.seconds)


def _begins_s(piece: SourceFolder) -> float | None:
    """When a piece begins; None where that cannot be read."""
    with suppress(DamagedState):
        begins = Before.of(piece).begins
        return None if begins is None else begins.seconds
    return None
