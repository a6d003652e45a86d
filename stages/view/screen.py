"""Whether a window could be opened, and how large the screen is, found out without opening one.

Qt ends the whole process where it cannot open a window, so that we do not try.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from ..errors import FacepipeError
from .window_layout import Rectangle
from .x11 import XError, x_server

_COREGRAPHICS = "/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics"


class DisplayError(FacepipeError):
    """A window was asked for and cannot be opened."""

    def __init__(self, reason: str):
        super().__init__(
            f"a window was asked for, but {reason}; --display none does without, auto opens one where it is possible."
        )


def window_available() -> str | None:
    """None if a window can be opened, else why not, in a few words."""
    import cv2  # Only here: the command asks for the screen alone, before anything is started.

    if cv2.currentUIFramework() in ("", "NONE"):
        return "this OpenCV is built without windows (headless)"
    return no_screen()


def no_screen() -> str | None:
    """Why there is no screen for a window, in a few words; None where there is one."""
    if sys.platform in ("win32", "darwin"):
        return None
    display = os.environ.get("DISPLAY", "")
    if not display and os.environ.get("WAYLAND_DISPLAY"):
        return "OpenCV's windows need X11, and DISPLAY is not set (on Wayland, Xwayland sets it)"
    if not display:
        return "there is no screen (DISPLAY is not set)"
    try:
        x_server(display)
    except XError as error:
        return str(error)
    return None


def screen() -> Rectangle | None:
    """The first monitor, in pixels; None where it is not known."""
    try:
        if sys.platform == "win32":
            return Rectangle(0, 0, *map(ctypes.windll.user32.GetSystemMetrics, (0, 1)))
        if sys.platform == "darwin":
            graphics = ctypes.CDLL(_COREGRAPHICS)
            monitor = graphics.CGMainDisplayID()
            return Rectangle(0, 0, graphics.CGDisplayPixelsWide(monitor), graphics.CGDisplayPixelsHigh(monitor))
        return Rectangle(*x_server(os.environ.get("DISPLAY", "")).monitors()[0])
    except (XError, OSError, AttributeError, struct.error):
        return None
