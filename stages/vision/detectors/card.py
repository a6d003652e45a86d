"""Cards of detectors: what the file is, how its answers are to be read, and what it must find in the test picture.

    name: faces
    file: faces.tflite
    sha256: 0f3a...
    task: faces
    input: {dtype: float32, range: [0, 255], order: bgr}     # the net scales pixels itself
    strides: [8, 16, 32]                                     # pixels of the cells of each grid
    score: 0.5                                               # from which a cell's answer is a face
    overlap: 0.45                                            # from which two boxes are one face
    framing: {side: 0.85, right: 0.01, down: 0.13}           # from its box to the normalised one, as in framing.py
    golden: {score: 0.93, box: [51.2, 44.0, 60.3, 78.9], tolerance: 0.02}

`trained`, `figures` and `limits` are for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...frames import CropGeometry
from ..crop import BoxNormalization
from ..inference import golden
from ..inference.digest import file_sha256
from ..inference.fields import CardError, Fields, between, list_of, number, one_of, positive, read_card, sha256, text
from ..inference.model import check_kind
from .cells import STRIDES

KEYS = ("name", "file", "sha256", "task", "input", "strides", "score", "overlap", "framing", "golden")
FOR_PEOPLE = ("trained", "figures", "limits")
ORDERS = ("bgr", "rgb")


@dataclass(frozen=True, slots=True)
class Golden:
    """What the net must find in the test picture: its surest answer, however unsure it is."""

    score: float
    box: tuple[float, ...]  # x, y, width, height in pixels
    tolerance: float  # of the score, and of the box in units of its width


@dataclass(frozen=True, slots=True)
class DetectorCard:
    """A detector's card that was read and checked; its file was not opened."""

    path: Path  # of the card
    name: str
    file: Path
    sha256: str | None  # lower case; None: not checked
    order: str  # of the colours that the net takes
    score: float
    overlap: float
    box_normalization: BoxNormalization
    golden: Golden | None


def load_detector_card(path: Path) -> DetectorCard:
    """Read a card; CardError names the first mistake. Neither opens the file nor looks whether it is there."""
    path = Path(path)
    only = "faces, the only task of a detector, or choose the card of one"
    fields, _ = read_card(path, KEYS + FOR_PEOPLE, ("faces",), only)
    given = fields.section("input", ("dtype", "range", "order"), "{dtype: float32, range: [0, 255], order: bgr}")
    given.get("dtype", one_of(("float32",)), "float32, the only one there is", "float32")
    given.get("range", _pixels, "[0, 255]: the net scales pixels itself", (0.0, 255.0))
    strides = ", ".join(map(str, STRIDES))
    fields.get("strides", lambda v: v if v == list(STRIDES) else None, f"[{strides}], the only ones there are")
    return DetectorCard(
        path=path,
        name=fields.get("name", text, "a short name"),
        file=path.parent / fields.get("file", text, "the path of the weights, relative to the card"),
        sha256=fields.get("sha256", sha256, "the 64 hexadecimal digits, in quotes, or leave it out", None),
        order=given.get("order", one_of(ORDERS), " or ".join(ORDERS), "bgr"),
        score=fields.get("score", _share, "a number between 0 and 1, such as 0.5"),
        overlap=fields.get("overlap", _share, "a number between 0 and 1, such as 0.45"),
        box_normalization=_box_normalization(fields),
        golden=_golden(fields),
    )


def check_file(card: DetectorCard) -> str:
    """The SHA-256 of the file, which is there and is the one that the card means; CardError if not."""
    if card.file.is_dir():
        raise CardError(f"{card.path}: file names {card.file}, which is a folder; put the right file there.")
    found = file_sha256(card)
    if card.sha256 is not None and found != card.sha256:
        raise CardError(
            f"{card.path}: {card.file} has the SHA-256 {found}, the card says {card.sha256}; put the right file there."
        )
    check_kind(card)
    return found


def drawn_face(side: int = 160) -> np.ndarray:
    """The drawn face with surround, uint8 (side, side, 3) BGR."""
    return golden.picture(CropGeometry(side, side, 3, 2.0))


def _box_normalization(fields: Fields) -> BoxNormalization:
    given = fields.section("framing", ("side", "right", "down"), "{side: 0.85, right: 0.01, down: 0.13}")
    side = given.get("side", between(0.1, 10), "a number from 0.1 to 10")
    shift = "a number from -1 to 1, in units of the side"
    return BoxNormalization(side, given.get("right", between(-1, 1), shift), given.get("down", between(-1, 1), shift))


def _golden(fields: Fields) -> Golden | None:
    if "golden" not in fields:
        return None
    example = "{score: 0.9, box: [40, 40, 80, 90], tolerance: 0.02}"
    given = fields.section("golden", ("score", "box", "tolerance"), example)
    return Golden(
        given.get("score", between(0, 1), "a number from 0 to 1"),
        given.get("box", _box, "x, y, width and height in pixels of the test picture"),
        given.get("tolerance", positive, "a number above 0"),
    )


def _pixels(value: object) -> tuple[float, ...] | None:
    pair = list_of(number, 2, 2)(value)
    return pair if pair and tuple(pair) == (0.0, 255.0) else None


def _share(value: object) -> float | None:
    return share if (share := positive(value)) and share < 1 else None


def _box(value: object) -> tuple[float, ...] | None:
    box = list_of(number, 4, 4)(value)
    return tuple(box) if box and min(box[2:]) > 0 else None
