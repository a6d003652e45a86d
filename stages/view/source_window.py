"""The window of one source: which of its frames is shown, and what is drawn on it and beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..frames import Face, FinishedFrame
from .canvas import Sign, arrange, compose, draw_sign, mark_face, scaled_frame
from .history import ImageHistory, is_still
from .keys import KeyState, Situation, keys_for
from .overlay.draw import annotate_frame
from .overlay.labels import NEUTRAL, Bar, Line, everything_about, id_colour
from .overlay.panels import MARGIN, FacePanel, KeysPanel, LinesPanel, Panel
from .track_history import TrackHistory
from .window import Window
from .window_layout import Layout, Rectangle, Size

_PAUSED, _FINISHED = Line("paused", MARGIN), Line("finished: press Q", NEUTRAL)
_SAVED, _NOT_SAVED = Line("saved", (120, 200, 120)), Line("not saved: see the terminal", (80, 160, 255))  # BGR
_SAVED_S = 1.5  # how long that is said


@dataclass(frozen=True, slots=True)
class _Selection:
    """The face whose history is shown: that of an id, or a place in a frame where faces are not tracked."""

    id: int | None
    frame: FinishedFrame | None = None
    place: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """All that decides what the window shows. While it is equal, nothing is drawn."""

    frame: FinishedFrame
    size: Size
    show: frozenset[str]  # stages whose labels are drawn
    age_s: int  # that the picture says it has, 0 while it is fresh
    sign: Sign | None
    keys: tuple[tuple[str, str], ...]
    numbers: tuple[Line | Bar, ...]
    selected: _Selection | None


class SourceWindow:
    """Takes frames and what the person asks for, and keeps the window as it should be."""

    def __init__(self, window: Window, frame: FinishedFrame, stages: frozenset[str], style: str, delay_s: float):
        """`frame`: the first; `stages`: whose labels keys switch; `style`, `delay_s`: as for `open_display`."""
        self.frame = frame
        self.pictures = ImageHistory(delay_s)
        self.numbers: tuple[Line | Bar, ...] = ()  # how the run goes
        self._window, self._stages, self._style = window, stages, style
        self._tracks = TrackHistory()
        self._analysed_s = self._shown_s = 0.0  # time in the source, of the newest frame and of that shown
        self._live, self._since_s, self._age_s = False, 0.0, 0
        self._look: _Look | None = None
        self._layout: Layout | None = None
        self._selected: _Selection | None = None
        self._saved: tuple[Line, float] | None = None  # what is said of the last picture that was saved, until when
        self._sign_at: Rectangle | None = None
        self._scaled = lru_cache(maxsize=1)(scaled_frame)

    def know(self, frame: FinishedFrame) -> None:
        """Take note of what was said of the faces of a frame, whether or not it is shown."""
        self._tracks.add(frame)
        self._analysed_s = frame.picture.time

    def show(self, frame: FinishedFrame, live: bool, paused: bool, now_s: float) -> None:
        """The next frame has come; a `live` one says when it is old."""
        if (is_still(frame) and not live) or self.pictures.unseen:
            self.pictures.add(frame)
            self.turn(now_s, 0, paused)
        elif not paused:
            self._set(frame, live, now_s)

    def turn(self, now_s: float, steps: int, paused: bool) -> None:
        """Show the picture whose turn it is, if it is another one."""
        frame = self.pictures.turn(now_s, steps, paused)
        if frame is not None:
            self._set(frame, False, now_s)

    def take_click(self) -> None:
        """A click on a face opens its history; another one, or one elsewhere, closes it."""
        click = self._window.take_click()
        if click is None or self._layout is None:
            return
        point = self._layout.in_picture(*click)
        clicked = self._selection_at(*point) if point else None
        self._selected = None if clicked == self._selected else clicked

    def labelled(self, show: frozenset[str]) -> np.ndarray:
        """The frame as it is shown, in its own size: uint8 (H, W, 3) BGR."""
        return self._annotated(self.frame, show)

    def say_saved(self, is_saved: bool, now_s: float) -> None:
        self._saved = (_SAVED if is_saved else _NOT_SAVED), now_s + _SAVED_S

    def refresh(self, view: KeyState, now_s: float, finished: bool) -> bool:
        """Draw the window if anything has changed, and return whether it was drawn.

        finished: everything is written, and the window waits.
        """
        self._window.set_full_screen(view.full_screen)
        self._window.set_state("paused" if view.paused else "finished, press Q" if finished else "")
        self._age_s = int(now_s - self._since_s) if self._live and not view.paused else 0
        if not self._is_known(self._selected):
            self._selected = None
        look = _Look(
            self.frame,
            self._window.size,
            view.show(self._stages),
            self._age_s,
            self._sign(view, now_s, finished),
            tuple(keys_for(view, self.situation(finished))) if view.keys else (),
            self.numbers if view.numbers else (),
            self._selected,
        )
        if look == self._look:
            return False
        self._look = look
        self._window.show(self._drawn(look))
        return True

    def poll(self) -> list[str]:
        return self._window.poll()

    def close(self) -> None:
        self._window.close()

    def _set(self, frame: FinishedFrame, live: bool, now_s: float) -> None:
        self.frame, self._live, self._since_s = frame, live, now_s
        is_preview = frame.picture.rate is None  # It has no time; its faces are those of the newest that was analysed.
        self._shown_s = self._analysed_s if is_preview else frame.picture.time

    def _selection_at(self, x: float, y: float) -> _Selection | None:
        """The smallest face at a point of the frame."""
        there = [
            (face.box[2] * face.box[3], place)
            for place, face in enumerate(self.frame.faces)
            if 0 <= x - face.box[0] < face.box[2] and 0 <= y - face.box[1] < face.box[3]
        ]
        if not there:
            return None
        _, place = min(there)
        number = self.frame.faces[place].id
        return _Selection(number) if number is not None else _Selection(None, self.frame, place)

    def _is_known(self, selected: _Selection | None) -> bool:
        if selected is None:
            return False
        if selected.id is None:
            return selected.frame is self.frame
        return bool(self._tracks.of(selected.id, self._shown_s))

    def _selected_face(self, frame: FinishedFrame) -> Face | None:
        """The face of the selection in the frame that is shown, in whatever size; None where it is not in it."""
        if self._selected is None:
            return None
        if self._selected.id is None:
            return frame.faces[self._selected.place]
        return next((face for face in frame.faces if face.id == self._selected.id), None)

    def _sign(self, view: KeyState, now_s: float, finished: bool) -> Sign | None:
        if self._saved and now_s >= self._saved[1]:
            self._saved = None
        lines = [_PAUSED] * view.paused + ([self._saved[0]] if self._saved else []) + [_FINISHED] * finished
        return Sign(tuple(lines), view.paused) if lines else None

    def situation(self, finished: bool) -> Situation:
        """What the window shows, for the keys; finished: everything is written."""
        return Situation(
            stages=self._stages if self._style != "none" else frozenset(),
            has_faces=bool(self.frame.faces),
            are_followed=any(face.id is not None for face in self.frame.faces),
            face_is_open=self._selected is not None,
            goes_on=not finished or bool(self.pictures.unseen),
            has_previous=self.pictures.has_previous,
            has_next=self.pictures.has_next,
            finished=finished,
        )

    def _drawn(self, look: _Look) -> np.ndarray:
        arrangement = arrange(self.frame.picture.pixels.shape[1::-1], look.size, self._panels(look))
        layout = self._layout = arrangement.layout
        frame = self._scaled(self.frame, layout)
        drawn = self._annotated(frame, look.show)
        if selected := self._selected_face(frame):
            mark_face(drawn, selected)
        canvas = compose(arrangement, drawn)
        self._sign_at = draw_sign(canvas, look.sign, layout, frame, drawn, self._sign_at) if look.sign else None
        return canvas

    def _panels(self, look: _Look) -> Iterator[Panel]:
        if look.keys:
            yield KeysPanel(look.keys)
        if look.selected is not None:
            yield self._face_panel(look.selected)
        if look.numbers:
            yield LinesPanel(look.numbers)

    def _face_panel(self, selected: _Selection) -> Panel:
        if selected.id is None:
            return LinesPanel(tuple(everything_about(self.frame.faces[selected.place], None)))
        samples = self._tracks.of(selected.id, self._shown_s)
        over_s = max(1, round(self._shown_s - samples[0].time))
        title = Line(f"#{selected.id}: the last {over_s} s", id_colour(selected.id))
        face = self._selected_face(self.frame)
        return FacePanel(title, face.shown if face else samples[-1].answers, samples, self._shown_s)

    def _annotated(self, frame: FinishedFrame, show: frozenset[str]) -> np.ndarray:
        old = f"this picture is {self._age_s} s old" if self._age_s else None
        return annotate_frame(frame, self._style, None if show == self._stages else show, old)
