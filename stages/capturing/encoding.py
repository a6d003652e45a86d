"""In which form pictures travel."""

from __future__ import annotations

import numpy as np

from ..config.placement import Placement, capture_host
from ..protocol.messages import Encoded
from ..supervision.stage import Settings
from ..transport.images import encoded


class FrameEncoding:
    """In which form detect and render are given the pictures: raw within a machine, as configured beyond it."""

    def __init__(self, settings: Settings):
        placed, self._frames = Placement.of(settings.pipeline), settings.pipeline.frames
        # By its name: its place also counts the sources that were removed while the run went on.
        here = capture_host(settings.pipeline, settings.source.name)
        beyond = self._frames.encoding != "raw"
        self._render = beyond and placed.render != here
        # What a JPEG loses must not depend on who is given a frame: if one detect gets JPEGs, all do.
        self._every_detect = beyond and self._frames.encoding == "jpeg" and placed.detects_beyond(here)
        self._some_detects = beyond
        self._last: tuple[int, Encoded] | None = None  # Render and detect are given a picture in one go.

    def to_detect(self, frame: int, pixels: np.ndarray, beyond: bool) -> np.ndarray | Encoded:
        """`beyond`: whether this detect is on another machine."""
        return self._encoded(frame, pixels) if self._every_detect or (beyond and self._some_detects) else pixels

    def to_render(self, frame: int, pixels: np.ndarray) -> np.ndarray | Encoded:
        return self._encoded(frame, pixels) if self._render else pixels

    def _encoded(self, frame: int, pixels: np.ndarray) -> Encoded:
        if self._last is None or self._last[0] != frame:
            self._last = frame, encoded(pixels, self._frames.encoding, self._frames.quality)
        return self._last[1]
