"""A window: shows what it is given, and gives back keys and clicks. The only file that calls OpenCV's windows."""

from __future__ import annotations

import cv2
import numpy as np

from ..names import printable
from .keys import QUIT, key_of
from .window_layout import Rectangle, Size

_LONGEST_SIDE = 3840  # pixels handed to the window, which copies and scales what it gets anew at every repaint
_KEYS_AT_ONCE = 8  # taken in one `poll`: each costs a turn of the window's own loop


class Window:
    """Ask `window_available` before: without a screen OpenCV ends the process."""

    def __init__(self, title: str, place: Rectangle):
        """Open it; `place`: of its inside on the screen, which may change it."""
        self._name = f"facepipe {id(self)}"
        self._title, self._state = printable(title), ""
        self._asked_for, self._full_screen = (place.width, place.height), False
        self._click: tuple[int, int] | None = None
        self._is_open = True
        # Free of a ratio: Qt's KEEPRATIO keeps that of the first picture until the window is resized, and squeezes the
        # next one into it.
        cv2.namedWindow(self._name, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.resizeWindow(self._name, place.width, place.height)
        # A window manager has found a place for the small window that it was until now.
        cv2.moveWindow(self._name, place.left, place.top)
        cv2.setMouseCallback(self._name, self._on_mouse)
        self._set_title()

    @property
    def size(self) -> Size:
        """Of the picture that fills it now: its inside, or smaller in the same ratio where that is very large."""
        try:
            _, _, width, height = cv2.getWindowImageRect(self._name)
        except cv2.error:  # A toolkit that does not know, or a window that goes just now.
            width = height = 0
        if width <= 0 or height <= 0:
            width, height = self._asked_for
        shrink = max(1.0, max(width, height) / _LONGEST_SIDE)
        return max(1, round(width / shrink)), max(1, round(height / shrink))

    def show(self, canvas: np.ndarray) -> None:
        """Show uint8 (H, W, 3) BGR of this `size`; `poll` must follow for it to appear."""
        cv2.imshow(self._name, canvas)

    def poll(self) -> list[str]:
        """Let the window work; returns the keys pressed since the last call, `QUIT` for its button. Never waits."""
        keys: list[str] = []
        if not self._is_open:
            return keys
        while len(keys) < _KEYS_AT_ONCE and (code := cv2.pollKey()) >= 0:
            keys.append(key_of(code))
        if self._closed_by_its_button():
            self._is_open = False
            keys.append(QUIT)
        return keys

    def take_click(self) -> tuple[int, int] | None:
        """Where the left button was pressed last since the last call, x and y in what is shown."""
        click, self._click = self._click, None
        return click

    def set_state(self, state: str) -> None:
        """What the title says of the window, such as "paused"; nothing for ""."""
        if state != self._state:
            self._state = state
            self._set_title()

    def set_full_screen(self, full_screen: bool) -> None:
        if full_screen != self._full_screen:
            self._full_screen = full_screen
            mode = cv2.WINDOW_FULLSCREEN if full_screen else cv2.WINDOW_NORMAL
            cv2.setWindowProperty(self._name, cv2.WND_PROP_FULLSCREEN, mode)

    def close(self) -> None:
        if self._is_open and not self._closed_by_its_button():
            cv2.destroyWindow(self._name)
            cv2.pollKey()  # The window goes in a turn of its loop.
        self._is_open = False

    def _on_mouse(self, event: int, x: int, y: int, *_: object) -> None:
        if event == cv2.EVENT_LBUTTONDOWN:
            self._click = x, y

    def _set_title(self) -> None:
        state = f" ({self._state})" if self._state else ""
        cv2.setWindowTitle(self._name, f"{self._title}{state}: press H for the keys")

    def _closed_by_its_button(self) -> bool:
        try:
            return cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # Some of OpenCV's toolkits no longer know a window that was closed.
            return True
