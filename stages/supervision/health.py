"""Whether a run is ready and alive, by what its processes say to the launcher: what an orchestrator probes. Pure.

Ready: every process here has opened its model or source, every capture here hears every stage, and a render here hears
a capture, wherever these run.
Alive: frames are finished, or nothing is there to be finished, as with a camera that is looked for. The launcher starts
dead and hung processes again by itself, so this is only about what it cannot help.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..protocol.stats import CaptureReport, RenderReport

SILENT_S = 150.0  # a launcher kills a process that is silent for so long; where all are, it is the launcher that hangs
# Without a finished frame, although all stages are there: a task is sent again after ten seconds, and dlib's CNN looks
# at a large picture for a minute.
STALLED_S = 180.0


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a capture said last, and since when it has been at this frame."""

    report: CaptureReport
    since_s: float

    @property
    def is_at_work(self) -> bool:
        """Whether frames are under way, and every stage is there to finish them."""
        return self.report.captured > self.report.done and not self.report.awaited


class Health:
    """What is known of the processes of one launcher; times are those of a monotonic clock."""

    def __init__(self, labels: Iterable[str] = (), now_s: float = 0.0):
        self._labels = tuple(labels)
        self._ready: set[str] = set()
        self._readings: dict[str, _Reading] = {}
        self._rendering: set[str] = set()  # which of them says what it renders: it has heard a capture
        self._heard_s = now_s

    def heard(self, label: str, is_ready: bool, now_s: float) -> None:
        """A process has given a sign of life."""
        self._heard_s = now_s
        if is_ready:
            self._ready.add(label)

    def progress(self, label: str, report: CaptureReport | RenderReport, now_s: float) -> None:
        """Take the account so far of one process."""
        if not isinstance(report, CaptureReport):
            self._rendering.add(label)
            return
        before = self._readings.get(label)
        goes_on = before is not None and before.is_at_work and before.report.done == report.done
        self._readings[label] = _Reading(report, before.since_s if goes_on else now_s)

    def started_again(self, label: str) -> None:
        """A process has ended; the next one has to say that it is ready."""
        self._ready.discard(label)
        self._rendering.discard(label)
        self._readings.pop(label, None)

    def ended(self, label: str) -> None:
        """A process does not belong to the run any more."""
        self._labels = tuple(other for other in self._labels if other != label)
        self.started_again(label)

    def unready(self) -> list[str]:
        """Why the run is not ready, in sentences; none: it is."""
        opening = [f"{label} is starting" for label in self._labels if label not in self._ready]
        alone = [f"{label} waits for a capture" for label in self._labels if self._is_alone(label)]
        reports = [reading.report for reading in self._readings.values()]
        awaited = [f"{each.source} waits for {', '.join(each.awaited)}" for each in reports if each.awaited]
        return opening + alone + awaited

    def _is_alone(self, label: str) -> bool:
        return label == "render" and label in self._ready and label not in self._rendering

    def stalled(self, now_s: float) -> list[str]:
        """Why it would help to start all of it again, in sentences; none: it is alive."""
        silent = ["no process has given a sign of life"] if now_s - self._heard_s > SILENT_S else []
        return silent + [
            f"{reading.report.source} has not finished a frame for {now_s - reading.since_s:.0f} s"
            for reading in self._readings.values()
            if reading.is_at_work and now_s - reading.since_s > STALLED_S
        ]
