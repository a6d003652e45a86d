"""What all readers share: rows of pictures with boxes and labels, and an account of what was left out and why."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from stages.frames import CropGeometry
from stages.vision.crop import crop_face
from train.data import GENDERS, PARTS, DataError

SIDE = 96  # pixels of a picture in a cache; larger ones are shrunk
SURROUND = 1.3  # side of such a picture, in units of the normalised box: room to move the box in training
PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
LEAST_SHARE = 0.3  # of the rarer gender in a label file or source, for its genders to be learned from
LABEL_FILE = "label_file"  # a key of rows for that rule alone: which label file a picture is from
MOST_PIXELS = 100_000_000  # of a picture; beyond, it is more likely a bomb than a photograph


@dataclass
class Read:
    """What was read of one data set: a row per picture, and how many were left out for which reason."""

    rows: list[dict] = field(default_factory=list)
    skipped: Counter = field(default_factory=Counter)
    extras: dict[str, np.ndarray] = field(default_factory=dict)  # of the whole set, such as the names of its classes

    def arrays(self) -> dict[str, np.ndarray]:
        """One array for each key of the rows, which this takes out of them: pictures are never held twice."""
        columns = {key: self._taken(key) for key in list(self.rows[0])}
        label_files = columns.pop(LABEL_FILE, None)
        own_attribute = "gender_labels" in self.extras  # class folders of that name: who sorted them wants them all
        if "gender" in columns and not own_attribute:
            usable = usable_genders(columns["gender"], columns.get("source") if label_files is None else label_files)
            if not usable.all():
                columns["gender_usable"] = usable
        return columns | self.extras

    def _taken(self, key: str) -> np.ndarray:
        if key != "pictures":
            return np.array([row.pop(key) for row in self.rows])
        pictures = np.empty((len(self.rows), *self.rows[0][key].shape), np.uint8)
        for place, row in zip(pictures, self.rows, strict=True):
            place[:] = row.pop(key)
        return pictures


def usable_genders(genders: np.ndarray, origins: np.ndarray | None) -> np.ndarray:
    """Which pictures may teach their gender, bool (N,): not those of an origin that has hardly any women, or men.

    They would teach the style of their origin as a gender. Without `origins` (N,) all pictures have the same one.
    """
    origins = np.zeros(len(genders)) if origins is None else origins
    usable = np.ones(len(genders), bool)
    for origin in np.unique(origins):
        of_it = origins == origin
        rarer = min((genders[of_it] == gender).sum() for gender in range(len(GENDERS)))
        usable[of_it] = rarer > LEAST_SHARE * of_it.sum()
    return usable


def add_picture(read: Read, path: Path, part: str, labels: dict, box: tuple, side: int = SIDE) -> None:
    """Append one whole picture, shrunk to at most `side` pixels, or count why not.

    `box`: where the normalised box lies: x of its left edge, y of its upper one from the middle of the picture's
    height, and its side, all in units of the picture's width. All pictures of the set must have one size.
    """
    if not is_part(read, part):
        return
    picture = picture_in(read, path)
    if picture is None:
        return
    picture = shrunk(picture, side)
    height, width = picture.shape[:2]
    x, y, box_side = box[0] * width, height / 2 + box[1] * width, box[2] * width
    if read.rows and picture.shape != (size := read.rows[0]["pictures"].shape):
        read.skipped[f"not {size[1]} x {size[0]} like the first"] += 1
    else:
        row = {"pictures": picture, "boxes": [x, y, box_side, box_side]}
        read.rows.append({**row, "part": PARTS.index(part), **labels})


def is_part(read: Read, part: str) -> bool:
    """Whether it is one of PARTS; if not, it is counted: a split.csv may have a slip in a row."""
    if part not in PARTS:
        read.skipped["unknown part"] += 1
    return part in PARTS


def shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture whose longer side has at most `side` pixels; one that has no more is left as it is."""
    factor = side / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = [max(1, round(pixels * factor)) for pixels in picture.shape[1::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def add_face(
    read: Read, picture: np.ndarray, box: tuple, part: str, labels: dict, side: int = SIDE, roll: float = 0.0
) -> None:
    """Append the square of `side` pixels around a normalised box in pixels of a picture of any size, or count why not.

    `roll`: of the face, degrees clockwise; it stands upright in what is appended.
    """
    if not is_part(read, part):
        return
    picture = crop_face(picture, box, CropGeometry(side, side, 3, SURROUND), roll)
    inner = side / SURROUND
    row = {"pictures": picture, "boxes": [(side - inner) / 2, (side - inner) / 2, inner, inner]}
    read.rows.append({**row, "part": PARTS.index(part), **labels})


def picture_in(read: Read, path: Path) -> np.ndarray | None:
    """uint8 (H, W, 3) BGR, or None after having counted why not."""
    if not path.is_file():
        read.skipped["missing file"] += 1
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes() or b"\0", np.uint8), cv2.IMREAD_COLOR)
    except (cv2.error, OSError):
        picture = None
    if picture is None or picture.shape[0] * picture.shape[1] > MOST_PIXELS:
        read.skipped["unreadable picture"] += 1
        return None
    return picture


def pictures_below(folder: Path) -> list[Path]:
    """All files below a folder that have the name of a picture, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)


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
