"""Any folder of class subfolders: glasses/with/*.jpg, glasses/without/*.jpg. For an attribute of one's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from stages.config.schema import Detect, Haar
from stages.vision.detectors import make_detector
from train.data import DataError
from train.duplicates import parts_of_groups
from train.loaders.reading import PICTURES, Read, add_face, picture_in, pictures_below

DETECTION = {"longest_side": 640, "smallest_face": 0.1, "threshold": None, "haar": Haar(step=1.1, neighbours=4)}


def read_folders(folder: Path, name: str, detector: str | None) -> Read:
    """A class for each subfolder, in the order of their names, as labels `name`; near copies fall into one part.

    With a `detector` the pictures are photographs, and the largest face found is taken; without, each picture is a
    face that fills it. DataError for fewer than two classes or one without pictures.
    """
    classes = sorted(child.name for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []
    if len(classes) < 2:
        raise DataError(f"{folder}: has {len(classes)} subfolders; give each class one, with its pictures.")
    read, finder = Read(), make_detector(Detect(detector=detector, **DETECTION)) if detector else None
    names, labels = [], []
    for index, label in enumerate(classes):
        for path in pictures_below(folder / label):
            if add(read, path, name, index, finder):
                names.append(str(path.relative_to(folder)))
                labels.append(index)
    counts = Counter(labels)
    if empty := [label for index, label in enumerate(classes) if not counts[index]]:
        raise DataError(f"{folder / empty[0]}: has no usable picture ({', '.join(PICTURES)}); fill or remove it.")
    greys = [cv2.cvtColor(row["pictures"], cv2.COLOR_BGR2GRAY) for row in read.rows]
    parts = parts_of_groups(names, greys)
    for row, part in zip(read.rows, parts, strict=True):
        row["part"] = ("train", "validation", "test").index(part)
    ensure_parts(read.rows, name, len(classes))
    read.extras[f"{name}_labels"] = np.array(classes)
    return read


def add(read: Read, path: Path, name: str, index: int, finder) -> bool:
    """Append the face of one file; False, and a count, where there is none."""
    picture = picture_in(read, path)
    if picture is None:
        return False
    box, roll = (0, 0, picture.shape[1], picture.shape[0]), 0.0
    if finder:
        found = finder.detect(picture)
        if not len(found.boxes):
            read.skipped["no face found"] += 1
            return False
        largest = found.boxes[:, 2].argmax()
        box, roll = found.boxes[largest], float(found.rolls[largest])
    add_face(read, picture, box, "train", {name: index}, roll=roll)
    return True


def ensure_parts(rows: list[dict], name: str, classes: int) -> None:
    """DataError where a class has nothing to train on or nothing to choose by: figures would mean nothing."""
    for part, what in ((0, "train on"), (1, "validate on")):
        for index in range(classes):
            if not any(row["part"] == part and row[name] == index for row in rows):
                raise DataError(f"{name}: class {index + 1} has no picture to {what}; give every class thirty or more.")
