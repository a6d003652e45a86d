"""Short films of what has happened: a few small pictures a second, from before each event to after it.

They are kept as pictures, not as video: browsers draw the labels over them as over the live picture, and hide the faces
in them where a viewer wants it. The annotated video of a run that is under way cannot be played yet.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from ...frames import FinishedFrame
from .encoded import no_larger
from .kept import KeptPictures
from .said import Labels

BEFORE_S, AFTER_S = 3.0, 2.0  # of an event
_APART_S = 0.19  # five pictures a second
_SIDE = 480  # pixels of the longer side
_MOST = 500  # films of all sources


@dataclass(slots=True, eq=False)
class _Shot:
    """One picture of a source, kept as soon as a film needs it."""

    pixels: np.ndarray
    to_anonymize: Sequence | None  # in pixels of `pixels`; None: everything
    said: dict  # as `Labels.picture` says it
    kept: str | None = None  # its name


class Films:
    """The films of all sources, by name; names as of `KeptPictures`. Lets the oldest go."""

    def __init__(self, life: int) -> None:
        self._life, self._numbers, self._films = life, count(1), OrderedDict()

    def add(self, shots: list[dict]) -> str:
        """Keep a film, which may grow, and return its name."""
        name = f"{self._life}-{next(self._numbers)}"
        self._films[name] = shots
        while len(self._films) > _MOST:
            self._films.popitem(last=False)
        return name

    def of(self, name: str) -> list[dict] | None:
        """Its pictures from the first on, each as it is said with the name that it is kept under; None without it."""
        return self._films.get(name)


class Camera:
    """What films of one source are made of: its last seconds, and the films that go on."""

    def __init__(self, kept: KeptPictures, films: Films):
        self._kept, self._films = kept, films
        self._last: deque[_Shot] = deque()
        self._running: list[tuple[float, list[dict]]] = []  # until when each goes on

    def take(self, frame: FinishedFrame, to_anonymize: Sequence | None, labels: Labels) -> None:
        """A frame of a video or camera is in the outputs; `to_anonymize` as of `EncodedFrame`."""
        time_s = frame.picture.time
        if self._last and not 0 <= time_s - self._last[-1].said["time"] <= BEFORE_S:
            self._last.clear()  # Another file, or a long gap.
        if self._last and time_s - self._last[-1].said["time"] < _APART_S:
            return
        self._last.append(shot := _shot(frame, to_anonymize, labels))
        while time_s - self._last[0].said["time"] > BEFORE_S:
            self._last.popleft()
        self._running = [(until_s, film) for until_s, film in self._running if time_s <= until_s <= time_s + AFTER_S]
        for _, film in self._running:
            film.append(self._keep(shot))

    def begin(self, time_s: float) -> str | None:
        """Something happens at this time of the source; the name of its film, None where there is no picture yet."""
        if not self._last:
            return None
        film = [self._keep(shot) for shot in self._last]
        self._running.append((time_s + AFTER_S, film))
        return self._films.add(film)

    def _keep(self, shot: _Shot) -> dict:
        if shot.kept is None:
            shot.kept = self._kept.keep(shot.pixels, shot.to_anonymize, _SIDE)
        return {"kept": shot.kept, **shot.said}


def _shot(frame: FinishedFrame, to_anonymize: Sequence | None, labels: Labels) -> _Shot:
    pixels = frame.picture.pixels
    # Averaging every pixel of a large picture would take longer than all the rest.
    step = max(1, max(pixels.shape[:2]) // (2 * _SIDE))
    small = no_larger(np.ascontiguousarray(pixels[::step, ::step]), _SIDE)
    scale = small.shape[1] / pixels.shape[1]
    boxes = None if to_anonymize is None else [[scale * value for value in box] for box in to_anonymize]
    return _Shot(small, boxes, labels.picture(frame))
