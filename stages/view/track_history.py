"""What was said of each tracked face over the last minute. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..answers import Answer
from ..frames import Face, FinishedFrame

OVER_S = 60.0  # that is kept of each face
_APART_S = 0.2  # between two samples of a face: charts in a window show no more
_MOST_TRACKS = 32  # the longest out of sight are forgotten first


@dataclass(frozen=True, slots=True)
class Sample:
    """One face at one time."""

    time: float  # seconds, of its frame
    answers: dict[str, Answer]  # by stage, as displayed; empty where it is unsure


class TrackHistory:
    """Samples of the tracked faces of one source, which is given every frame in its order."""

    def __init__(self) -> None:
        self._tracks: dict[int, deque[Sample]] = {}
        self._file: str | None = None  # of a folder, to which ids and times belong

    def add(self, frame: FinishedFrame) -> None:
        """Note the faces of a frame that have an id."""
        time = frame.picture.time
        if frame.picture.file != self._file:
            self._file = frame.picture.file
            self._tracks.clear()
        for face in frame.faces:
            if face.id is not None:
                self._add(face, time)
        while len(self._tracks) > _MOST_TRACKS:
            del self._tracks[min(self._tracks, key=lambda number: self._tracks[number][-1].time)]

    def of(self, number: int, until: float) -> list[Sample]:
        """The samples of a face up to a time, oldest first, of the `OVER_S` before it; none where it is not known."""
        return [s for s in self._tracks.get(number, ()) if until - OVER_S <= s.time <= until]

    def _add(self, face: Face, time: float) -> None:
        samples = self._tracks.setdefault(face.id, deque())
        if samples and 0 <= time - samples[-1].time < _APART_S:
            return
        samples.append(Sample(time, face.shown))
        while time - samples[0].time > OVER_S or samples[0].time > time:
            samples.popleft()
