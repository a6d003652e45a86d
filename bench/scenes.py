"""Clips of which is known who is where in every frame: people of the demo's photographs who move, cross and hide.

    python -m bench.scenes crossing.mp4                       20 s: three people cross, again and again
    python -m bench.scenes crossing.mp4 --photograph a.jpg    with a third person, not one who is there twice, mirrored
    python -m bench.tracking --clip crossing.mp4              identity switches and label flips

Beside the clip lies crossing.json: who is where in each frame.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from bench.clips import write_clip
from bench.options import BenchError
from stages.config.schema import Detect, Haar
from stages.errors import FacepipeError
from stages.sources.opening import open_source
from stages.vision.detectors import make_detector

WIDTH, HEIGHT, RATE = 960, 540, 25.0
_SEEN_IN = 160  # a frame of the demo that shows both people
_BOXES = {"Collins": (282.1, 149.5, 120.2), "Hopper": (869.9, 212.1, 190.9)}  # left, top, side of their faces in it
_REACH = 0.85  # of a face's side, from its centre: how far a cut-out goes
_VISIBLE = 0.5  # the share of a face that has to be seen for it to count as there


@dataclass(frozen=True, slots=True)
class Truth:
    """A face that can be seen in a frame."""

    person: str
    x: float  # of its centre, pixels
    y: float
    side: float


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone in a scene; who comes later in the list stands in front."""

    person: str
    place: Callable[[float], tuple[float, float, float]]  # seconds -> x, y of the face's centre, and its side
    photograph: str
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    name: str
    seconds: float
    actors: tuple[Actor, ...]
    pillar: tuple[int, int] | None = None  # left and right edge of something that stands in front of everybody
    dark: Callable[[float], bool] = lambda time_s: False  # whether nothing can be found at a time

    def frames(self) -> Iterator[tuple[np.ndarray, list[Truth]]]:
        """Every frame, uint8 (HEIGHT, WIDTH, 3) BGR, with the faces that can be seen in it."""
        return (self.at(number / RATE) for number in range(round(self.seconds * RATE)))

    def at(self, time_s: float) -> tuple[np.ndarray, list[Truth]]:
        """The frame at a time."""
        picture, owner = _ground(), np.full((HEIGHT, WIDTH), -1, np.int16)  # whose pixel it is
        truths = []
        for place, actor in enumerate(self.actors):
            x, y, side = actor.place(time_s)
            cut = _photograph(actor.photograph)
            _lay(picture, owner, place, cut[:, ::-1] if actor.mirrored else cut, x, y, side)
            truths.append(Truth(actor.person, x, y, side))
        if self.pillar:
            picture[:, slice(*self.pillar)], owner[:, slice(*self.pillar)] = (70, 84, 96), len(self.actors)
        seen = [truth for place, truth in enumerate(truths) if _share(owner, place, truth) >= _VISIBLE]
        return (picture // 16, []) if self.dark(time_s) else (picture, seen)


def _across(start: float, end: float, seconds: float, y: float, side: float, sway: float = 8.0):
    """Someone who walks from one x to another, with the up and down of a walk."""
    return lambda t: (start + (end - start) * min(1.0, t / seconds), y + sway * math.sin(6 * t), side)


SCENES = (
    Scene(
        "three cross",
        8.0,
        (
            Actor("behind", lambda t: (480 + 40 * math.sin(0.8 * t), 250, 120), "Hopper"),
            Actor("from the left", _across(90, 870, 7.5, 275, 130), "Collins"),
            Actor("from the right", _across(880, 80, 6.5, 290, 140), "Hopper", mirrored=True),
        ),
    ),
    Scene(
        "hidden by a pillar",
        8.0,
        (
            Actor("walks", _across(120, 840, 7.0, 260, 120), "Collins"),
            Actor("turns back", lambda t: (800 - 560 * math.sin(math.pi * t / 8), 300, 110), "Hopper"),
        ),
        pillar=(430, 550),
    ),
    Scene(
        "lost from sight for half a second",
        8.0,
        (
            Actor("comes nearer", lambda t: (300 + 30 * math.sin(t), 260, 90 + 12 * t), "Collins"),
            Actor("goes away", lambda t: (680 - 25 * t, 270, 170 - 9 * t), "Hopper"),
        ),
        dark=lambda t: t % 2 > 1.5,
    ),
)


def _round(phase: float, y: float, side: float):
    """Someone who goes from side to side in ten seconds: three of them, a third apart, meet two at a time."""
    swing = 2 * math.pi / 10
    return lambda t: (480 + 370 * math.sin(swing * t + phase), y + 10 * math.sin(1.7 * t + phase), side)


CROSSING = Scene(
    "three people cross for 20 s",
    20.0,
    (
        Actor("behind", _round(4 * math.pi / 3, 235, 112), "Collins"),
        Actor("in the middle", _round(2 * math.pi / 3, 290, 122), "Hopper", mirrored=True),
        Actor("in front", _round(0, 265, 132), "Hopper"),
    ),
)


def crossing(photograph: Path | None = None) -> Scene:
    """The scene of twenty seconds; with a photograph, who is in it takes the place of the one seen in a mirror."""
    if photograph is None:
        return CROSSING
    third = {"photograph": str(photograph), "mirrored": False}
    return replace(CROSSING, actors=tuple(replace(a, **third) if a.mirrored else a for a in CROSSING.actors))


def write_scene(path: Path, scene: Scene) -> list[list[Truth]]:
    """Write the clip; returns who is where in each of its frames."""
    truths: list[list[Truth]] = []

    def pictures() -> Iterator[np.ndarray]:
        for pixels, truth in scene.frames():
            truths.append(truth)
            yield pixels

    write_clip(path, pictures(), RATE)
    return truths


def truth_path(clip: Path) -> Path:
    return clip.with_suffix(".json")


def write_truth(clip: Path, truths: list[list[Truth]]) -> None:
    said = {"rate": RATE, "frames": [[asdict(truth) for truth in truths_of] for truths_of in truths]}
    truth_path(clip).write_text(json.dumps(said), encoding="utf-8")


def read_truth(clip: Path) -> tuple[float, list[list[Truth]]]:
    """Frames a second, and who is where, as written beside a clip."""
    try:
        said = json.loads(truth_path(clip).read_bytes())
        return float(said["rate"]), [[Truth(**truth) for truth in frame] for frame in said["frames"]]
    except (ValueError, KeyError, TypeError):
        raise BenchError(f"{truth_path(clip)} does not say who is where; make it by python -m bench.scenes.") from None


@cache
def _photograph(name: str) -> np.ndarray:
    """Someone as a cut-out, uint8 (S, S, 3) BGR, with the face in its middle."""
    if name in _BOXES:
        source, (left, top, side) = open_source("demo"), _BOXES[name]
        pixels = next(iter(source.pictures(_SEEN_IN))).pixels
    else:
        source = open_source(name)
        pixels = next(iter(source.pictures())).pixels
        haar = make_detector(Detect(detector="haar", longest_side=640, smallest_face=0.1, haar=Haar(neighbours=5)))
        found = haar.detect(pixels)
        if not len(found.boxes):
            raise BenchError(f"no face is found in {name}; take a photograph of one who looks into the camera.")
        left, top, side, _ = max(found.boxes.tolist(), key=lambda box: box[2])
    source.close()
    reach, x, y = _REACH * side, left + side / 2, top + side / 2
    around = cv2.copyMakeBorder(pixels, *[round(reach)] * 4, cv2.BORDER_REPLICATE)  # A face may stand at the edge.
    x, y = x + round(reach), y + round(reach)
    return around[round(y - reach) : round(y + reach), round(x - reach) : round(x + reach)]


def _ground() -> np.ndarray:
    rows = np.linspace(70, 120, HEIGHT, dtype=np.float32)[:, None, None]
    ground = np.broadcast_to(rows * np.float32([1.0, 0.95, 0.9]), (HEIGHT, WIDTH, 3))
    return np.ascontiguousarray(ground, np.uint8)


def _lay(picture: np.ndarray, owner: np.ndarray, place: int, cut: np.ndarray, x: float, y: float, side: float) -> None:
    """Lay an oval cut-out onto the picture with the face at x, y."""
    scale = 2 * _REACH * side / cut.shape[0]
    to_picture = np.float32([[scale, 0, x - scale * cut.shape[1] / 2], [0, scale, y - scale * cut.shape[0] / 2]])
    laid = cv2.warpAffine(np.ascontiguousarray(cut), to_picture, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    axes = (round(0.78 * _REACH * side), round(_REACH * side))
    cv2.ellipse(mask, (round(x), round(y)), axes, 0, 0, 360, 255, cv2.FILLED)
    cv2.copyTo(laid, mask, picture)
    owner[mask > 0] = place


def _share(owner: np.ndarray, place: int, truth: Truth) -> float:
    """How much of a face can be seen."""
    left, top = round(truth.x - truth.side / 2), round(truth.y - truth.side / 2)
    side = round(truth.side)
    seen = owner[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] == place
    return float(seen.sum()) / (side * side)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m bench.scenes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clip", type=Path, metavar="CLIP.mp4", help="where to write it")
    parser.add_argument("--photograph", type=Path, metavar="FILE", help="of a third person")
    options = parser.parse_args(argv)
    try:
        if options.clip.suffix != ".mp4":
            raise BenchError(f"{options.clip} does not end in .mp4, and nothing else is written.")
        truths = write_scene(options.clip, crossing(options.photograph))
        write_truth(options.clip, truths)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    print(f"Wrote {options.clip}, {len(truths)} frames, and {truth_path(options.clip)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
