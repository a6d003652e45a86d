"""`render.portraits`: the pictures that `PortraitChoice` chooses, as files beside the results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import cv2
import numpy as np

from ..config.schema import Pipeline
from ..frames import FinishedFrame
from ..people.portraits import Portrait, PortraitChoice, portrait_in, portrait_name
from ..results.atomic import is_temporary
from ..results.errors import cannot_write
from ..results.jsonl import Line, as_line
from ..results.source_folder import SourceFolder
from ..vision.thumbnail import resized, square_around

SIDE = 160  # pixels, of the longer side
QUALITY = 85
SETTLED_S = 5.0  # a face that comes nearer is better in every frame: it is written when it was the best for so long
AT_ONCE = 2  # portraits written with one frame: each of them is a sync of the manifest


def keeps_portraits(pipeline: Pipeline, live: bool) -> bool:
    """Whether a source has portraits. `auto`: what cannot be looked at again, and is written as a picture anyway."""
    render = pipeline.render
    is_wanted = render.portraits == "always" or (render.portraits == "auto" and live and pipeline.writes_annotated)
    return is_wanted and render.track


class PortraitFolder:
    """Keeps the portraits of one source. They follow from the lines of results.jsonl, but for what a kill takes.

    One that goes on is given the lines that there are by `replay`. Portraits that were not written by then are lost,
    and those that are no longer the best are deleted.
    """

    def __init__(self, piece: SourceFolder):
        """`piece`: where they lie. Nothing is made before there is one to write."""
        self.go_on_in(piece)

    def go_on_in(self, piece: SourceFolder) -> None:
        """Those of the next frames lie in another piece, in which everybody is seen for the first time."""
        self._folder, self._manifest = piece.portraits, piece.manifest
        self._choice = PortraitChoice()
        self._written = set(self._found(piece))
        self._waiting: dict[Portrait, tuple[float, np.ndarray]] = {}  # since when, and the pixels

    def replay(self, line: Line) -> None:
        """Take a line that was there before."""
        self._choice.step(line)

    def take(self, frame: FinishedFrame) -> None:
        """Keep what is best in a frame, as it is written: with `blur` its faces are hidden. Raises `OutputError`."""
        line, time_s = as_line(frame), frame.picture.time
        better = self._choice.step(line)
        for place in better:
            face = frame.faces[place]
            if (part := square_around(frame.picture.pixels, face.box)).size:
                # A small one is enlarged when it is written: the faces of a crowd wait by the hundred.
                self._waiting[face.id, frame.frame] = time_s, resized(part, min(SIDE, max(part.shape[:2])))
        if better:
            self._forget()
        due = (one for one, (since_s, _) in self._waiting.items() if not 0 <= time_s - since_s < SETTLED_S)
        self._write([one for one, _ in zip(due, range(AT_ONCE), strict=False)])

    def close(self) -> None:
        """Write what is not written yet, which may be hundreds of files; raises `OutputError`."""
        self._choice.end()
        self._forget()
        self._write(list(self._waiting))

    def _forget(self) -> None:
        """Let go what is not among the best any more."""
        self._waiting = {one: kept for one, kept in self._waiting.items() if self._choice.has(one)}
        gone = [one for one in self._written if not self._choice.has(one)]
        try:
            for one in gone:
                self._manifest.remove(self._folder / portrait_name(one))
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        self._written.difference_update(gone)

    def _write(self, portraits: list[Portrait]) -> None:
        for one in portraits:
            _, pixels = self._waiting.pop(one)
            if not self._choice.is_told_of(one[0]):
                continue
            path = self._folder / portrait_name(one)
            _, jpeg = cv2.imencode(".jpg", resized(pixels, SIDE), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            try:
                self._manifest.write(path, jpeg.tobytes(), durable=False)
            except OSError as error:
                raise cannot_write(path, error) from error
            self._written.add(one)

    def _found(self, piece: SourceFolder) -> Iterator[Portrait]:
        """Those that were written before. What a kill has left of one that was being written is deleted."""
        with suppress(OSError):  # There is none, or something in its way, which is said when one is written.
            for path in sorted(piece.portraits.iterdir()):
                if is_temporary(path):
                    piece.manifest.remove(path)
                elif (portrait := portrait_in(path.name)) is not None and piece.manifest.is_ours(path):
                    yield portrait
