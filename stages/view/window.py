"""A window with the annotated pictures, and its keys. The only file that calls OpenCV's windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..names import printable

KEYS = "G gender, E emotion, A age, D numbers, S save, space pause, H keys, Q quit"
_SWITCHES = {"g": "gender", "e": "emotion", "a": "age"}
_ESCAPE, BACK, NEXT = "\x1b", "left", "right"
# What the arrows are in the toolkits: X11's key symbols (Qt, GTK), Windows' virtual keys, AppKit's function keys.
_SPECIAL = {
    0xFF51: BACK, 0x250000: BACK, 0xF702: BACK,
    0xFF53: NEXT, 0x270000: NEXT, 0xF703: NEXT,
    0xFF1B: _ESCAPE,
}  # fmt: skip
_FIRST_WIDTH, _FIRST_HEIGHT = 1280, 720  # pixels; larger pictures are scaled into it, the person may enlarge it
_LONGEST_SIDE = 2560  # pixels handed to the window, which copies and scales what it gets anew at every repaint
_MARGIN = (32, 32, 32)  # BGR, beside a picture of another shape than the window
_KEYS_AT_ONCE = 8  # taken in one `poll`: each costs a turn of the window's own loop


@dataclass(frozen=True, slots=True)
class KeyState:
    """What the person at the window asked for so far."""

    hidden: frozenset[str] = frozenset()  # stages whose labels are switched off
    paused: bool = False  # the display stands still; the pipeline does not
    keys: bool = False  # the keys are shown
    numbers: bool = False  # how the run goes is shown
    saves: int = 0  # how often a picture was to be saved
    steps: int = 0  # pictures on, less those back
    quit: bool = False

    def show(self, stages: Iterable[str]) -> frozenset[str]:
        """Which of the stages have their labels drawn."""
        return frozenset(stages) - self.hidden


def on_key(view: KeyState, key: str) -> KeyState:
    """What a key does.

    g, e, a and d, h switch labels and panels, s saves, space pauses, left and right turn pages, q and Escape quit.
    """
    key = key.lower()
    if key in (BACK, NEXT):
        return replace(view, steps=view.steps + (1 if key == NEXT else -1))
    if key in _SWITCHES:
        return replace(view, hidden=view.hidden ^ {_SWITCHES[key]})
    if key == " ":
        return replace(view, paused=not view.paused)
    if key == "h":
        return replace(view, keys=not view.keys)
    if key == "d":
        return replace(view, numbers=not view.numbers)
    if key == "s":
        return replace(view, saves=view.saves + 1)
    if key in ("q", _ESCAPE):
        return replace(view, quit=True)
    return view


def key_of(code: int) -> str:
    """The key of a code of OpenCV's `pollKey`: a character, `BACK`, `NEXT`, or nothing for keys that we do not know.

    Its lower byte alone would take the left arrow, 0xFF51, for a Q.
    """
    if code in _SPECIAL:
        return _SPECIAL[code]
    code &= 0xFFFF  # GTK puts what else is held down, and Num Lock, above it.
    return _SPECIAL.get(code) or (chr(code) if code < 0x100 else "")


class Window:
    """Opens with the first picture. Ask `window_available` before: without a screen OpenCV ends the process."""

    def __init__(self, title: str):
        self.view = KeyState()
        self._name = f"facepipe {id(self)}"
        self._title = printable(title)
        self._shown: np.ndarray | None = None
        self._shape: tuple[int, int] | None = None  # width and height of the window's inside when it was last filled
        self._finished = False

    def show(self, picture: np.ndarray) -> None:
        """Show uint8 (H, W, 3) BGR; `poll` must follow for it to appear. The caller respects `view.paused`."""
        if self._shown is None:
            self._open(picture)
        self._shown = picture
        self._fill()

    def poll(self) -> KeyState:
        """Let the window work, take the keys pressed since the last call and return the view; never waits."""
        if self._shown is None or self.view.quit:
            return self.view
        for _ in range(_KEYS_AT_ONCE):
            code = cv2.pollKey()
            if code < 0:
                break
            self._press(code)
        if self._closed_by_its_button():
            self.view = replace(self.view, quit=True)
        elif self._inside() != self._shape:  # A person has drawn it larger, or the screen has made it smaller.
            self._fill()
        return self.view

    def finish(self) -> None:
        """Nothing more comes: say in the title that the window waits for a person."""
        self._finished = True
        if self._shown is not None:
            self._set_title()

    def close(self) -> None:
        if self._shown is not None:
            self._shown = None
            if not self._closed_by_its_button():
                cv2.destroyWindow(self._name)
                cv2.pollKey()  # The window goes in a turn of its loop.

    def _open(self, picture: np.ndarray) -> None:
        # Free of a ratio: Qt's KEEPRATIO keeps that of the first picture until the window is resized, and squeezes the
        # next one into it.
        cv2.namedWindow(self._name, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        height, width = _no_larger(picture, _FIRST_WIDTH, _FIRST_HEIGHT).shape[:2]
        cv2.resizeWindow(self._name, max(width, 320), max(height, 180))
        self._set_title()

    def _fill(self) -> None:
        """Hand over the picture with margins that give it the shape of the window, which then does not change it."""
        self._shape = self._inside()
        cv2.imshow(self._name, with_margins(self._shown, self._shape))

    def _inside(self) -> tuple[int, int] | None:
        try:
            _, _, width, height = cv2.getWindowImageRect(self._name)
        except cv2.error:  # A toolkit that does not know, or a window that goes just now.
            return None
        return (width, height) if width > 0 and height > 0 else None

    def _press(self, code: int) -> None:
        before, self.view = self.view, on_key(self.view, key_of(code))
        if self.view.paused != before.paused:
            self._set_title()

    def _set_title(self) -> None:
        """The keys stand in the title, where they hide nothing."""
        state = " (paused)" if self.view.paused else " (finished, press Q)" if self._finished else ""
        cv2.setWindowTitle(self._name, f"{self._title}{state}: {KEYS}")

    def _closed_by_its_button(self) -> bool:
        try:
            return cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # Some of OpenCV's toolkits no longer know a window that was closed.
            return True


def with_margins(picture: np.ndarray, shape: tuple[int, int] | None) -> np.ndarray:
    """The picture, uint8 (H, W, 3), in the middle of a plane with the ratio of `shape`, its width and height.

    Without margins where it has that ratio to the pixel, or where the shape is not known; a large one is made smaller.
    """
    if shape is None:
        return _no_larger(picture, _LONGEST_SIDE, _LONGEST_SIDE)
    picture = _no_larger(picture, *(_LONGEST_SIDE * side / max(shape) for side in shape))
    height, width = picture.shape[:2]
    across = max(0, round(height * shape[0] / shape[1]) - width)
    down = max(0, round(width * shape[1] / shape[0]) - height)
    if max(across, down) <= 1:
        return picture
    edges = (down // 2, down - down // 2, across // 2, across - across // 2)
    return cv2.copyMakeBorder(picture, *edges, cv2.BORDER_CONSTANT, value=_MARGIN)


def _no_larger(picture: np.ndarray, width: float, height: float) -> np.ndarray:
    scale = min(width / picture.shape[1], height / picture.shape[0])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
