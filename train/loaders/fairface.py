"""FairFace at padding 0.25: `val` divided by split.csv, and what there is of `train`."""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path

from train.loaders.reading import Read, add_picture, csv_rows

BOX = (0.044, -0.460, 0.907)  # where the eyes of its mean picture put it
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
SEXES = {"Male": 0, "Female": 1}
VALIDATED = 10  # one in so many pictures of its training part is for validation: it has no such part
LEAST_SHARE = 0.3  # of the rarer gender in a label file, for its genders to be learned from


def read_fairface(folder: Path) -> Read:
    parts = {row["file"]: row["part"] for row in csv_rows(folder / "split.csv", {"file", "part"})}
    read = Read()
    for labels_file in ("fairface_label_val.csv", "fairface_label_train.csv"):
        rows = list(csv_rows(folder / labels_file, {"file", "age", "gender", "race"}))
        genders = Counter(row["gender"] for row in rows)
        # A part with hardly any women (or men) would teach the style of a data set as a gender.
        balanced = min(genders["Male"], genders["Female"]) > LEAST_SHARE * len(rows)
        for row in rows:
            if row["gender"] not in SEXES or row["age"] not in AGES:
                read.skipped["unknown gender or age group"] += 1
                continue
            labels = {
                "age_group": AGES.index(row["age"]),
                "gender": SEXES[row["gender"]],
                "gender_usable": balanced,
                "race": row["race"],
            }
            part = parts.get(row["file"], "train")
            # By a hash of the name, so that it is the same part on every machine.
            if part == "train" and zlib.crc32(row["file"].encode()) % VALIDATED == 0:
                part = "validation"
            add_picture(read, folder / row["file"], part, labels, BOX)
    return read
