"""The clips that are measured with: written here, so that everybody measures the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from stages.frames import FinishedFrame, Picture
from stages.sinks.video import VideoWriter
from stages.sources.opening import open_source

WIDTH, HEIGHT, RATE = 640, 360, 30.0
_PAIR = 160  # a frame of the demo that shows both people


def long_clip(path: Path, frames: int, of: str | None = None, width: int = WIDTH) -> Path:
    """`frames` frames of a video, or of the demo, over and over, so many pixels wide; at `RATE` frames a second."""
    return write_clip(path, itertools.islice(_again_and_again(of or "demo", width), frames))


def sample_clip(path: Path, clip: Path, one_in: int) -> Path:
    """One frame in so many of a clip, from all of it: for those who are too slow for the whole."""
    source = open_source(str(clip))
    write_clip(path, (picture.pixels for picture in itertools.islice(source.pictures(), 0, None, one_in)))
    source.close()
    return path


def pair_clip(path: Path, frames: int, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """Two faces that move a little, each found by every detector."""
    pair = cv2.resize(_demo_picture(_PAIR), (width, height), interpolation=cv2.INTER_CUBIC)
    return write_clip(path, (_shifted(pair, number) for number in range(frames)))


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


def _again_and_again(spec: str, wide_to: int) -> Iterator[np.ndarray]:
    while True:
        source = open_source(spec)
        for picture in source.pictures():
            high, wide = picture.pixels.shape[:2]
            size = (wide_to, round(high * wide_to / wide / 2) * 2)
            yield cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
        source.close()


def _demo_portrait() -> np.ndarray:
    """The head in the first picture of the demo, uint8 (480, 640, 3) BGR."""
    pixels = _demo_picture(0)
    left, top, width, height = 295, 60, 348, 261  # pixels of the demo
    return cv2.resize(pixels[top : top + height, left : left + width], (640, 480), interpolation=cv2.INTER_CUBIC)


def _demo_picture(number: int) -> np.ndarray:
    source = open_source("demo")
    pixels = next(iter(source.pictures(number))).pixels
    source.close()
    return pixels


def _shifted(pixels: np.ndarray, number: int) -> np.ndarray:
    """Moved by up to 8 pixels, so that no frame is like the one before it."""
    return np.roll(pixels, round(8 * np.sin(number / 10)), axis=1)
