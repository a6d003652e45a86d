"""How a run goes at the moment: frames a second, latency, and what each stage works and has before it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_OVER_S = 3.0  # what is told is of the last seconds
_MOST = 1000  # frames that are remembered, however fast they come


@dataclass(frozen=True, slots=True)
class Load:
    """How busy one stage is."""

    stage: str
    work: float  # seconds of work a second, of all its processes together
    queue: int  # tasks that wait for it or are under way there


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rates of one moment."""

    frames_s: float  # frames a second
    latency_s: float | None  # in the middle, from reading a frame to its acknowledgement; None: capture has not said
    loads: tuple[Load, ...]  # in the order of the stages


class RateMeter:
    """Counts the frames of one source as render finishes them. Times are those of render's monotonic clock."""

    def __init__(self, stages: Iterable[str]):
        self._stages = tuple(stages)
        self._finished: deque[tuple[float, Mapping[str, float]]] = deque(maxlen=_MOST)
        self._since_s: float | None = None
        self._latency: tuple[float, float] | None = None  # when it was told, and what

    def came(self, now_s: float) -> None:
        """The picture of a frame has come: capture sends it when it hands the frame out."""
        self._since_s = now_s if self._since_s is None else self._since_s

    def told(self, latency_s: float, now_s: float) -> None:
        """Capture has said how late frames are: only there is a clock that has seen them read and acknowledged."""
        self._latency = (now_s, latency_s)

    def finished(self, now_s: float, spent_s: Mapping[str, float]) -> None:
        """A frame is in the outputs; `spent_s`: the seconds of work on it, by stage."""
        self._finished.append((now_s, dict(spent_s)))

    def snapshot(self, now_s: float, missing_parts: Iterable[tuple[int, list[str]]]) -> Snapshot:
        """The snapshot of this moment; `missing_parts` are the frames that are not finished, with what each still
        wants."""
        while self._finished and now_s - self._finished[0][0] > _OVER_S:
            self._finished.popleft()
        # At the beginning, and where more frames came than are remembered, the time is shorter.
        since_s = now_s if self._since_s is None else self._since_s
        if len(self._finished) == _MOST:
            since_s = self._finished[0][0]
        over_s = min(_OVER_S, max(now_s - since_s, 0.1))
        told_s, latency_s = self._latency or (0.0, None)
        if now_s - told_s > _OVER_S:
            latency_s = None
        worked: Counter[str] = Counter()
        for _, spent_s in self._finished:
            worked.update(spent_s)
        queues = _queues(missing_parts)
        loads = tuple(Load(stage, worked[stage] / over_s, queues[stage]) for stage in self._stages)
        return Snapshot(len(self._finished) / over_s, latency_s, loads)


def _queues(missing_parts: Iterable[tuple[int, list[str]]]) -> Counter[str]:
    """How many frames are at each stage: an attribute has none of a frame before its faces are found."""
    queues: Counter[str] = Counter()
    for _, wants in missing_parts:
        queues.update(["detect"] if "detect" in wants else wants or ["render"])
    return queues
