"""Cameras, read by OpenCV.

OpenCV rather than PyAV: it opens a camera by its number on every system (V4L2, AVFoundation, DirectShow), where FFmpeg
wants another format, name and options on each.
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

from ..frames import Picture
from ..names import counted
from .base import Source, SourceAway, SourceError, size_and_rate
from .pixels import silent_opencv

_SILENT_FOR_S = 5.0  # a camera that gives nothing for so long is broken, taken or gone
_ASK_AGAIN_S = 0.05
_PROBED = 4  # so many numbers are tried where the system cannot be asked for its cameras
_USUAL_RATE = 30.0  # frames a second, of a camera that does not tell
_BACKENDS = {"linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_DSHOW}
_DEVICES, _DESCRIPTIONS = Path("/dev"), Path("/sys/class/video4linux")


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


def open_capture(number: int) -> cv2.VideoCapture:
    """OpenCV's capture, opened or not."""
    with silent_opencv():
        return cv2.VideoCapture(number, _BACKENDS.get(sys.platform, cv2.CAP_ANY))


class Camera(Source):
    """A camera; when it is lost it is opened again, and ends, with a note, where it stays away."""

    live = True

    def __init__(self, number: int, open_capture: Callable[[int], cv2.VideoCapture] = open_capture):
        """Open it and wait for its first picture; raises `SourceError` after 5 s without one."""
        self._number, self._open_capture = number, open_capture
        self._capture: cv2.VideoCapture | None = None
        height, width = self._open().shape[:2]
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        stated = rate if 1 <= rate <= 1000 else None
        self._rate = stated or _USUAL_RATE
        super().__init__(f"camera{number}", size_and_rate(width, height, stated))

    def close(self) -> None:
        super().close()
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _read(self, start: int) -> Iterator[Picture]:
        if self._capture is None:
            self._open()
        count, opened_s, is_there = 0, time.monotonic(), True
        while is_there:
            for pixels in self._until_silent():
                yield Picture(pixels, time.monotonic() - opened_s, self._rate, clock=time.time())
                count += 1
            self._capture.release()  # A device that was plugged in again is another one.
            is_there = self._found_again(f"camera {self._number}", self._open) is not None
        back = f", lost {counted(self.reconnections, 'time')} before" if self.reconnections else ""
        self._note(
            f"Camera {self._number} gave {counted(count, 'frame')} and then nothing for {_SILENT_FOR_S:g} s{back}."
        )

    def _until_silent(self) -> Iterator[np.ndarray]:
        last_s = time.monotonic()
        while time.monotonic() - last_s < _SILENT_FOR_S:
            there, pixels = self._capture.read()
            if there:
                yield pixels
                last_s = time.monotonic()
            else:
                time.sleep(_ASK_AGAIN_S)  # An unplugged camera answers at once, and would take a whole core.

    def _open(self) -> np.ndarray:
        """Sets the capture; gives its first picture, which is dropped: many cameras begin with a dark one."""
        if sys.platform == "linux" and self._number not in _cameras():
            raise SourceAway(
                f"There is no camera {self._number}; {_there_are()}.",
                f"no camera {self._number} yet" + (f" ({_there_are()})" if _cameras() else ""),
            )
        capture = self._open_capture(self._number)
        if not capture.isOpened():
            raise SourceAway(
                f"Camera {self._number} does not open, another program may have it; {_there_are()}.",
                f"camera {self._number} does not open yet, another program may have it",
            )
        pixels = _first_picture(capture)
        if pixels is None:
            raise SourceAway(
                f"Camera {self._number} opens but gave no picture in {_SILENT_FOR_S:g} s; {_there_are()}.",
                f"camera {self._number} gives no picture yet",
            )
        self._capture = capture
        self.discarded += 1
        return pixels


def _first_picture(capture: cv2.VideoCapture) -> np.ndarray | None:
    """Read on a thread of its own: the drivers' timeouts are longer than ours, or missing."""
    pixels: list[np.ndarray] = []
    given_up = threading.Event()

    def read() -> None:
        while not given_up.is_set():
            there, picture = capture.read()
            if there:
                pixels.append(picture)
                return
            given_up.wait(_ASK_AGAIN_S)
        capture.release()

    reader = threading.Thread(target=read, name="first picture", daemon=True)
    reader.start()
    reader.join(_SILENT_FOR_S)
    given_up.set()
    return pixels[0] if pixels else None


def _there_are() -> str:
    cameras = list_cameras()
    return f"there are: {', '.join(cameras)}" if cameras else "connect one, or choose a file, a folder, a URL or demo"


def _cameras() -> dict[int, str]:
    """The cameras by number. On Linux the system tells, so that no device is opened and nothing is printed."""
    if sys.platform == "linux":
        numbers = (re.fullmatch(r"video([0-9]+)", device.name) for device in _DEVICES.glob("video*"))
        return {number: name for number in sorted(int(n[1]) for n in numbers if n) if (name := _name_on_linux(number))}
    return {number: "camera" for number in range(_PROBED) if _opens(number)}


def _name_on_linux(number: int) -> str | None:
    """What the driver calls it; None for the second device that many webcams have, which gives metadata only."""
    device, description = _DEVICES / f"video{number}", _DESCRIPTIONS / f"video{number}"
    try:
        if (description / "index").read_text().strip() != "0":
            return None
        return f"{(description / 'name').read_text().strip()} ({device})"
    except OSError:  # No /sys, as in some containers.
        return str(device)


def _opens(number: int) -> bool:
    capture = open_capture(number)
    try:
        return capture.isOpened()
    finally:
        capture.release()
