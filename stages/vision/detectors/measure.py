"""Measures how each detector frames a face: `python -m stages.vision.detectors.measure PICTURE_DIR [--yunet FILE]`.

Of a detector with landmarks, also where these lie in the frame, and how evenly the square frames faces that follows
from them; the first is the constant `POINTS` of `landmarks.py`.

The pictures' own frame has to be the normalised box, as it is in UTKFace's aligned and cropped set. Each is enlarged
and given a border, so that boxes are not cut off at its edge; only pictures in which every detector finds the face
count, so that all are measured over the same faces. The medians are the constants of the detectors.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ...config.schema import Detect, Haar
from . import DETECTORS, backend_class
from .detector import DetectorBackend, Found
from .landmarks import upright

# Detectors look at a coarse grid of sizes and places (dlib: 6/5 and 8 pixels). Faces of one size in one place would all
# be found in the same cell of it, and the median would be that cell's; spread out, they average over the cells.
SIDES = tuple(range(160, 250, 6))  # pixels of the enlarged picture
BORDERS = tuple(range(90, 106))  # pixels of replicated edge around it
FINE = Haar(step=1.05, neighbours=5)  # finer than in the pipeline, so that its grid does not stand in the spread


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path, metavar="PICTURE_DIR")
    parser.add_argument("--count", type=int, default=500, help="how many pictures, evenly over their names")
    parser.add_argument("--yunet", metavar="FILE", help="YuNet's model, to measure it as well")
    parser.add_argument("--dlib-cnn", metavar="FILE", help="the model of dlib's CNN detector, to measure it as well")
    options = parser.parse_args()
    models = {"dlib-cnn": options.dlib_cnn, "yunet": options.yunet}
    names = [name for name in DETECTORS if models.get(name, True)]
    cv2.setNumThreads(1)
    settings = {"longest_side": 500, "smallest_face": 0.2, "threshold": None, "haar": FINE}
    backends = {n: backend_class(n)(Detect(detector=n, model=models.get(n), **settings)) for n in names}
    pictures = evenly(sorted(p for p in options.pictures.rglob("*") if p.is_file()), options.count)
    seen = measured(backends, pictures)
    normalizations = {name: rows[:, :3] for name, rows in seen.items()}
    if not any(np.isfinite(rows).any() for rows in normalizations.values()):
        parser.error(f"{options.pictures} has no picture in which a face was found; name a folder of aligned faces")
    print(table(normalizations))
    for name, rows in seen.items():
        points = rows[np.isfinite(rows).all(axis=1), 3:].reshape(-1, 5, 2)
        if len(points):
            print("\n".join(of_landmarks(name, points)))


def measured(backends: dict[str, DetectorBackend], pictures: list[Path]) -> dict[str, np.ndarray]:
    """What each detector says of each face, (N, 13): side, right and down of `BoxNormalization`, and x, y of five
    landmarks.

    The latter in units of the normalised square. NaN where there is no face, or no landmarks.
    """
    rows = {name: [] for name in backends}
    for i, picture in enumerate(pictures):
        pixels = cv2.imread(str(picture))
        if pixels is None:
            continue
        side, border = SIDES[i % len(SIDES)], BORDERS[i % len(BORDERS)]
        bordered = with_border(pixels, side, border)
        for name, backend in backends.items():
            rows[name].append(normalization_of(backend, bordered, side, border))
    return {name: np.array(found).reshape(-1, 13) for name, found in rows.items()}


def with_border(pixels: np.ndarray, side: int, border: int) -> np.ndarray:
    """A picture of any size as a square of `side` pixels with `border` pixels of its replicated edge around it."""
    enlarged = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(enlarged, border, border, border, border, cv2.BORDER_REPLICATE)


def normalization_of(backend: DetectorBackend, bordered: np.ndarray, side: int, border: int) -> tuple[float, ...]:
    """What takes the surest box of a plausible size to the picture within the border, and its landmarks there."""
    seen = bordered if backend.colour else cv2.cvtColor(bordered, cv2.COLOR_BGR2GRAY)
    found = Found(*backend.find(seen, side / 3))
    best, best_score = (np.nan,) * 13, -np.inf
    middle = border + side / 2
    nothing = np.full((len(found.scores), 5, 2), np.nan)
    landmarks = nothing if found.landmarks is None else (np.asarray(found.landmarks) - border) / side
    faces = zip(np.asarray(found.boxes).reshape(-1, 4), found.scores, landmarks, strict=True)
    for (x, y, width, height), score, points in faces:
        normalization = side / max(width, height), (middle - x - width / 2) / side, (middle - y - height / 2) / side
        is_the_face = 0.4 < normalization[0] < 2.5 and max(abs(normalization[1]), abs(normalization[2])) < 0.35
        if is_the_face and score > best_score:
            best, best_score = (*normalization, *points.ravel()), score
    return best


def of_landmarks(name: str, points: np.ndarray) -> Iterator[str]:
    """Where landmarks (N, 5, 2) lie, in units of the normalised square, and what `upright` makes of them."""
    medians = " ".join(f"({x:.3f}, {y:.3f})" for x, y in np.median(points, axis=0))
    yield f"{name}: eyes, nose, corners of the mouth of {len(points)} faces at {medians}"
    boxes, rolls = upright(points)
    is_face = np.isfinite(rolls)
    sides, middles = boxes[is_face, 2], boxes[is_face, :2] + boxes[is_face, 2:] / 2
    x, y = middles.std(axis=0)
    yield (
        f"{name}: side of the upright square {np.median(sides):.3f}; standard deviations: of its logarithm"
        f" {np.log(sides).std():.1%}, of its middle {x:.1%} and {y:.1%}, of its roll {rolls[is_face].std():.1f} degrees"
    )


def table(normalizations: dict[str, np.ndarray]) -> str:
    """What was measured, over the faces that all detectors found: median (10th to 90th percentile)."""
    common = np.all([np.isfinite(rows).all(axis=1) for rows in normalizations.values()], axis=0)
    lines = [f"{common.sum()} of {len(common)} pictures, those in which all find the face: median (10 % to 90 %)"]
    lines.append(f"{'detector':10}{'found':>6}   {'side':24}{'right':24}{'down':24}")
    for name, rows in normalizations.items():
        low, middle, high = np.percentile(rows[common], [10, 50, 90], axis=0)
        cells = (f"{m:.3f} ({a:.3f} to {b:.3f})" for a, m, b in zip(low, middle, high, strict=True))
        lines.append(f"{name:10}{np.isfinite(rows[:, 0]).sum():6}   " + "".join(f"{cell:24}" for cell in cells))
    return "\n".join(lines)


def evenly(items: list, count: int) -> list:
    """At most so many of the items, evenly spaced."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)]


if __name__ == "__main__":
    main()
