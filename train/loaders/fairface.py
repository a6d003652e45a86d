"""FairFace: its faces at padding 0.25, and whole pictures, at padding 1.25, for real detectors to look through.

`val` is divided by split.csv, which is ours; without one, as it is published, all of it is the test part. The training
pictures have a validation part carved out of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from train.loaders.reading import LABEL_FILE, Read, add_picture, csv_rows

BOX = (0.044, -0.460, 0.907)  # where the eyes of its mean picture put it
# The same box at padding 1.25, whose side is 1 + 2 x 1.25 faces in place of 1 + 2 x 0.25, around the same middle. Over
# 90 pictures that are at hand in both, the two cuts differ by 1.2 grey values in the median; 1 % to any side, by 11.
WIDER = 1.5 / 3.5
WIDE_BOX = (0.5 + (BOX[0] - 0.5) * WIDER, BOX[1] * WIDER, BOX[2] * WIDER)
WIDE_SIDE = 224  # pixels: the face has as many as in a picture of 96 at padding 0.25
WIDE_FOLDERS = "*_wide"  # train_wide/, val_wide/ beside train/ and val/
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
SEXES = {"Male": 0, "Female": 1}
VALIDATED = 10  # one in so many pictures of its training part is for validation: it has no such part


def read_fairface(folder: Path) -> Read:
    read = Read()
    for file, part, labels in _labelled(read, folder):
        add_picture(read, folder / file, part, labels, BOX)
    return read


def read_fairface_wide(folder: Path) -> Read:
    """The pictures of which there are wide ones, in the parts that they have at padding 0.25."""
    read = Read()
    for file, part, labels in _labelled(read, folder):
        original, _, name = file.partition("/")
        path = folder / f"{original}_wide" / name
        if path.is_file():
            add_picture(read, path, part, labels, WIDE_BOX, WIDE_SIDE)
        else:
            read.skipped["not there at padding 1.25"] += 1
    return read


def _labelled(read: Read, folder: Path) -> Iterator[tuple[str, str, dict]]:
    """File, part and labels of all pictures that have any; the others are counted."""
    split = folder / "split.csv"
    parts = {row["file"]: row["part"] for row in csv_rows(split, {"file", "part"})} if split.is_file() else None
    for original in ("val", "train"):
        for row in csv_rows(folder / f"fairface_label_{original}.csv", {"file", "age", "gender", "race"}):
            if row["gender"] not in SEXES or row["age"] not in AGES:
                read.skipped["unknown gender or age group"] += 1
                continue
            labels = {
                "age_group": AGES.index(row["age"]),
                "gender": SEXES[row["gender"]],
                "race": row["race"],
                LABEL_FILE: original,
            }
            yield row["file"], part_of(row["file"], original, parts), labels


def part_of(file: str, original: str, parts: dict[str, str] | None) -> str:
    """Part of a picture that is published in `original`, train or val; `parts`: those of split.csv, if it is there."""
    part = ("test" if original == "val" else "train") if parts is None else parts.get(file, "train")
    # By a hash of the name, so that it is the same part on every machine.
    return "validation" if part == "train" and zlib.crc32(file.encode()) % VALIDATED == 0 else part
