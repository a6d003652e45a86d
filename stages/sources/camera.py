"""Cameras, read by OpenCV.

OpenCV rather than PyAV: it opens a camera by its number on every system (V4L2, AVFoundation, DirectShow), where FFmpeg wants
another name and other options on each, and the PyAV wheels have no camera support on some.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from stages.core.frames import Picture
from stages.sources.base import Source, SourceError, counted, size_and_rate

_FIRST_PICTURE_S = 5.0
_LOST_AFTER_S = 5.0
_PROBED = 4  # where the system cannot be asked, so many numbers are tried
_BACKENDS = {"linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_DSHOW}
_CAMERAS = Path("/sys/class/video4linux")


def list_cameras() -> list[str]:
    """One line for each camera: "0: Integrated Camera (/dev/video0)"."""
    return [f"{number}: {name}" for number, name in _cameras().items()]


def first_camera() -> Camera | None:
    """The camera with the lowest number that opens and gives a picture."""
    for number in _cameras():
        try:
            return Camera(number)
        except SourceError:  # Taken by another program, or broken: the next one may do.
            continue
    return None
