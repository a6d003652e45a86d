"""The clips that are measured with: written here, so that everybody measures the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from stages.core.frames import FinishedFrame, Picture
from stages.outputs.video import VideoWriter
from stages.sources import open_source

WIDTH, HEIGHT, RATE = 640, 360, 30.0


def long_clip(path: Path, frames: int, of: str | None = None) -> Path:
    """`frames` frames of a video, or of the demo, over and over, `WIDTH` wide; at `RATE` frames a second."""
    return write_clip(path, itertools.islice(_again_and_again(of or "demo"), frames))


def portrait_clip(path: Path, frames: int) -> Path:
    """640 x 480 with one face that moves a little: what a message costs is told for such a frame."""
    portrait = _demo_portrait()
    return write_clip(path, (_shifted(portrait, number) for number in range(frames)))


def write_clip(path: Path, pictures: Iterable[np.ndarray], rate: float = RATE) -> Path:
    """Encode pictures, uint8 (H, W, 3) BGR, as the pipeline's own output would be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = VideoWriter(path, rate)
    for number, pixels in enumerate(pictures):
        writer.write(FinishedFrame("clip", number, Picture(pixels, number / rate, rate), []), pixels)
    writer.close()
    return path


def _again_and_again(spec: str) -> Iterator[np.ndarray]:
    while True:
        source = open_source(spec)
        for picture in source.pictures():
            high, wide = picture.pixels.shape[:2]
            yield cv2.resize(picture.pixels, (WIDTH, round(high * WIDTH / wide / 2) * 2), interpolation=cv2.INTER_AREA)
        source.close()


def _demo_portrait() -> np.ndarray:
    """The head in the first picture of the demo, uint8 (480, 640, 3) BGR."""
    source = open_source("demo")
    pixels = next(iter(source.pictures())).pixels
    source.close()
    left, top, width, height = 295, 60, 348, 261  # pixels of the demo
    return cv2.resize(pixels[top : top + height, left : left + width], (640, 480), interpolation=cv2.INTER_CUBIC)


def _shifted(pixels: np.ndarray, number: int) -> np.ndarray:
    """Moved by up to 8 pixels, so that no frame is like the one before it."""
    return np.roll(pixels, round(8 * np.sin(number / 10)), axis=1)
