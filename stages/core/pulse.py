"""How a run goes at the moment: frames a second, latency, and what each stage works and has before it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

_OVER_S = 3.0  # what is told is of the last seconds
_MOST = 1000  # frames that are remembered, however fast they come


@dataclass(frozen=True, slots=True)
class Load:
    stage: str
    work: float  # seconds of work a second, of all its processes together
    queue: int  # pieces of work that wait for it or are under way there


@dataclass(frozen=True, slots=True)
class Beat:
    """One reading."""

    frames_s: float  # frames a second
    latency_s: float | None  # in the middle, from a frame's handing out to its being finished; None before the first
    loads: tuple[Load, ...]  # in the order of the stages


class Pulse:
    """Counts the frames of one source as render finishes them. Times are those of render's monotonic clock."""

    def __init__(self, stages: Iterable[str]):
        self._stages = tuple(stages)
        self._came_s: dict[int, float] = {}
        self._finished: deque[tuple[float, float | None, Mapping[str, float]]] = deque(maxlen=_MOST)
        self._since_s: float | None = None

    def came(self, frame: int, now_s: float) -> None:
        """The picture of a frame has come: capture sends it when it hands the frame out."""
        self._since_s = now_s if self._since_s is None else self._since_s
        if len(self._came_s) < _MOST:  # A camera whose frames are all dropped finishes none.
            self._came_s.setdefault(frame, now_s)

    def finished(self, frame: int, now_s: float, spent_s: Mapping[str, float]) -> None:
        """A frame is in the outputs; `spent_s`: the seconds of work on it, by stage. Frames ascend."""
        came_s = self._came_s.get(frame)
        self._came_s = {other: at_s for other, at_s in self._came_s.items() if other > frame}
        self._finished.append((now_s, None if came_s is None else now_s - came_s, dict(spent_s)))

    def read(self, now_s: float, lacks: Iterable[tuple[int, list[str]]]) -> Beat:
        """The reading of this moment; `lacks` are the frames that are not finished, with what each still wants."""
        while self._finished and now_s - self._finished[0][0] > _OVER_S:
            self._finished.popleft()
        # At the beginning, and where more frames came than are remembered, the time is shorter.
        since_s = now_s if self._since_s is None else self._since_s
        if len(self._finished) == _MOST:
            since_s = self._finished[0][0]
        over_s = min(_OVER_S, max(now_s - since_s, 0.1))
        latencies = [latency for _, latency, _ in self._finished if latency is not None]
        worked: Counter[str] = Counter()
        for _, _, spent_s in self._finished:
            worked.update(spent_s)
        queues = _queues(lacks)
        loads = tuple(Load(stage, worked[stage] / over_s, queues[stage]) for stage in self._stages)
        return Beat(len(self._finished) / over_s, median(latencies) if latencies else None, loads)


def _queues(lacks: Iterable[tuple[int, list[str]]]) -> Counter[str]:
    """How many frames are at each stage: an attribute has none of a frame before its faces are found."""
    queues: Counter[str] = Counter()
    for _, wants in lacks:
        queues.update(["detect"] if "detect" in wants else wants or ["render"])
    return queues
