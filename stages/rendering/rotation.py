"""`render.rotate` and `render.keep`: when the outputs of a source go on in another piece, and which are deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from .. import time_of_day
from ..config.schema import Pipeline
from ..frames import FinishedFrame
from ..layout import CONNECT, LINE_BYTES
from ..results.atomic import open_plain
from ..results.borders import Borders, Moment
from ..results.errors import cannot_write
from ..results.jsonl import Line
from ..results.pieces import Before, Extent, Pieces, number_of
from ..results.source_folder import SourceFolder


class Rotation:
    """The pieces of one source as they are written."""

    def __init__(self, pipeline: Pipeline, whole: SourceFolder, first_clock: str | None):
        """`whole`: the folder of the source; `first_clock`: the time of day of its first frame, if it has one.

        Raises `DamagedState`.
        """
        render = pipeline.render
        self._whole, self._pieces, self._borders = whole, Pieces(whole), Borders(render.rotate_s)
        self._destinations = destinations_of(pipeline)
        self._keep_s, self._keep_bytes = render.keep_s, render.keep_bytes
        self._time: float | None = None  # of the last frame
        self.piece: SourceFolder = self._pieces.newest() or self._pieces.first(first_clock)

    @classmethod
    def of(cls, pipeline: Pipeline, whole: SourceFolder, live: bool) -> Rotation | None:
        """That of a configuration; None where the outputs are in one piece."""
        return None if pipeline.render.rotate is None else cls(pipeline, whole, time_of_day.written() if live else None)

    def replay(self, line: Line) -> None:
        """Take a line of the newest piece that was there before."""
        self._step(Moment(line.time, line.clock), line.file)

    def is_border(self, frame: FinishedFrame) -> bool:
        """Whether the next frame begins another piece."""
        return self._borders.is_border(_moment(frame), frame.picture.file)

    def step(self, frame: FinishedFrame) -> None:
        """Take a frame that is written."""
        self._step(_moment(frame), frame.picture.file)

    def begin(self, frame: FinishedFrame, counts: Mapping[str, int], events: Extent, state: dict) -> SourceFolder:
        """Delete old pieces, and begin one with this frame, which is returned; raises `OutputError`.

        `counts`, `events` and `state`: as in `Before`.
        """
        begins = _moment(frame)
        before = Before(frame.frame, begins, self._time, frame.source, dict(counts), events, state)
        try:
            self._pieces.expire(begins, self._keep_s, self._keep_bytes, self._is_unread)
            self.piece = self._pieces.begin(before)
        except OSError as error:
            raise cannot_write(error.filename or self.piece.own.parent, error) from error
        return self.piece

    def _is_unread(self, piece: SourceFolder) -> bool:
        """Whether a destination of the events has not confirmed all of those in this piece."""
        run = self._whole.manifest.folder
        below = "" if self._whole.path == run else self._whole.path.name
        return any(_is_before(run / CONNECT / f"{name}.json", below, piece) for name in self._destinations)

    def _step(self, moment: Moment, file: str | None) -> None:
        self._borders.step(moment, file)
        self._time = moment.time


def destinations_of(pipeline: Pipeline) -> list[str]:
    """What the events are sent to, by the names of the files that say how far they have come."""
    return [*(["mqtt"] if pipeline.mqtt.broker else []), *(f"webhook-{name}" for name in pipeline.webhooks)]


def _is_before(position: Path, below: str, piece: SourceFolder) -> bool:
    """Whether a destination is not behind the events of a piece; `below`: the folder of the source in the run's."""
    try:
        with open_plain(position) as file:
            place = json.loads(file.read(LINE_BYTES))["sources"][below]["place"]
        at = number_of(place["piece"]) if place["piece"] else 0
        here = number_of(piece.piece)
        return at < here or (at == here and place["bytes"] < piece.events.stat().st_size)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True  # It has confirmed nothing yet.


def _moment(frame: FinishedFrame) -> Moment:
    return Moment.of(frame.picture.time, frame.picture.clock)
