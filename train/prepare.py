"""Read the data sets as people have them and write one compact cache each.

    python -m train.prepare DATA_DIR                     every data set found below DATA_DIR, into data/
    python -m train.prepare DATA_DIR utkface fer2013     only these
    python -m train.prepare DATA_DIR --out other/folder

DATA_DIR holds fer2013/fer2013.csv (duplicates.csv beside it), UTKFace/, fairface/ or web/, each with its split.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from stages.core.errors import FacepipeError
from stages.core.frames import CropGeometry
from stages.detectors.framing import cut
from train.data import EMOTIONS, PARTS, UTKFACE_RACES, DataError

FER_SIDE = 48
FER_PARTS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
OLDEST_AGE = 116
FAIRFACE_AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
SEXES = {"Male": 0, "Female": 1}
# Where the normalised box lies: x of its left edge, y of its upper one from the middle of the picture's height, and its
# side, all in units of the picture's width. FairFace's is where the eyes of its mean picture put it; the web's are from
# the Haar detector's boxes over 300 pictures of each source, with a replicated border.
UTKFACE_BOX = (0.0, -0.5, 1.0)
FAIRFACE_BOX = (0.044, -0.460, 0.907)
WEB_BOXES = {"actors100": (0.145, -0.353, 0.738), "cvlib": (-0.077, -0.475, 1.154)}
WEB_SIDE, WEB_SCALE = 72, 1.355  # keeps all of an actors100 picture, whose box is 1 / 1.355 of its width


@dataclass
class Read:
    """What was read of one data set: a row per picture, and how many were left out for which reason."""

    rows: list[dict] = field(default_factory=list)
    skipped: Counter = field(default_factory=Counter)

    def arrays(self) -> dict[str, np.ndarray]:
        """One array for each key of the rows."""
        return {key: np.array([row[key] for row in self.rows]) for key in self.rows[0]}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.prepare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(READERS)}; all that are there if none")
    parser.add_argument("--out", type=Path, default=Path("data"))
    options = parser.parse_args(arguments)
    try:
        for line in prepare(options.data_dir, options.names, options.out):
            print(line, flush=True)
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def prepare(data_dir: Path, names: list[str], out: Path) -> Iterator[str]:
    """Write the caches; yield one line for each with what was read and what was skipped."""
    if not data_dir.is_dir():
        raise DataError(f"{data_dir}: no such folder; name the one that holds {', '.join(FOLDERS.values())}.")
    if unknown := [name for name in names if name not in READERS]:
        raise DataError(f"{unknown[0]!r} is not a data set; write one of {', '.join(READERS)}.")
    chosen = names or [name for name in READERS if (data_dir / FOLDERS[name]).is_dir()]
    if not chosen:
        raise DataError(f"{data_dir}: holds none of {', '.join(FOLDERS.values())}; see the top of train/prepare.py.")
    out.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        folder = data_dir / FOLDERS[name]
        read = READERS[name](folder)
        if not read.rows:
            raise DataError(f"{folder}: holds no usable picture ({account(read.skipped)}).")
        arrays = read.arrays()
        write_cache(out / f"{name}.npz", arrays)
        counts = np.bincount(arrays["part"], minlength=len(PARTS))
        parts = ", ".join(f"{count} {part}" for count, part in zip(counts, PARTS, strict=True))
        yield f"{name}: {len(read.rows)} pictures ({parts}); {account(read.skipped)} -> {out / f'{name}.npz'}"


def account(skipped: Counter) -> str:
    if not skipped:
        return "none skipped"
    return "skipped " + ", ".join(f"{count} ({reason})" for reason, count in sorted(skipped.items()))


def write_cache(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write under another name and rename, so that nothing half-written is ever taken for whole."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(unfinished, "wb") as file:
            np.savez(file, **arrays)
        unfinished.replace(path)
    except OSError as error:
        raise DataError(f"{path}: could not be written ({error.strerror}); free some space or choose --out.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def read_fer2013(folder: Path) -> Read:
    """Kaggle's fer2013.csv: emotion, 2,304 pixels, Usage."""
    path = folder / "fer2013.csv"
    whole = [0.0, 0.0, FER_SIDE, FER_SIDE]
    read = Read()
    for row in csv_rows(path, {"emotion", "pixels", "Usage"}):
        pixels = numbers(row["pixels"])
        if pixels is None or len(pixels) != FER_SIDE**2:
            read.skipped["broken pixels"] += 1
        elif row["Usage"] not in FER_PARTS:
            read.skipped["unknown Usage"] += 1
        elif not whole_number(row["emotion"], len(EMOTIONS) - 1):
            read.skipped[f"emotion not 0 to {len(EMOTIONS) - 1}"] += 1
        else:
            picture = pixels.reshape(FER_SIDE, FER_SIDE, 1)
            part = PARTS.index(FER_PARTS[row["Usage"]])
            read.rows.append({"pictures": picture, "boxes": whole, "part": part, "emotion": int(row["emotion"])})
    mark_duplicates(read.rows)
    return read


def mark_duplicates(rows: list[dict]) -> None:
    """Say of each picture whether the same one, bit for bit, stands in training or in a part held out from it."""
    parts_with = {}
    for row in rows:
        parts_with.setdefault(row["pictures"].tobytes(), set()).add(PARTS[row["part"]])
    for row in rows:
        elsewhere = parts_with[row["pictures"].tobytes()]
        row["also_in_training"] = "train" in elsewhere
        row["also_held_out"] = bool(elsewhere & {"validation", "test"})


def read_utkface(folder: Path) -> Read:
    """UTKFace's aligned pictures, AGE_GENDER_RACE_TIME.*; split.csv says the part of each."""
    read = Read()
    for row in csv_rows(folder / "split.csv", {"file", "part"}):
        age, gender, race, *_ = [*Path(row["file"]).name.split("_"), "", "", ""]
        if not (whole_number(age, OLDEST_AGE) and whole_number(gender, 1) and whole_number(race, 4)):
            read.skipped["file name not AGE_GENDER_RACE_TIME"] += 1
            continue
        labels = {"age": int(age), "gender": int(gender), "race": UTKFACE_RACES[int(race)]}
        add_picture(read, folder, row, labels, UTKFACE_BOX)
    return read


def read_fairface(folder: Path) -> Read:
    """FairFace at padding 0.25: `val` divided by split.csv, and what there is of `train`."""
    parts = {row["file"]: row["part"] for row in csv_rows(folder / "split.csv", {"file", "part"})}
    read = Read()
    for labels_file in ("fairface_label_val.csv", "fairface_label_train.csv"):
        rows = list(csv_rows(folder / labels_file, {"file", "age", "gender", "race"}))
        genders = Counter(row["gender"] for row in rows)
        # A part with hardly any women (or men) would teach the style of a data set as a gender.
        balanced = min(genders["Male"], genders["Female"]) > 0.3 * len(rows)
        for row in rows:
            if row["gender"] not in SEXES or row["age"] not in FAIRFACE_AGES:
                read.skipped["unknown gender or age group"] += 1
                continue
            labels = {
                "age_group": FAIRFACE_AGES.index(row["age"]),
                "gender": SEXES[row["gender"]],
                "gender_usable": balanced,
                "race": row["race"],
            }
            place = {"file": row["file"], "part": parts.get(row["file"], "train")}
            add_picture(read, folder, place, labels, FAIRFACE_BOX)
    return read


def read_web(folder: Path) -> Read:
    """Faces of public figures: web/{man,woman}/*, labels.csv with gender and source, split.csv."""
    parts = {row["file"]: row["part"] for row in csv_rows(folder / "split.csv", {"file", "part"})}
    read = Read()
    for row in csv_rows(folder / "labels.csv", {"file", "gender", "source"}):
        if row["gender"] not in SEXES or row["source"] not in WEB_BOXES:
            read.skipped["unknown gender or source"] += 1
            continue
        place = {"file": row["file"], "part": parts.get(row["file"], "train")}
        labels = {"gender": SEXES[row["gender"]], "source": row["source"]}
        add_picture(read, folder, place, labels, WEB_BOXES[row["source"]], resample=True)
    return read


READERS = {"fer2013": read_fer2013, "utkface": read_utkface, "fairface": read_fairface, "web": read_web}
FOLDERS = {"fer2013": "fer2013", "utkface": "UTKFace", "fairface": "fairface", "web": "web"}


def add_picture(read: Read, folder: Path, place: dict, labels: dict, box: tuple, resample: bool = False) -> None:
    """Append one picture with its box (as UTKFACE_BOX), or count why not; `resample` makes it a square of WEB_SIDE."""
    if place["part"] not in PARTS:
        read.skipped["unknown part"] += 1
        return
    path = folder / place["file"]
    if not path.is_file():
        read.skipped["missing file"] += 1
        return
    picture = cv2.imdecode(np.frombuffer(path.read_bytes() or b"\0", np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        read.skipped["unreadable picture"] += 1
        return
    height, width = picture.shape[:2]
    x, y, side = box[0] * width, height / 2 + box[1] * width, box[2] * width
    if resample:
        picture = cut(picture, (x, y, side, side), CropGeometry(WEB_SIDE, WEB_SIDE, 3, WEB_SCALE))
        side = WEB_SIDE / WEB_SCALE
        x = y = (WEB_SIDE - side) / 2
    elif read.rows and picture.shape != (size := read.rows[0]["pictures"].shape):
        read.skipped[f"not {size[1]} x {size[0]} like the first"] += 1
        return
    part = PARTS.index(place["part"])
    read.rows.append({"pictures": picture, "boxes": [x, y, side, side], "part": part, **labels})


def csv_rows(path: Path, needed: set[str]) -> Iterator[dict]:
    """The rows of a CSV file with the columns needed; DataError if it is missing, empty or lacks one."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if missing := needed - set(reader.fieldnames or ()):
                raise DataError(f"{path}:1: lacks the column {', '.join(sorted(missing))}; is it the right file?")
            for row in reader:
                yield {key: row[key] or "" for key in needed}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); it comes with the data set.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV file in UTF-8 ({error}).") from error


def numbers(text: str) -> np.ndarray | None:
    """Grey values separated by spaces -> uint8 (N,), or None if one is not a number from 0 to 255."""
    try:
        values = np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError):
        return None
    return values.astype(np.uint8) if len(values) and values.min() >= 0 and values.max() <= 255 else None


def whole_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= most


if __name__ == "__main__":
    sys.exit(main())
