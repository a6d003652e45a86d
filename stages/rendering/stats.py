"""What render tells about one source: what became of its frames, and what the work on them took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from ..delivery.joiner import Emit, Joiner
from ..frames import FinishedFrame
from ..protocol.durations import Histogram
from ..protocol.rates import RateMeter, Snapshot
from ..protocol.stats import DropCount, SourceReport
from ..sinks.recovery import Restored

_NAMES = ("faces", "missing", "errors", "capped", "ignored")


class RenderStats:
    """Counts on from what the outputs held before."""

    def __init__(self, attributes: Iterable[str], before: Restored):
        stages = ("detect", *attributes, "render")
        self.frames: int | None = None  # how many there are, once capture has said so
        self._counts = before.counts
        self._rendered_before, self._dropped_before = before.counts.pop("rendered", 0), before.dropped
        self._spent_s: Counter[str] = Counter()
        self._services = {stage: Histogram() for stage in stages}
        self._rates = RateMeter(stages)
        self._worked: list[tuple[int, float]] = []

    @property
    def capped(self) -> int:
        """Faces that were left out because there were too many in a frame."""
        return self._counts["capped"]

    def came(self) -> None:
        """The picture of a frame has come."""
        self._rates.came(time.monotonic())

    def told(self, latency_s: float) -> None:
        """What capture says how late frames are."""
        self._rates.told(latency_s, time.monotonic())

    def ignored(self) -> None:
        """A message came from another life of capture."""
        self._counts["ignored"] += 1

    def finished(self, emit: Emit, frame: FinishedFrame, drawing_s: float) -> None:
        """A frame is in the outputs; `drawing_s`: seconds that drawing, writing and showing it took."""
        self._counts.update(faces=len(frame.faces), missing=len(frame.missing), errors=int(frame.error is not None))
        said = [emit.faces, *emit.answers.values()] if emit.faces is not None else []
        spent_s = {stage: message.spent.get(stage, 0.0) for stage, message in emit.answers.items()}
        if emit.faces is not None:
            self._counts["capped"] += emit.faces.capped
            spent_s["detect"] = emit.faces.spent.get("detect", 0.0)
        spent_s["render"] = drawing_s
        self._spent_s.update(spent_s)
        for stage, seconds in spent_s.items():
            self._services[stage].add(seconds)
        self._rates.finished(time.monotonic(), spent_s)
        longest_s = max((sum(message.spent.values()) for message in said), default=0.0)
        self._worked.append((emit.frame, longest_s + drawing_s))

    def worked(self) -> list[tuple[int, float]]:
        """The frames that were finished since this was asked last, with the seconds of work on their longest path."""
        worked, self._worked = self._worked, []
        return worked

    def snapshot(self, now_s: float, state: Joiner) -> Snapshot:
        """How this source goes at the moment."""
        return self._rates.snapshot(now_s, state.missing_parts())

    def dropped(self, state: Joiner) -> Counter[tuple[str, str]]:
        """The frames that are not in the outputs and will not be, by stage and reason."""
        return self._dropped_before + state.dropped

    def report(self, state: Joiner) -> SourceReport:
        """The account so far."""
        return SourceReport(
            captured=self.frames,
            rendered=self._rendered_before + state.emitted,
            before=self._rendered_before,
            dropped=[DropCount(s, reason, n) for (s, reason), n in sorted(self.dropped(state).items())],
            **{name: self._counts[name] for name in _NAMES},
            spent={stage: round(seconds, 3) for stage, seconds in self._spent_s.items()},
            services=self._services,
        )
