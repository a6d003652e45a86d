"""FER2013, as Kaggle's fer2013.csv or as its folders, with the votes of FER+ where fer2013new.csv lies beside."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from train.data import EMOTIONS, OTHER_VOTES, PARTS, DataError
from train.duplicates import SIDE as HASH_SIDE
from train.duplicates import difference_hash, like_any, signs_of
from train.loaders.reading import Read, csv_rows, numbers, picture_in, pictures_below, whole_number

SIDE = 48
WHOLE = [0.0, 0.0, SIDE, SIDE]  # the pictures are framed about as UTKFace's are
USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
FERPLUS_NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # as EMOTIONS
FERPLUS_OTHERS = ("contempt", "unknown", "NF")  # NF: not a face
NO_VOTES = {"votes": [0] * len(EMOTIONS), OTHER_VOTES: 0}
# Kaggle's folders have no PublicTest: train/ and test/, which holds both held-out parts under one name.
FOLDERS = {"train": "train", "training": "train", "validation": "validation", "publictest": "validation"}
FOLDERS |= {"test": "test", "privatetest": "test"}
FOLDER_NAMES = {name: index for index, name in enumerate(EMOTIONS)} | {
    name: index for index, name in enumerate(FERPLUS_NAMES)
}


def read_fer2013(folder: Path) -> Read:
    """fer2013.csv if it is there, else PART/EMOTION/* as Kaggle's second form has it."""
    path = folder / "fer2013.csv"
    if path.is_file() or not any(child.is_dir() and child.name.lower() in FOLDERS for child in _children(folder)):
        read = _read_csv(path, folder / "fer2013new.csv")
    else:
        read = _read_folders(folder)
    mark_duplicates(read.rows)
    return read


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _read_csv(path: Path, ferplus: Path) -> Read:
    """emotion, 2,304 pixels, Usage."""
    read = Read()
    rows = list(csv_rows(path, {"emotion", "pixels", "Usage"}))
    for row, votes in zip(rows, read_votes(ferplus, len(rows)), strict=True):
        pixels = numbers(row["pixels"])
        if pixels is None or len(pixels) != SIDE**2:
            read.skipped["broken pixels"] += 1
        elif row["Usage"] not in USAGES:
            read.skipped["unknown Usage"] += 1
        elif not whole_number(row["emotion"], len(EMOTIONS) - 1):
            read.skipped[f"emotion not 0 to {len(EMOTIONS) - 1}"] += 1
        else:
            add_grey(read, pixels.reshape(SIDE, SIDE, 1), USAGES[row["Usage"]], int(row["emotion"]), votes)
    return read


def read_votes(path: Path, count: int) -> list[dict]:
    """FER+'s fer2013new.csv, row by row; zeros if there is no file.

    `votes`: how many of ten people saw each of EMOTIONS. OTHER_VOTES: how many chose the one of FERPLUS_OTHERS that
    most chose.
    """
    if not path.is_file():
        return [NO_VOTES] * count
    names = (*FERPLUS_NAMES, *FERPLUS_OTHERS)
    rows = list(csv_rows(path, set(names)))
    if len(rows) != count:
        raise DataError(f"{path}: has {len(rows)} rows, but fer2013.csv has {count}; take the two of one origin.")
    votes = []
    for number, row in enumerate(rows, start=2):
        if not all(whole_number(row[name], 10) for name in names):
            raise DataError(f"{path}:{number}: has a vote that is no number from 0 to 10; download it again.")
        others = max(int(row[name]) for name in FERPLUS_OTHERS)
        votes.append({"votes": [int(row[name]) for name in FERPLUS_NAMES], OTHER_VOTES: others})
    return votes


def _read_folders(folder: Path) -> Read:
    read = Read()
    for child in _children(folder):
        part = FOLDERS.get(child.name.lower())
        if part is None or not child.is_dir():
            continue
        for path in pictures_below(child):
            emotion = FOLDER_NAMES.get(path.parent.name.lower())
            picture = picture_in(read, path) if emotion is not None else None
            if emotion is None:
                read.skipped["folder is no emotion"] += 1
            elif picture is not None and picture.shape[:2] != (SIDE, SIDE):
                read.skipped[f"not {SIDE} x {SIDE}"] += 1
            elif picture is not None:
                grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[:, :, None]
                add_grey(read, grey, part, emotion, NO_VOTES)
    if not any(row["part"] == PARTS.index("validation") for row in read.rows):
        _carve_validation(read.rows)
    return read


def _carve_validation(rows: list[dict]) -> None:
    """Every tenth training picture, and those equal to it, to choose by: that must not be the test part."""
    train = [row for row in rows if row["part"] == PARTS.index("train")]
    chosen = {row["pictures"].tobytes() for row in train[::10]}
    for row in train:
        if row["pictures"].tobytes() in chosen:
            row["part"] = PARTS.index("validation")


def add_grey(read: Read, picture: np.ndarray, part: str, emotion: int, votes: dict) -> None:
    row = {"pictures": picture, "boxes": WHOLE, "part": PARTS.index(part), "emotion": emotion, **votes}
    read.rows.append(row)


def mark_duplicates(rows: list[dict]) -> None:
    """Say of each picture whether the same one stands in training, bit for bit, or in a part held out from it.

    What is held out must not be learned in another cut, with a watermark or from a JPEG copy either, so what looks like
    it counts, too. `also_in_training` divides figures, and others divide theirs by equal pictures.
    """
    looks_held_out = _like_held_out(rows)
    parts_with = {}
    for row in rows:
        parts_with.setdefault(row["pictures"].tobytes(), set()).add(PARTS[row["part"]])
    for row, looks in zip(rows, looks_held_out, strict=True):
        elsewhere = parts_with[row["pictures"].tobytes()]
        row["also_in_training"] = "train" in elsewhere
        row["also_held_out"] = bool(looks or elsewhere & {"validation", "test"})


def _like_held_out(rows: list[dict]) -> np.ndarray:
    """bool (N,): which pictures look like one that is not for training."""
    signs = signs_of(np.array([difference_hash(row["pictures"][:, :, 0]) for row in rows]).reshape(-1, HASH_SIDE**2))
    return like_any(signs, signs[[row["part"] != PARTS.index("train") for row in rows]])
