"""Small clips made for a test, and what can be read back from a video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


@dataclass
class Film:
    """A video as a player sees it."""

    times: list[float]  # seconds
    pictures: list[np.ndarray]  # uint8 (H, W, 3) BGR
    codec: str
    pixel_format: str
    duration: float  # seconds


def watch(path: Path) -> Film:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [(f.time, f.to_ndarray(format="bgr24")) for f in container.decode(stream)]
        duration = float(stream.duration * stream.time_base)
        return Film(
            [t for t, _ in frames], [p for _, p in frames], stream.codec.name, stream.codec_context.pix_fmt, duration
        )


def frames_in(path: Path) -> int:
    """How many frames a player shows."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """Time in seconds and content of each packet of the sound."""
    with av.open(str(path)) as container:
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(audio=0) if p.size]


def sine_clip(
    path: Path,
    codec: str,
    seconds: float = 2.0,
    video_starts_s: float = 0.0,
    rate: int = 48_000,
    video: str = "libx264",
    later_s: float = 0.0,
) -> Path:
    """A clip of grey pictures, 64 x 48 at 25 a second, with a tone as its sound track, of `rate` samples a second.

    `later_s`: added to all stamps.
    """
    with av.open(str(path), "w", options={"output_ts_offset": str(later_s)}) as container:
        video = container.add_stream(video, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=rate)
        for number in range(round(seconds * 25)):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 250, np.uint8), "bgr24")
            picture.pts, picture.time_base = number + round(video_starts_s * 25), Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        samples = round((seconds + video_starts_s) * rate)
        tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(samples) / rate)).astype(np.int16)
        for start in range(0, samples, 960):
            block = av.AudioFrame.from_ndarray(tone[None, start : start + 960], format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = rate, start, Fraction(1, rate)
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    return path
