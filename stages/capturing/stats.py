"""What capture tells about the run: how many frames, how fast, how late."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from statistics import median

from ..delivery.dispatcher import Dispatcher
from ..protocol.durations import Histogram, Quantiles
from ..protocol.stats import CaptureReport
from ..sources.base import Source


class CaptureStats:
    """What is told about the run: how many frames, how fast, how late."""

    def __init__(self, stages: Iterable[str] = ()):
        self.faces = 0
        self._latencies = Histogram()
        self._queues = {stage: Histogram() for stage in stages}
        # frame -> when its work was there, of detect and then of the attribute stages; and who has been given theirs
        self._due: dict[int, tuple[float, set[str]]] = {}
        self._latency, self._added = Quantiles(), Quantiles()
        self._lately: list[float] = []  # latencies that nobody has asked for yet
        self._worked: dict[int, float] = {}  # frame -> seconds on its longest path, until it is acknowledged
        self._first_s: float | None = None
        self._last_s = 0.0
        self._finished = 0

    def worked(self, frames: list) -> None:
        self._worked = dict(frames)

    def read(self, frame: int) -> None:
        """A frame waits for detect."""
        self._due[frame] = time.monotonic(), set()

    def cropped(self, frame: int, faces: int) -> None:
        """Its faces wait for the attribute stages."""
        self.faces += faces
        self._due[frame] = time.monotonic(), {"detect"}

    def handed_out(self, stage: str, frame: int) -> None:
        """Somebody has the work; what is handed out again has waited for other reasons."""
        due_s, given = self._due.get(frame, (0.0, {stage}))
        if stage not in given:
            given.add(stage)
            self._queues[stage].add(time.monotonic() - due_s)

    def start_anew(self) -> None:
        """All that was under way is void."""
        self._due.clear()

    def forgotten(self, frame: int, latency_s: float | None) -> None:
        worked_s = self._worked.pop(frame, None)
        self._due.pop(frame, None)
        if latency_s is None:
            return
        self._finished += 1
        self._last_s = time.monotonic()
        if self._first_s is None:
            self._first_s = self._last_s - latency_s
        self._latency.add(latency_s)
        self._lately.append(latency_s)
        self._latencies.add(latency_s)
        if worked_s is not None:
            self._added.add(max(0.0, latency_s - worked_s))

    def lately(self) -> float | None:
        """The latency in the middle since this was asked last."""
        latencies, self._lately = self._lately, []
        return median(latencies) if latencies else None

    @property
    def _seconds(self) -> float:
        return self._last_s - self._first_s if self._first_s is not None else 0.0

    def report(self, source: Source, state: Dispatcher, refused: Mapping[str, int]) -> CaptureReport:
        """The account so far; `refused`: messages that were no good, by reason."""
        return CaptureReport(
            source=source.name,
            captured=state.read,
            done=state.acked_up_to,
            frames=source.frames,
            faces=self.faces,
            seconds=round(self._seconds, 3),
            fps=self._finished / self._seconds if self._seconds else 0.0,
            latency_ms_p50=_ms(self._latency.at(0.5)),
            latency_ms_p95=_ms(self._latency.at(0.95)),
            added_latency_ms_p50=_ms(self._added.at(0.5)),
            added_latency_ms_p95=_ms(self._added.at(0.95)),
            skipped=source.skipped,
            cut_short=int(source.cut_short),
            waiting=dict(state.waiting),
            awaited=[*([] if state.acknowledged else ["render"]), *state.awaited],
            latencies=self._latencies,
            queues=self._queues,
            notes=list(source.notes),
            refused=dict(refused),
        )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
