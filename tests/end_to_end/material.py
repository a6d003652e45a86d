"""Clips and pictures that the end-to-end tests make of one photograph, and what a player sees of a video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT = 480, 270
PRINT = 230  # pixels, side of a portrait
FACES = [0] * 4 + [1] * 14 + [2] * 14  # in every frame of `scene`


def scene(portrait: np.ndarray, number: int) -> np.ndarray:
    """Frame `number` of a short film, uint8 (270, 480, 3) BGR: nobody, then a portrait, then its mirror image too."""
    canvas = np.full((HEIGHT, WIDTH, 3), (150, 130, 110), np.uint8)
    print_ = cv2.resize(portrait[:280, 80:360], (PRINT, PRINT), interpolation=cv2.INTER_AREA)
    faces = FACES[number % len(FACES)]
    if faces > 0:
        canvas[20 : 20 + PRINT, number % 8 : number % 8 + PRINT] = print_
    if faces > 1:
        canvas[20 : 20 + PRINT, WIDTH - PRINT :] = print_[:, ::-1]
    return canvas


def write_clip(
    path: Path,
    pictures: list[np.ndarray],
    rate: int = 25,
    times_s: list[float] | None = None,
    sound: bool = False,
    turned: int = 0,
    index_first: bool = False,
) -> Path:
    """An H.264 clip, each picture at its time (default: `rate` a second), perhaps with a tone or a rotation flag.

    `index_first`: what is cut off at its end can still be read.
    """
    with av.open(str(path), "w", options={"movflags": "faststart"} if index_first else {}) as out:
        video = out.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "g": "12"})
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt, video.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        if turned:
            video.set_display_rotation(turned)
        tone = out.add_stream("aac", rate=48_000) if sound else None
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, "bgr24")
            frame.pts = round(1000 * (times_s[number] if times_s else number / rate))
            frame.time_base = Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode())
        if tone:
            _write_tone(out, tone, len(pictures) / rate)
    return path


def _write_tone(out, stream, seconds: float) -> None:
    samples = (8000 * np.sin(np.arange(round(seconds * 48_000)) * 440 * 2 * np.pi / 48_000)).astype(np.int16)
    for start in range(0, len(samples) - 959, 960):
        block = av.AudioFrame.from_ndarray(samples[None, start : start + 960], format="s16", layout="mono")
        block.sample_rate, block.pts, block.time_base = 48_000, start, Fraction(1, 48_000)
        out.mux(stream.encode(block))
    out.mux(stream.encode())


@dataclass(frozen=True, slots=True)
class Film:
    """A video as a player sees it."""

    times: list[float]  # seconds
    size: tuple[int, int]  # width, height of the pictures
    kind: str  # codec and pixel format
    sound_packets: int
    last: np.ndarray  # uint8 (H, W, 3) BGR: the last picture


def watch(path: Path) -> Film:
    """Decode a whole video."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        times, last = [], None
        for last in container.decode(video):
            times.append(last.time)
        kind = f"{video.codec.name} {video.codec_context.pix_fmt}"
        size, pixels = (last.width, last.height), last.to_ndarray(format="bgr24")
    with av.open(str(path)) as container:
        sounds = sum(packet.size > 0 for packet in container.demux(audio=0)) if container.streams.audio else 0
    return Film(times, size, kind, sounds, pixels)


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    done, file = cv2.imencode(path.suffix, pixels)
    assert done
    path.write_bytes(file.tobytes())
    return path
