"""What a person sees while it runs: a window per source, with labels that keys switch on and off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ..frames import FinishedFrame
from .history import HistoryEntry, ImageHistory
from .overlay.draw import annotate
from .overlay.labels import Bar, Line
from .overlay.panels import with_panels
from .screen import DisplayError, window_available
from .window import KeyState, Window

Save = Callable[[FinishedFrame, np.ndarray], None]


def open_display(
    wanted: str,
    stages: Iterable[str],
    save: Save,
    say: Callable[[str], None],
    style: str = "plain",
    delay_s: float = 0.0,
    waits: bool = True,
) -> Display | None:
    """The windows for `auto` or `window`; None where there are to be none, as for `web` and `none`.

    Where `auto` finds no screen, `say` is told; `window` raises `DisplayError` there. `save` is given a frame and its
    picture, as it is shown, when a person presses S; `style` is that of `annotate`; `delay_s` is how long each picture
    that is no frame of a video is shown at least; `waits`: whether the last of them stays until a person ends the run.
    """
    if wanted in ("web", "none"):
        return None
    reason = window_available()
    if reason is None:
        return Display(stages, save, style, delay_s, waits)
    if wanted == "window":
        raise DisplayError(reason)
    say(f"no window: {reason}; the results are written all the same")
    return None


@dataclass(slots=True)
class _WindowState:
    window: Window
    frame: FinishedFrame
    history: ImageHistory
    drawn: np.ndarray | None = None  # what the window shows, without panels
    drawn_with: frozenset[str] | None = None  # the stages whose labels are in the picture; None: not drawn yet
    numbers: tuple[Line | Bar, ...] = ()  # how the run goes
    panels: tuple = (False, (), False)  # what lies over it: the keys, numbers, and that it waits
    live: bool = False
    shown_s: float = 0.0
    age_s: int = 0  # that the picture says it has, 0 while it is fresh


class Display:
    """Shows the newest frame of every source. Keys act on all windows: OpenCV gives them to any that asks first."""

    def __init__(
        self,
        stages: Iterable[str],
        save: Save,
        style: str = "plain",
        delay_s: float = 0.0,
        waits: bool = True,
    ):
        self._style, self._delay_s, self._waits, self._finished = style, delay_s, waits, False
        self._stages, self._save = frozenset(stages), save
        self._shown: dict[str, _WindowState] = {}
        self._view = KeyState()

    @property
    def quit_requested(self) -> bool:
        return self._view.quit

    def show(self, frame: FinishedFrame, drawn: np.ndarray | None, live: bool = False) -> None:
        """Show a frame; `drawn`: its picture with all labels, where it is at hand. A `live` one says when it is old."""
        shown = self._shown.get(frame.source)
        if shown is None:
            shown = self._shown[frame.source] = _WindowState(Window(frame.source), frame, ImageHistory(self._delay_s))
        if (frame.picture.rate is None and not live) or shown.history.unseen:
            shown.history.add(HistoryEntry(frame, drawn))
            self._turn(shown)
        elif not self._view.paused:
            shown.frame, shown.drawn_with = frame, None
            shown.live, shown.shown_s, shown.age_s = live, time.monotonic(), 0
            self._draw(shown, drawn)

    @property
    def wants_numbers(self) -> bool:
        """Whether a person wants to see how the run goes."""
        return self._view.numbers

    def tell(self, source: str, numbers: tuple[Line | Bar, ...]) -> None:
        """How the run of a source goes, for the panel."""
        if shown := self._shown.get(source):
            shown.numbers = numbers

    def poll(self) -> None:
        """Let the windows work and do what the keys ask for."""
        views = [shown.window.poll() for shown in self._shown.values()]
        before, self._view = self._view, reduce(_together, views, KeyState())
        for shown in self._shown.values():
            self._turn(shown, self._view.steps - before.steps)
            if self._view.saves > before.saves:
                self._save(shown.frame, shown.drawn)
            age_s = int(time.monotonic() - shown.shown_s) if shown.live and not self._view.paused else 0
            is_as_it_should = (shown.drawn_with, shown.age_s) == (self._view.show(self._stages), age_s)
            shown.age_s = age_s
            if not is_as_it_should and not self._view.quit:
                self._draw(shown, None)
            elif shown.panels != self._panels(shown):
                self._show(shown)

    def waits_for(self, source: str) -> bool:
        """Whether a person is still looking at the last picture of a source: one that is no video stays until Q."""
        shown = self._shown.get(source)
        still = shown is not None and ((self._waits and shown.frame.picture.rate is None) or shown.history.unseen)
        return bool(still) and not self._view.quit

    def finish(self) -> None:
        """All is written: the windows say what they wait for."""
        self._finished = True
        for shown in self._shown.values():
            shown.window.finish()

    def unseen(self, source: str) -> int | None:
        """The first frame that waits for its turn in the window; None where none does."""
        shown = self._shown.get(source)
        waiting = shown.history.unseen if shown and not self._view.quit else []
        return waiting[0].frame.frame if waiting else None

    def close(self) -> None:
        for shown in self._shown.values():
            shown.window.close()

    def _turn(self, shown: _WindowState, steps: int = 0) -> None:
        """Show the entry of the history whose turn it is, if it is another one."""
        entry = shown.history.turn(time.monotonic(), steps, self._view.paused)
        if entry is not None:
            shown.frame, shown.drawn_with = entry.frame, None
            drawn, entry.drawn = entry.drawn, None
            self._draw(shown, drawn)

    def _draw(self, shown: _WindowState, drawn: np.ndarray | None) -> None:
        show, frame = self._view.show(self._stages), shown.frame
        if drawn is None or show != self._stages:
            said = f"this picture is {shown.age_s} s old" if shown.age_s else frame.error
            drawn = annotate(
                frame.picture.pixels,
                frame.faces,
                show,
                missing=frame.missing,
                error=said,
                style=self._style,
                areas=frame.areas,
            )
        shown.drawn, shown.drawn_with = drawn, show
        self._show(shown)

    def _show(self, shown: _WindowState) -> None:
        shown.panels = self._panels(shown)
        shown.window.show(with_panels(shown.drawn, *shown.panels))

    def _panels(self, shown: _WindowState) -> tuple[bool, tuple[Line | Bar, ...], bool]:
        return self._view.keys, shown.numbers if self._view.numbers else (), self._finished


def _together(one: KeyState, other: KeyState) -> KeyState:
    """One view of two: a switch that was pressed once in each is where it was."""
    return KeyState(
        one.hidden ^ other.hidden,
        one.paused != other.paused,
        one.keys != other.keys,
        one.numbers != other.numbers,
        one.saves + other.saves,
        one.steps + other.steps,
        one.quit or other.quit,
    )
