"""UTKFace's aligned and cropped pictures: AGE_GENDER_RACE_TIME.*, divided by split.csv or, without one, by us."""

from __future__ import annotations

from pathlib import Path

import cv2

from train.data import UTKFACE_RACES
from train.duplicates import parts_of_groups
from train.loaders.reading import Read, add_picture, csv_rows, pictures_below, whole_number

BOX = (0.0, -0.5, 1.0)  # the normalised box is the whole of these pictures, by definition
OLDEST_AGE = 116


def read_utkface(folder: Path) -> Read:
    read = Read()
    for file, part in _parts(read, folder):
        age, gender, race, *_ = [*Path(file).name.split("_"), "", "", ""]
        if not (whole_number(age, OLDEST_AGE) and whole_number(gender, 1) and whole_number(race, 4)):
            read.skipped["file name not AGE_GENDER_RACE_TIME"] += 1
            continue
        labels = {"age": int(age), "gender": int(gender), "race": UTKFACE_RACES[int(race)]}
        add_picture(read, folder / file, part, labels, BOX)
    return read


def _parts(read: Read, folder: Path) -> list[tuple[str, str]]:
    """File and part of every picture: of split.csv if it is there.

    Without it each file name counts once: Kaggle's copy of the set has the pictures in UTKFace/, many again in
    crop_part1/, and all of that in utkface_aligned_cropped/, too.
    """
    split = folder / "split.csv"
    found = pictures_below(folder)
    if split.is_file() or not found:
        return [(row["file"], row["part"]) for row in csv_rows(split, {"file", "part"})]
    first = {}
    for path in found:
        if first.setdefault(path.name, path) != path:
            read.skipped["in another folder, too"] += 1
    paths = list(first.values())
    greys = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    files = [str(path.relative_to(folder)) for path in paths]
    return list(zip(files, parts_of_groups(files, greys), strict=True))
