"""What there is to be told about a run, and to each browser what it does not know yet.

A message is the length of a JSON text in four bytes, that text, and a JPEG or nothing. The methods that tell something
are for render's thread, `message` is for the server's: it draws and encodes, and only then.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...frames import FinishedFrame
from ...protocol.rates import Snapshot
from .charts import ChartSamples
from .encoded import EncodedFrame
from .viewer import Viewer


@dataclass(slots=True)
class _Source:
    """What there is of one source."""

    charts: ChartSamples = field(default_factory=ChartSamples)
    finished: EncodedFrame | None = None  # the newest analysed picture
    preview: EncodedFrame | None = None  # a live source's newest, which may be newer
    is_live: bool = False

    def newest(self, blurred: bool) -> EncodedFrame | None:
        """What a browser is shown: with faces hidden, only pictures in which faces were detected."""
        return self.finished if blurred or self.preview is None else self.preview


class ViewerFeed:
    """The newest pictures and samples of all sources."""

    def __init__(self, sources: Sequence[str], stages: Mapping[str, int], style: str, blur: str, life: int):
        """The arguments are those of `Web`."""
        self.attributes = frozenset(stages) - {"detect"}
        self.sources = {name: _Source() for name in sources}
        self._stages, self._style, self._blur, self._life = dict(stages), style, blur, life
        self._restarts: dict[str, int] = {}
        self._pictures = 0
        self._lock = threading.Lock()  # around pages, which grow while they are read

    def finished(
        self, frame: FinishedFrame, drawn: np.ndarray | None, to_anonymize: Sequence | None, live: bool
    ) -> None:
        """A frame is in the outputs; see `Web`."""
        source = self._source(frame.source)
        source.is_live = live
        with self._lock:
            source.charts.finished(frame, time.monotonic())
        source.finished = self._shown(frame, drawn, to_anonymize)

    def preview(self, frame: FinishedFrame) -> None:
        """A live source has a newer picture."""
        self._source(frame.source).preview = self._shown(frame, None, None)

    def told(
        self, source: str, snapshot: Snapshot, dropped: Mapping[tuple[str, str], int], restarts: dict[str, int]
    ) -> None:
        """How the run goes; see `Web`."""
        self._restarts = restarts
        with self._lock:
            self._source(source).charts.told(snapshot, dropped, time.monotonic())

    def is_still(self, source: str) -> bool:
        """Whether the newest picture of a source is no frame of a video or camera."""
        known = self.sources.get(source)
        has_picture = known is not None and known.finished is not None and not known.is_live
        return has_picture and known.finished.frame.picture.rate is None

    def message(self, viewer: Viewer) -> bytes | None:
        """The next message for a browser: what it has not been sent yet; None if there is nothing."""
        said: dict = {}
        known = list(self.sources.values())  # A copy, made in one go: render adds to it.
        version = len(known), sum(s.is_live for s in known), sum(len(s.charts.labels) for s in known)
        if viewer.version != version:
            viewer.version = version
            said["about"] = self._about()
        jpeg = b""
        if (source := self.sources.get(viewer.source)) and (shown := viewer.choose(source.newest)):
            look = viewer.switches, self.attributes, self._style
            if viewer.saves:
                viewer.saves, said["saved"], jpeg = False, shown.file_name, shown.saved(*look)
            elif viewer.drawn != (shown.number, viewer.switches):
                viewer.drawn, jpeg = (shown.number, viewer.switches), shown.jpeg(*look)
                said["picture"] = {"frame": shown.frame.frame, "file": shown.frame.picture.file}
        if source:
            life, count = viewer.known
            with self._lock:
                samples, viewer.known = source.charts.since(count if life == self._life else 0), self._known(source)
            if samples:
                said["samples"] = samples
        if not said:
            return None
        said |= {"source": viewer.source, "now": round(time.monotonic(), 3), "count": viewer.known[1]}
        header = json.dumps({**said, "life": self._life, "restarts": self._restarts}, separators=(",", ":")).encode()
        return len(header).to_bytes(4, "big") + header + jpeg

    def _known(self, source: _Source) -> tuple[int, int]:
        return self._life, source.charts.count

    def _about(self) -> dict:
        with self._lock:
            sources = [
                {"name": name, "live": source.is_live, "labels": dict(source.charts.labels)}
                for name, source in list(self.sources.items())
            ]
        return {"sources": sources, "stages": self._stages, "blur": self._blur, "style": self._style}

    def _source(self, name: str) -> _Source:
        return self.sources.setdefault(name, _Source())

    def _shown(self, frame: FinishedFrame, drawn: np.ndarray | None, to_anonymize: Sequence | None) -> EncodedFrame:
        self._pictures += 1
        return EncodedFrame(self._pictures, frame, drawn, to_anonymize)
