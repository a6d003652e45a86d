"""What a person sees while it runs: a window per source, with labels that keys switch on and off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np

from ..frames import FinishedFrame
from .history import is_still
from .keys import KeyState, Situation, on_key
from .overlay.labels import Bar, Line
from .screen import DisplayError, screen, window_available
from .source_window import SourceWindow
from .window import Window
from .window_layout import first_place

Save = Callable[[FinishedFrame, np.ndarray], bool]


def open_display(
    wanted: str,
    stages: Iterable[str],
    save: Save,
    say: Callable[[str], None],
    style: str = "compact",
    delay_s: float = 0.0,
    waits: bool = True,
    sources: int = 1,
) -> Display | None:
    """The windows for `auto` or `window`; None where there are to be none, as for `web` and `none`.

    Where `auto` finds no screen, `say` is told; `window` raises `DisplayError` there. `save` is given a frame and its
    picture with the labels that are shown, when a person presses S, and returns whether it is saved; `style` is that of
    `annotate`; `delay_s` is how long each picture that is no frame of a video is shown at least; `waits`: whether the
    last of them stays until a person ends the run; `sources`: how many windows there are to be.
    """
    if wanted in ("web", "none"):
        return None
    reason = window_available()
    if reason is None:
        return Display(stages, save, style, delay_s, waits, sources)
    if wanted == "window":
        raise DisplayError(reason)
    say(f"no window: {reason}; the results are written all the same")
    return None


class Display:
    """Shows the newest frame of every source. Keys act on all windows: OpenCV gives them to any that asks first."""

    def __init__(
        self,
        stages: Iterable[str],
        save: Save,
        style: str = "compact",
        delay_s: float = 0.0,
        waits: bool = True,
        sources: int = 1,
    ):
        self._sources = sources
        self._style, self._delay_s, self._waits, self._finished = style, delay_s, waits, False
        self._stages, self._save = frozenset(stages), save
        self._windows: dict[str, SourceWindow] = {}
        self._view = KeyState()
        self._rests_until_s, self._drew = 0.0, False  # until when nothing is drawn; whether the last `poll` did

    @property
    def quit_requested(self) -> bool:
        return self._view.quit

    def know(self, frame: FinishedFrame) -> None:
        """Take note of a finished frame for the history of its faces; to be called before it is shown."""
        self._window_of(frame).know(frame)

    def show(self, frame: FinishedFrame, live: bool = False) -> None:
        """Show a frame from the next `poll` on. A `live` one says when it is old."""
        self._window_of(frame).show(frame, live, self._view.paused, time.monotonic())

    @property
    def wants_numbers(self) -> bool:
        """Whether a person wants to see how the run goes."""
        return self._view.numbers

    def tell(self, source: str, numbers: tuple[Line | Bar, ...]) -> None:
        """How the run of a source goes, for the panel."""
        if window := self._windows.get(source):
            window.numbers = numbers

    def poll(self) -> None:
        """Let the windows work, do what keys and clicks ask for, and draw what has changed."""
        before, now_s = self._view, time.monotonic()
        for window in self._windows.values():
            for key in window.poll():
                self._view = on_key(self._view, key, self._situation)
        if self._view.quit:
            return
        drew = False
        for window in self._windows.values():
            window.take_click()
            window.turn(now_s, self._view.steps - before.steps, self._view.paused)
            if self._view.saves > before.saves:
                picture = window.labelled(self._view.show(self._stages))
                window.say_saved(self._save(window.frame, picture), now_s)
            if now_s >= self._rests_until_s:
                drew = window.refresh(self._view, now_s, self._finished) or drew
        self._rest(now_s, drew)

    def waits_for(self, source: str) -> bool:
        """Whether a person is still looking at the last picture of a source.

        One that is no video stays until Q, a video that is paused until it goes on.
        """
        window = self._windows.get(source)
        if window is None or self._view.quit:
            return False
        stays = is_still(window.frame) or self._view.paused
        return (self._waits and stays) or bool(window.pictures.unseen)

    def forget(self, source: str) -> None:
        """A source does not belong to the run any more: its window is closed."""
        if window := self._windows.pop(source, None):
            window.close()

    def finish(self) -> None:
        """All is written: the windows say what they wait for."""
        self._finished = True

    def unseen(self, source: str) -> int | None:
        """The first frame that waits for its turn in the window; None where none does."""
        window = self._windows.get(source)
        waiting = window.pictures.unseen if window and not self._view.quit else []
        return waiting[0].frame if waiting else None

    def close(self) -> None:
        for window in self._windows.values():
            window.close()

    @property
    def _situation(self) -> Situation:
        """That of all windows together."""
        goes_on = any(window.situation(self._finished).goes_on for window in self._windows.values())
        return Situation(self._stages, goes_on=goes_on, finished=self._finished)

    def _rest(self, began_s: float, drew: bool) -> None:
        """After a `poll`: give no more than half of the time to windows, so that the outputs do not wait for them.

        A frame on the whole of a large screen takes 80 ms. What was drawn is painted in the next `poll`, which counts.
        """
        if drew or self._drew:
            ended_s = time.monotonic()
            self._rests_until_s = max(self._rests_until_s, ended_s + (ended_s - began_s))
        self._drew = drew

    def _window_of(self, frame: FinishedFrame) -> SourceWindow:
        if frame.source not in self._windows:
            height, width = frame.picture.pixels.shape[:2]
            place = first_place((width, height), screen(), len(self._windows), self._sources)
            window = Window(frame.source, place)
            self._windows[frame.source] = SourceWindow(window, frame, self._stages, self._style, self._delay_s)
        return self._windows[frame.source]
