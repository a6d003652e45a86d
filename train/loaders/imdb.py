"""IMDB-WIKI from its .mat files, with the usual filter of its noise."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from stages.dependencies import installs
from train.data import DataError, part_by_name
from train.loaders.reading import Read, add_face, picture_in

LEAST_FACE_SCORE = 1.0
YOUNGEST, OLDEST = 1, 100  # years
# Its authors left 40 % of the face's side as margin on every side, around boxes (Mathias et al. 2014) whose side is
# taken for that of the normalised box here: the inner 1 / 1.8 of the picture. From the paper, not measured.
INNER = 1 / 1.8
FIELDS = ("dob", "photo_taken", "full_path", "gender", "face_score", "second_face_score")


def read_imdb(mat: Path, pictures: Path | None = None) -> tuple[str, Read]:
    """imdb.mat or wiki.mat: the name of its table, imdb or wiki, and what was read of the pictures.

    They lie beside it or below `pictures`; the .mat is read once, the cache keeps it. Left out and
    counted: a face score that is low or missing, a second face, no gender, and ages that cannot be.
    """
    name, table = _table(mat)
    read, folder = Read(), pictures or mat.parent
    for row in range(len(table["full_path"])):
        born, taken = table["dob"][row], table["photo_taken"][row]
        reason = _reason(table, row)
        age = _age(float(born), float(taken))
        if reason is None and (age is None or not YOUNGEST <= age <= OLDEST):
            reason = f"age not {YOUNGEST} to {OLDEST}"
        if reason:
            read.skipped[reason] += 1
            continue
        path = str(np.ravel(table["full_path"][row])[0])
        picture = picture_in(read, folder / path)
        if picture is None:
            continue
        side = INNER * min(picture.shape[:2])
        box = ((picture.shape[1] - side) / 2, (picture.shape[0] - side) / 2, side, side)
        # 0 woman, 1 man there. Parts by person: the name starts nm0000001_, or is the number of a Wikipedia page.
        labels = {"age": age, "gender": 1 - int(table["gender"][row])}
        add_face(read, picture, box, part_by_name(Path(path).name.split("_")[0], test=0), labels)
    return name, read


def _table(mat: Path) -> tuple[str, dict[str, np.ndarray]]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise DataError(f"IMDB-WIKI's .mat files need scipy; install it with {installs('train')}.") from error
    try:
        content = loadmat(mat)
        name = next(key for key in ("imdb", "wiki") if key in content)
        return name, {field: content[name][field][0, 0].ravel() for field in FIELDS}
    except FileNotFoundError as error:
        raise DataError(f"{mat}: no such file; name imdb.mat or wiki.mat with --mat.") from error
    except (StopIteration, KeyError, ValueError, IndexError, TypeError, NotImplementedError, OSError) as error:
        raise DataError(f"{mat}: is not IMDB-WIKI's table, or is damaged; download it again.") from error


def _reason(table: dict[str, np.ndarray], row: int) -> str | None:
    """Why a row is left out, by what stands in the table alone."""
    if not table["face_score"][row] >= LEAST_FACE_SCORE:
        return "face score low or missing"
    if not np.isnan(table["second_face_score"][row]) and table["second_face_score"][row] > 0:
        return "a second face"
    if table["gender"][row] not in (0, 1):
        return "no gender"
    return None


def _age(born: float, taken: float) -> int | None:
    """Years at the middle of the year in which the picture was taken; None for a birth that is no date.

    `born` is Matlab's number of days from a year 0 that Python does not have, so 366 days are taken off.
    """
    if not (367 <= born < 4e6 and 1800 <= taken <= 2100):
        return None
    birthday = date.fromordinal(int(born) - 366) if born - 366 >= 1 else None
    return (date(int(taken), 7, 1) - birthday) // timedelta(days=365.2425) if birthday else None
