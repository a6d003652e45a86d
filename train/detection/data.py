"""Photographs with boxes of faces: what `train.prepare` writes of them, and how it is read.

A set NAME is two files: NAME.pixels, all pictures as they are decoded (uint8 BGR, one after the other), and NAME.npz:
`sizes` int (N, 2): height and width, `part` uint8 (N,), `names` str (N,), and of every face `picture` int (M,), `boxes`
float32 (M, 4): x, y, width, height in pixels, `ignored` bool (M,): neither to be found nor a mistake to find, `points`
float32 (M, 10): x, y of right eye, left eye, tip of the nose, right and left corner of the mouth, as they lie in the
picture from left to right, NaN where unknown. Decoding would cost more than a training step: the pixels are mapped.
"""

from __future__ import annotations

import itertools
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train.data import PARTS, DataError
from train.files import whole

COLUMNS = ("sizes", "part", "names", "picture", "boxes", "ignored", "points")


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The faces of one picture."""

    boxes: np.ndarray  # float32 (N, 4): x, y, width, height in pixels
    ignored: np.ndarray  # bool (N,)
    points: np.ndarray  # float32 (N, 5, 2) in pixels, NaN where unknown

    def where(self, chosen: np.ndarray) -> Labels:
        return Labels(self.boxes[chosen], self.ignored[chosen], self.points[chosen])


class Photographs:
    """The pictures of one part of a set, with their faces."""

    def __init__(self, pixels: np.ndarray, starts: np.ndarray, sizes: np.ndarray, names: np.ndarray, labels: list):
        self._pixels, self._starts, self._sizes = pixels, starts, sizes
        self.names, self.labels = names, labels

    def __len__(self) -> int:
        return len(self._starts)

    def picture(self, index: int) -> np.ndarray:
        """uint8 (H, W, 3) BGR, read-only."""
        height, width = self._sizes[index]
        start = self._starts[index]
        return self._pixels[start : start + height * width * 3].reshape(height, width, 3)


def load(name: str, part: str, folder: Path) -> Photographs:
    """One part of a set; DataError where it is missing, broken or empty."""
    path = Path(folder) / f"{name}.npz"
    table = read_table(path)
    areas = table["sizes"].astype(np.int64).prod(axis=1) * 3
    try:
        pixels = np.memmap(path.with_suffix(".pixels"), np.uint8, "r")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.with_suffix('.pixels')}: cannot be read ({error}); run train.prepare again.") from error
    if len(pixels) != areas.sum():
        raise DataError(f"{path.with_suffix('.pixels')}: does not belong to {path.name}; run train.prepare again.")
    starts = np.concatenate([[0], np.cumsum(areas)[:-1]])
    chosen = np.flatnonzero(table["part"] == PARTS.index(part))
    if not len(chosen):
        raise DataError(f"{path}: has no picture in its {part} part; choose another part.")
    faces = Labels(table["boxes"], table["ignored"], table["points"].reshape(-1, 5, 2))
    order = np.argsort(table["picture"], kind="stable")
    bounds = np.searchsorted(table["picture"][order], np.arange(len(areas) + 1))
    labels = [faces.where(order[bounds[i] : bounds[i + 1]]) for i in chosen]
    return Photographs(pixels, starts[chosen], table["sizes"][chosen], table["names"][chosen], labels)


def validation_sets(sources: Iterable[str], folder: Path) -> dict[str, Photographs]:
    """The validation parts of those sets that have one; DataError where there is none."""
    found = {}
    for source in sources:
        try:
            found[source] = load(source, "validation", folder)
        except DataError:
            # A set without a validation part is expected; a missing one would silently train or judge another net.
            if not (folder / f"{source}.npz").is_file():
                raise
    if not found:
        raise DataError(f"{folder}: no set has a validation part; prepare one that has.")
    return found


def read_table(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; write it with: python -m train.prepare DIR --out {path.parent}")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            table = {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: is not a set of photographs ({error}); run train.prepare again.") from error
    if missing := set(COLUMNS) - table.keys():
        raise DataError(f"{path}: lacks {', '.join(sorted(missing))}; is it a set of photographs with boxes?")
    return table


def write(path: Path, pictures: Iterable[tuple[str, str, np.ndarray, Labels]]) -> Counter:
    """Write a set of (name, part, pixels, faces) to `path`, NAME.npz, and its pixels beside; how many of which part.

    Nothing is written where there are none.
    """
    names, parts, sizes, numbers, faces = [], [], [], [], []
    first = next(pictures := iter(pictures), None)
    if first is None:
        return Counter()
    with whole(path.with_suffix(".pixels")) as unfinished, open(unfinished, "wb") as file:
        for name, part, pixels, labels in itertools.chain([first], pictures):
            file.write(np.ascontiguousarray(pixels).tobytes())
            numbers += [len(names)] * len(labels.boxes)
            names.append(name)
            parts.append(PARTS.index(part))
            sizes.append(pixels.shape[:2])
            faces.append(labels)
    table = {
        "names": np.array(names),
        "part": np.array(parts, np.uint8),
        "sizes": np.array(sizes, np.int32).reshape(-1, 2),
        "picture": np.array(numbers, np.int32),
        "boxes": np.concatenate([f.boxes.reshape(-1, 4) for f in faces]).astype(np.float32),
        "ignored": np.concatenate([f.ignored for f in faces]).astype(bool),
        "points": np.concatenate([f.points.reshape(-1, 10) for f in faces]).astype(np.float32),
    }
    with whole(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **table)
    return Counter(PARTS[part] for part in parts)
