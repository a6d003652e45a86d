"""Small films of every kind that can be divided or not, and an analyst whose answers depend on every pixel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import PictureType

from stages.analyst import Answers
from stages.config.schema import Pipeline
from stages.plan import find_models, read_cards
from stages.project import PROJECT

SIZE = (96, 64)


def pictures(frames: int, cuts: Iterable[int] = ()) -> list[np.ndarray]:
    """Pictures uint8 (64, 96, 3) BGR, in which everything moves; with another scene from each of `cuts` on."""
    cuts, shown = set(cuts), []
    scene = -1
    for number in range(frames):
        if number == 0 or number in cuts:
            scene += 1
            seen = np.random.default_rng(scene).integers(0, 256, (8, 12, 3), np.uint8)
            seen = cv2.resize(seen, (2 * SIZE[0], 2 * SIZE[1]), interpolation=cv2.INTER_CUBIC)
        x, y = (3 * number) % SIZE[0], (2 * number) % SIZE[1]
        shown.append(np.ascontiguousarray(seen[y : y + SIZE[1], x : x + SIZE[0]]))
    return shown


def write_film(
    path: Path,
    shown: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    keys: Iterable[int] = (),
    times_ms: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    turned: int = 0,
) -> Path:
    """A film of these pictures, 25 a second; `keys`: frames that are to be key frames, besides those of the options."""
    keys = set(keys)
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turned:
            stream.set_display_rotation(turned)
        for number, pixels in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(pixels, "bgr24")
            frame.pts = times_ms[number] if times_ms else number
            frame.time_base = Fraction(1, 1000) if times_ms else Fraction(1, 25)
            if number in keys:
                frame.pict_type = PictureType.I
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


class PixelAnalyst:
    """Finds a face or two in every picture; where they are, and what is said of them, follows from its pixels alone."""

    def __init__(self, pipeline: Pipeline):
        self.pipeline, self.spent_s = pipeline, Counter()
        self.cards = read_cards(pipeline, find_models(pipeline, PROJECT))

    def answers(self, pixels: np.ndarray, asked: Iterable[str]) -> Answers:
        numbers = np.frombuffer(blake2b(pixels, digest_size=64).digest(), np.uint8).astype(float)
        x, y, side, many, score, *_ = numbers.tolist()
        boxes = [[x % 8, y % 8, 40.0, 40.0], [60.0 + x % 64, 10.0, 20 + side % 8, 20.0]][: 1 + int(many) % 2]
        rows = {stage: self._rows(stage, numbers[8:], len(boxes)) for stage in asked}
        return Answers(boxes, [0.9 - score / 1000] * len(boxes), 0, [], [], rows)

    def _rows(self, stage: str, numbers: np.ndarray, faces: int) -> list[list[float]]:
        count = len(self.cards[stage].shown)
        shares = (numbers[: faces * count] + 1).reshape(faces, count)
        return (shares / shares.sum(axis=1, keepdims=True)).tolist()
