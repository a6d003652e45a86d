"""Ten seconds of two portraits, rendered at run time, so that a machine without a camera has something real to show.

Eileen Collins, photographed by NASA, and Grace Hopper, by the United States Navy, both in the public domain; they come
with scikit-image and matplotlib, so the project holds no foreign picture. Every path of the pipeline is walked: one
face, two, one that leaves the picture, none, and one that comes back.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from ..dependencies import installs
from ..errors import FacepipeError
from ..frames import Picture
from .base import EmptyPart, Source, SourceError, size_and_rate
from .part import Part

WIDTH, HEIGHT, RATE, FRAMES = 1280, 720, 25, 250
_PORTRAIT_HEIGHT = 600  # pixels of a print at scale 1
_FRAME, _SHADOW = 10, 48  # pixels of the white border and of the soft shadow around a print
_DRIFT = 60  # pixels that the backdrop moves in the whole clip, for depth


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Something that is laid onto the backdrop."""

    pixels: np.ndarray  # uint8 (H, W, 4): BGR multiplied by alpha, and alpha
    margin: int  # pixels; within this distance of its edges it may be see-through, further inside it is solid


@dataclass(frozen=True, slots=True)
class Key:
    """Where a tile is at a moment; between two keys it moves with a soft start and a soft end."""

    at_s: float
    x: float  # of its centre, in pixels
    y: float
    scale: float
    opacity: float = 1.0


# Of 512: a model of the shuttle stands to the right of her, which Haar's cascade takes for a face now and then.
_COLLINS_WIDTH = 340

# The faces lie above the middle of the prints, so a print that is zoomed in is moved down.
_COLLINS = (
    Key(0.0, 399, 372, 1.0),
    Key(2.8, 534, 560, 1.65),
    Key(3.3, 561, 570, 1.68, 0.0),
    Key(5.2, 156, 372, 0.95, 0.0),
    Key(6.0, 281, 366, 1.0),
    Key(6.4, 283, 366, 1.0),
    Key(8.0, -481, 380, 1.0),
    Key(8.1, -481, 380, 1.0, 0.0),
    Key(8.8, 884, 400, 1.15, 0.0),
    Key(9.5, 639, 420, 1.2),
    Key(10.0, 617, 424, 1.22),
)
_HOPPER = (
    Key(2.7, 560, 520, 1.6, 0.0),
    Key(3.3, 580, 510, 1.55),
    Key(5.6, 950, 372, 1.0),
    Key(6.8, 948, 366, 1.0),
    Key(7.7, 700, 372, 1.08),
    Key(8.1, 690, 372, 1.08, 0.0),
)
_CREDITS = (
    Key(7.9, 640, 366, 0.98, 0.0),
    Key(8.3, 640, 360, 1.0),
    Key(8.7, 640, 360, 1.0),
    Key(9.1, 640, 354, 1.02, 0.0),
)


class Demo(Source):
    """The demo clip, read like a file: lossless, and the same every time."""

    frames = FRAMES

    def __init__(self) -> None:
        self._collins = _photograph("skimage", "data/astronaut.png")
        self._hopper = _photograph("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")
        super().__init__("demo", size_and_rate(WIDTH, HEIGHT, RATE))

    def take(self, part: Part) -> None:
        super().take(part)
        self.frames = part.expected(FRAMES, RATE)

    def _read(self, start: int) -> Iterator[Picture]:
        chooser = self.part.chooser()
        numbers = [number for number in range(FRAMES) if chooser.takes(number / RATE)]
        if not numbers:
            raise EmptyPart(f"the demo has no frame {self.part.words}: its last one is at {(FRAMES - 1) / RATE:g} s.")
        backdrop = _backdrop()
        actors = (
            (_print(cv2.imread(str(self._collins))[:, :_COLLINS_WIDTH]), _COLLINS),
            (_print(cv2.imread(str(self._hopper))), _HOPPER),
            (_credits(), _CREDITS),
        )
        for number in numbers[start:]:
            time_s = number / RATE
            yield Picture(_frame(backdrop, actors, time_s), time_s, self.part.rate(float(RATE)))


def _frame(backdrop: np.ndarray, actors: tuple, time_s: float) -> np.ndarray:
    left = round(_DRIFT * time_s * RATE / FRAMES)
    canvas = backdrop[:, left : left + WIDTH].copy()
    for tile, keys in actors:
        if (place := _between(keys, time_s)) is not None:
            _lay(canvas, tile, place)
    return canvas


def _between(keys: tuple[Key, ...], time_s: float) -> Key | None:
    """The place at a moment; None before the first key and after the last, and where nothing would be seen."""
    for before, after in zip(keys, keys[1:], strict=False):
        if before.at_s <= time_s < after.at_s or time_s == after.at_s == FRAMES / RATE:
            part = (time_s - before.at_s) / (after.at_s - before.at_s)
            part = part * part * (3 - 2 * part)
            mixed = (a + (b - a) * part for a, b in ((getattr(before, n), getattr(after, n)) for n in _MIXED))
            key = Key(time_s, *mixed)
            return key if key.opacity > 0.003 else None
    return None


_MIXED = ("x", "y", "scale", "opacity")


def _lay(canvas: np.ndarray, tile: Tile, place: Key) -> None:
    """Lay a tile onto the canvas, to a fraction of a pixel."""
    high, wide = (side * place.scale for side in tile.pixels.shape[:2])
    left, top = place.x - wide / 2, place.y - high / 2
    x0, y0 = max(0, math.floor(left)), max(0, math.floor(top))
    x1, y1 = min(WIDTH, math.ceil(left + wide)), min(HEIGHT, math.ceil(top + high))
    if x0 >= x1 or y0 >= y1:
        return
    # From tile to canvas; pixel centres lie at +0.5 in both.
    corner = (left + place.scale / 2 - 0.5 - x0, top + place.scale / 2 - 0.5 - y0)
    to_canvas = np.array([[place.scale, 0, corner[0]], [0, place.scale, corner[1]]])
    laid = cv2.warpAffine(tile.pixels, to_canvas, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    under = canvas[y0:y1, x0:x1]
    # Most of a print is solid, and need not be blended pixel by pixel: that would take longer than all the rest.
    margin = math.ceil(tile.margin * place.scale) + 1
    a, b = (np.clip([round(left) + margin - x0, round(left + wide) - margin - x0], 0, x1 - x0)).tolist()
    c, d = (np.clip([round(top) + margin - y0, round(top + high) - margin - y0], 0, y1 - y0)).tolist()
    if a >= b or c >= d:
        _blend(under, laid, place.opacity)
        return
    for rows, columns in (
        (np.s_[:c], np.s_[:]),
        (np.s_[d:], np.s_[:]),
        (np.s_[c:d], np.s_[:a]),
        (np.s_[c:d], np.s_[b:]),
    ):
        _blend(under[rows, columns], laid[rows, columns], place.opacity)
    solid, inside = cv2.cvtColor(laid[c:d, a:b], cv2.COLOR_BGRA2BGR), under[c:d, a:b]
    inside[:] = solid if place.opacity == 1 else cv2.addWeighted(solid, place.opacity, inside, 1 - place.opacity, 0)


def _blend(under: np.ndarray, laid: np.ndarray, opacity: float) -> None:
    if not under.size:
        return
    if opacity < 1:
        laid = cv2.convertScaleAbs(laid, alpha=opacity)
    see_through = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(laid, 3)), cv2.COLOR_GRAY2BGR)
    under[:] = cv2.add(cv2.multiply(under, see_through, scale=1 / 255), cv2.cvtColor(laid, cv2.COLOR_BGRA2BGR))


def _photograph(package: str, path: str) -> Path:
    """Where it lies; found without importing the package, which takes a second."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (photograph := Path(folder, path)).is_file():
            return photograph
    raise SourceError(f"the demo's photographs are not installed ({path} of {package}); run {installs('demo')}.")


def _print(photograph: np.ndarray) -> Tile:
    """A photograph as a print on paper: white border, and a soft shadow in its alpha."""
    width = round(photograph.shape[1] * _PORTRAIT_HEIGHT / photograph.shape[0])
    photograph = cv2.resize(photograph, (width, _PORTRAIT_HEIGHT), interpolation=cv2.INTER_CUBIC)
    paper = cv2.copyMakeBorder(photograph, *[_FRAME] * 4, cv2.BORDER_CONSTANT, value=(246, 250, 252))
    high, wide = paper.shape[:2]
    tile = np.zeros((high + 2 * _SHADOW, wide + 2 * _SHADOW, 4), np.uint8)
    tile[_SHADOW + 10 : _SHADOW + 10 + high, _SHADOW : _SHADOW + wide, 3] = 150  # The light comes from above.
    tile = cv2.GaussianBlur(tile, (0, 0), 13)
    inner = tile[_SHADOW : _SHADOW + high, _SHADOW : _SHADOW + wide]
    inner[:, :, :3], inner[:, :, 3] = paper, 255
    return Tile(tile, margin=_SHADOW)


def _credits() -> Tile:
    """Who is seen, and who took the pictures: white letters, while there is no face."""
    lines = (
        ("Eileen Collins, photographed by NASA", 1.0),
        ("Grace Hopper, photographed by the United States Navy", 1.0),
        ("both in the public domain", 0.7),
    )
    letters = np.zeros((220, 1160), np.uint8)
    for row, (line, size) in enumerate(lines):
        (wide, _), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_DUPLEX, size, 1)
        at = ((letters.shape[1] - wide) // 2, 60 + row * 60)
        cv2.putText(letters, line, at, cv2.FONT_HERSHEY_DUPLEX, size, 235, 1, cv2.LINE_AA)
    return Tile(cv2.merge([letters] * 4), margin=letters.shape[0])


def _backdrop() -> np.ndarray:
    """A wall lit from above, wider than the picture by the drift: uint8 (HEIGHT, WIDTH + _DRIFT, 3)."""
    y, x = np.mgrid[0:HEIGHT, 0 : WIDTH + _DRIFT].astype(np.float32)
    distance = np.hypot((x - 0.45 * WIDTH) / WIDTH, (y - 0.2 * HEIGHT) / HEIGHT)[:, :, None]
    light = np.exp(-((distance / 0.75) ** 2))
    wall = np.array([58, 44, 34], np.float32) + light * np.array([82, 74, 62], np.float32)
    # Noise of less than one step of grey, or the slow gradient would show as bands.
    return (wall + np.random.default_rng(0).random(wall.shape, np.float32)).astype(np.uint8)


def _write(path: str) -> None:
    import av

    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in Demo().pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.pixels, format="bgr24")))
        container.mux(stream.encode())


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m stages.sources.demo OUT.mp4    writes the demo as a video", file=sys.stderr)
        return 2
    try:
        _write(arguments[0])
    except (FacepipeError, OSError, ValueError) as error:  # PyAV's errors are of the last two.
        print(f"{arguments[0]} cannot be written: {error}", file=sys.stderr)
        return 1
    print(f"{FRAMES} frames written to {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
