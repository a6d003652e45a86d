"""What a person may look back at: the pictures of a folder, and what happened in the last hour, with pictures.

Both are lists of which a browser is told what is new to it, as of the samples of the charts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ...frames import FinishedFrame
from ...vision.thumbnail import square_around
from .films import Camera
from .kept import KeptPictures
from .said import Labels

HOUR_S = 3600.0
_MOST_EVENTS = 500
_MOST_PICTURES = 5000  # of a folder, that are listed
_PICTURE_SIDE, _FACE_SIDE = 1280, 160  # pixels
_AROUND_FACE = 1.6  # of the box's side


class Moments:
    """A list that grows at its end. Each moment has its number, from 1; a browser is told those that it has not got."""

    def __init__(self, most: int):
        self._moments: deque[dict] = deque(maxlen=most)
        self._count = 0

    @property
    def count(self) -> int:
        """How many there have been."""
        return self._count

    def since(self, count: int) -> list[dict]:
        """Those after the first `count`, oldest first, as far as they are still here."""
        missing = min(len(self._moments), max(0, self._count - count))
        return list(self._moments)[len(self._moments) - missing :]

    def _add(self, moment: dict) -> None:
        self._count += 1
        self._moments.append({"n": self._count, **moment})


class Gallery(Moments):
    """The pictures of a folder that are finished."""

    def __init__(self, kept: KeptPictures):
        super().__init__(_MOST_PICTURES)
        self._kept = kept

    def finished(self, frame: FinishedFrame, to_anonymize: Sequence | None, labels: Labels) -> None:
        """A picture is in the outputs."""
        picture = self._kept.keep(frame.picture.pixels, to_anonymize, _PICTURE_SIDE, has_thumbnail=True)
        self._add({"kept": picture, **labels.picture(frame)})


class Timeline(Moments):
    """The events of one source."""

    def __init__(self, kept: KeptPictures, camera: Camera):
        super().__init__(_MOST_EVENTS)
        self._kept, self._camera = kept, camera
        self._faces: dict[int, int] = {}  # by number of a person: the number of their picture

    def happened(self, event: dict, said: str, frame: FinishedFrame, now_s: float) -> None:
        """An event, as a line of events.jsonl says it. `said`: its answers in words; `frame`: in which it is known.

        now_s: seconds of a clock that goes on with the frames; what is older than an hour is forgotten.
        """
        number = event["id"]
        if (picture := self._picture(number, frame)) is not None:
            self._faces[number] = picture
        keys = ("event", "id", "frame", "time", "clock", "zone", "line", "direction", "dwell")
        moment = {key: event[key] for key in keys if key in event}
        film = self._camera.begin(frame.picture.time)
        self._add({"t": round(now_s, 3), "said": said, "kept": self._faces.get(number), "film": film, **moment})
        if event["event"] == "left":
            self._faces.pop(number, None)
        while self._moments and now_s - self._moments[0]["t"] > HOUR_S:
            self._moments.popleft()

    def _picture(self, number: int, frame: FinishedFrame) -> int | None:
        face = next((face for face in frame.faces if face.id == number), None)
        if face is None:
            return None
        around = square_around(frame.picture.pixels, face.box, _AROUND_FACE)
        # Nothing but this face: hidden, all of it is.
        return self._kept.keep(around, None, _FACE_SIDE) if around.size else None
