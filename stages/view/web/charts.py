"""What the charts of one source are made of: the last minute of its faces and numbers. Without a socket or a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ...frames import FinishedFrame
from ...protocol.rates import Snapshot
from .said import Labels, largest

OVER_S = 60.0  # what a browser that comes later is still told of
_APART_S = 0.1  # between two samples of the faces: charts show no more
_MOST_FACES = 12  # in one sample, the largest first: more cards and lines cannot be read


class ChartSamples:
    """Collects samples as frames are finished. Each has a number; a browser asks for those that it does not know."""

    def __init__(self) -> None:
        self.labels = Labels()
        self._samples: deque[tuple[int, float, dict]] = deque()
        self._count = 0  # of samples so far
        self._sampled_s = float("-inf")  # when the faces were
        self._frames, self._faces = 0, 0

    @property
    def count(self) -> int:
        """How many samples there have been."""
        return self._count

    def finished(self, frame: FinishedFrame, now_s: float) -> None:
        """A frame is in the outputs."""
        self._frames += 1
        self._faces += len(frame.faces)
        if now_s - self._sampled_s < _APART_S:
            return
        self._sampled_s = now_s
        said = [self.labels.face(face, place) for place, face in largest(frame.faces, _MOST_FACES)]
        self._add(now_s, {"frame": frame.frame, "faces": said})

    def told(self, snapshot: Snapshot, dropped: Mapping[tuple[str, str], int], now_s: float) -> None:
        """How the run goes at the moment; `dropped`: frames so far, by stage and reason."""
        drops: dict[str, int] = {}
        for (stage, _), count in dropped.items():
            drops[stage] = drops.get(stage, 0) + count
        latency_ms = None if snapshot.latency_s is None else round(1000 * snapshot.latency_s, 1)
        loads = {load.stage: [round(load.work, 3), load.queue] for load in snapshot.loads}
        totals = {"frames": self._frames, "seen": self._faces, "drops": drops}
        self._add(now_s, {"rate": round(snapshot.frames_s, 2), "latency": latency_ms, "loads": loads, **totals})

    def since(self, count: int) -> list[dict]:
        """The samples after the first `count`, oldest first, as far as they are still here."""
        missing = min(len(self._samples), max(0, self._count - count))
        return [sample for _, _, sample in list(self._samples)[len(self._samples) - missing :]]

    def _add(self, now_s: float, sample: dict) -> None:
        self._count += 1
        self._samples.append((self._count, now_s, {"t": round(now_s, 3), **sample}))
        while now_s - self._samples[0][1] > OVER_S:
            self._samples.popleft()
