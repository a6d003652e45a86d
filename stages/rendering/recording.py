"""Annotated videos that somebody at the page in the browser has asked for, beside the outputs of the run."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FacepipeError
from ..frames import FinishedFrame
from ..layout import SAVED
from ..names import output_name
from ..results.manifest import Manifest
from ..sinks.segments import PARTS, rate_in
from ..sinks.video import VideoWriter
from .extra import Extra

if TYPE_CHECKING:
    from ..view.web.server import Web

_log = logging.getLogger(__name__)
_NO_FRAME = 10**8 - 1  # that any recording has: it begins with frame 0


class PageRecording:
    """The recordings of one source, one after the other. What goes wrong with one is told at the page alone.

    Of a folder each video has one of its own, for its times begin at zero, and pictures have none.
    """

    def __init__(self, source: str, folder: Path, encoder: str, web: Extra[Web]):
        """`folder`: that of the run, in which they lie in `saved`; `encoder`: as of `VideoWriter`."""
        self._source, self._folder, self._encoder, self._web = source, folder, encoder, web
        self._writer: VideoWriter | None = None
        self._file: str | None = None  # the file of the source that is recorded
        self._since = 0.0  # seconds since 1970

    @property
    def wants_drawn(self) -> bool:
        """Whether the annotated picture of the next frame is to be recorded."""
        return self._web.do(lambda web: web.wants_recorded(self._source), False)

    def take(self, frame: FinishedFrame, drawn: np.ndarray | None) -> None:
        """Record this frame, or end the recording, as it is wanted. `drawn`: uint8 (H, W, 3) BGR, if `wants_drawn`."""
        try:
            is_wanted = self.wants_drawn and frame.picture.rate is not None
            if not is_wanted or frame.picture.file != self._file:
                self.close()
            if is_wanted and drawn is not None:
                self._record(frame, drawn)
        except FacepipeError as error:
            self._writer = None
            self._web.do(lambda web, why=str(error): web.recorded(self._source, None, self._since, why))

    def close(self) -> None:
        """Complete the recording, if one is under way; raises `OutputError`."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        writer.close()
        name = writer.path.relative_to(self._folder).as_posix()
        self._web.do(lambda web: web.recorded(self._source, name, self._since))

    def _record(self, frame: FinishedFrame, drawn: np.ndarray) -> None:
        if self._writer is None:
            self._since, self._file = time.time(), frame.picture.file
            name = output_name(frame.source, frame.picture.file, still=False)
            path = self._folder / SAVED / name.with_name(f"{name.stem}-{frame.frame}.mp4")
            self._writer = VideoWriter(path, frame.picture.rate, manifest=Manifest(self._folder), encoder=self._encoder)
            self._web.do(lambda web: web.recorded(self._source, None, self._since))
        self._writer.write(frame, drawn)


def complete_recordings(folder: Path) -> None:
    """Join the parts of recordings that a killed render has left in the folder of the run.

    To be called before there are new ones. Parts that cannot be joined stay where they are.
    """
    for parts in sorted((folder / SAVED).rglob(f".*.mp4{PARTS}")):
        path = parts.with_name(parts.name.removeprefix(".").removesuffix(PARTS))
        try:
            VideoWriter(path, rate_in(parts), _NO_FRAME, Manifest(folder)).close()
        except FacepipeError:
            _log.exception("%s is left in parts", path)
