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
    for file, part in _parts(folder):
        age, gender, race, *_ = [*Path(file).name.split("_"), "", "", ""]
        if not (whole_number(age, OLDEST_AGE) and whole_number(gender, 1) and whole_number(race, 4)):
            read.skipped["file name not AGE_GENDER_RACE_TIME"] += 1
            continue
        labels = {"age": int(age), "gender": int(gender), "race": UTKFACE_RACES[int(race)]}
        add_picture(read, folder / file, part, labels, BOX)
    return read


def _parts(folder: Path) -> list[tuple[str, str]]:
    """File and part of every picture: of split.csv if it is there."""
    split = folder / "split.csv"
    if split.is_file() or not pictures_below(folder):
        return [(row["file"], row["part"]) for row in csv_rows(split, {"file", "part"})]
    paths = pictures_below(folder)
    greys = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    files = [str(path.relative_to(folder)) for path in paths]
    return list(zip(files, parts_of_groups(files, greys), strict=True))
