"""How many faces stay visible with `--blur`, as two other detectors see it.

    python -m bench.blur hamilton.mp4 group.jpg           videos and pictures
    python -m bench.blur hamilton.mp4 --model yunet.onnx  with YuNet's file elsewhere than in ../shared/peers

Each clip is analysed once. Then YuNet and dlib look for faces in its original frames; a face of 24 pixels or more whose
box is hidden by less than half counts as visible. They find faces in hair and folds too, and miss others: look at the
frames that are named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.detectors import FILES, model_of
from bench.options import BenchError, Options
from bench.pipeline import run
from stages.config.schema import Detect
from stages.errors import FacepipeError
from stages.results.jsonl import lines_of
from stages.sources.opening import open_source
from stages.view.postprocess import PostProcessor
from stages.vision.anonymize import hidden_area
from stages.vision.detectors import FaceDetector, make_detector
from stages.vision.tracking import Box

SIDE = 24  # pixels of the smallest face that counts
HIDDEN = 0.5  # of a face's box
HEAD = ("clip", "frames", "hidden on average", "frames with a visible face, by yunet", "by dlib")


@dataclass(slots=True)
class Hidden:
    """What is hidden in a clip, and what is not."""

    areas: list[float] = field(default_factory=list)  # of the pictures, a share each
    visible: dict[str, list[int]] = field(default_factory=dict)  # by detector, the frames with a visible face


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m bench.blur",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", nargs="+", metavar="CLIP")
    parser.add_argument("--model", type=Path, metavar="FILE", help=f"{FILES['yunet']}")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a key in place of the file's")
    given = parser.parse_args(argv)
    try:
        detectors = _detectors(given.model or model_of("yunet"))
        print(f"| {' | '.join(HEAD)} |\n| {' | '.join(['---'] * len(HEAD))} |")
        for clip in given.clips:
            with tempfile.TemporaryDirectory(prefix="facepipe-bench-") as folder:
                options = Options(None, tuple(given.set), clip, 0, 0, frozenset(), None, Path(folder))
                print(_row(clip, measure(options, clip, detectors)), flush=True)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return 0


def measure(options: Options, clip: str, detectors: dict[str, FaceDetector]) -> Hidden:
    """Analyse a clip with `--blur`, and look for the faces that stay visible."""
    keys = ("render.blur=pixelate", "render.annotated=false")
    results = run(options, clip, *keys).output / "results.jsonl"
    hides = PostProcessor(options.pipeline(*keys)[0])
    found = Hidden(visible={name: [] for name in detectors})
    for number, (line, pixels) in enumerate(zip(lines_of(results), _pictures(clip), strict=True)):
        area = hidden_area(pixels.shape[:2], hides.hidden_in(line))
        found.areas.append(float(area.mean()))
        for name, detector in detectors.items():
            boxes = detector.detect(pixels).boxes.tolist()
            if any(box[2] >= SIDE and _share_hidden(area, box) < HIDDEN for box in boxes):
                found.visible[name].append(number)
    return found


def _detectors(yunet: Path | None) -> dict[str, FaceDetector]:
    """As thorough as with `blur`."""
    if yunet is None:
        raise BenchError(f"there is no {FILES['yunet']}; name the file with --model.")
    searched = {"longest_side": 640, "smallest_face": 0.03}
    return {
        "yunet": make_detector(Detect(detector="yunet", model=str(yunet), threshold=0.6, **searched)),
        "dlib": make_detector(Detect(detector="dlib", longest_side=1280, smallest_face=0.03)),
    }


def _pictures(clip: str) -> Iterator[np.ndarray]:
    source = open_source(clip)
    try:
        yield from (picture.pixels for picture in source.pictures())
    finally:
        source.close()


def _share_hidden(area: np.ndarray, box: Box) -> float:
    x, y, wide, high = box
    part = area[max(0, round(y)) : max(0, round(y + high)), max(0, round(x)) : max(0, round(x + wide))]
    return float(part.mean()) if part.size else 1.0


def _row(clip: str, found: Hidden) -> str:
    visible = [f"{len(frames)}{_named(frames)}" for frames in found.visible.values()]
    cells = (Path(clip).name, str(len(found.areas)), f"{100 * np.mean(found.areas or [0]):.0f} %", *visible)
    return f"| {' | '.join(cells)} |"


def _named(frames: list[int]) -> str:
    return f" ({', '.join(map(str, frames[:8]))}{', ...' if len(frames) > 8 else ''})" if frames else ""


if __name__ == "__main__":
    sys.exit(main())
