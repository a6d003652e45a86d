"""What a person may look back at: the pictures of a folder, and what happened in the last hour, with pictures.

Both are lists of which a browser is told what is new to it, as of the samples of the charts.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

import numpy as np

from ...frames import Face, FinishedFrame
from ...vision.thumbnail import square_around
from .encoded import no_larger
from .films import Camera
from .kept import KeptPictures
from .said import Labels

HOUR_S = 3600.0
_MOST_EVENTS = 500
_MOST_PICTURES = 5000  # of a folder, that are listed
_PICTURE_SIDE, _FACE_SIDE = 1280, 160  # pixels
_AROUND_FACE = 1.6  # of the box's side
_MOST_PEOPLE = 200  # whose newest face is at hand, 80 kB each
_APART_S = 0.19  # between two faces of a person: five a second


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
        # By number of a person: when they were seen, and their face then. Who was not seen for longest is first.
        self._newest: OrderedDict[int, tuple[float, np.ndarray]] = OrderedDict()

    def seen(self, frame: FinishedFrame) -> None:
        """A frame of a video or camera is in the outputs; its faces are kept for events of people who are gone."""
        time_s = frame.picture.time
        for face in frame.faces:
            if face.id is None or 0 <= time_s - self._newest.get(face.id, (-_APART_S, None))[0] < _APART_S:
                continue
            if (around := _around(face, frame)).size:
                self._newest[face.id] = time_s, around.copy()  # A view would keep the whole frame.
                self._newest.move_to_end(face.id)
        while len(self._newest) > _MOST_PEOPLE:
            self._newest.popitem(last=False)

    def happened(self, event: dict, said: str, frame: FinishedFrame, now_s: float) -> None:
        """An event, as a line of events.jsonl says it. `said`: its answers in words; `frame`: in which it is known.

        now_s: seconds of a clock that goes on with the frames; what is older than an hour is forgotten.
        """
        number = event["id"]
        keys = ("event", "id", "frame", "time", "clock", "zone", "line", "direction", "dwell")
        moment = {key: event[key] for key in keys if key in event}
        film = self._camera.begin(frame.picture.time)
        self._add({"t": round(now_s, 3), "said": said, "kept": self._picture(number, frame), "film": film, **moment})
        if event["event"] == "left":
            self._newest.pop(number, None)
        while self._moments and now_s - self._moments[0]["t"] > HOUR_S:
            self._moments.popleft()

    def _picture(self, number: int, frame: FinishedFrame) -> str | None:
        """The name of the picture of a person: in this frame, or as they were seen last."""
        face = next((face for face in frame.faces if face.id == number), None)
        around = None if face is None else _around(face, frame)
        if around is None or not around.size:
            _, around = self._newest.get(number, (0.0, None))
        # Nothing but this face: hidden, all of it is.
        return None if around is None else self._kept.keep(around, None, _FACE_SIDE)


def _around(face: Face, frame: FinishedFrame) -> np.ndarray:
    """Uint8 (H, W, 3) BGR; empty where the face lies outside of the picture."""
    around = square_around(frame.picture.pixels, face.box, _AROUND_FACE)
    return no_larger(around, _FACE_SIDE) if around.size else around
