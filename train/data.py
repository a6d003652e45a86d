"""Faces with labels: the caches that `train.prepare` writes, and what each task learns from which of them.

A cache is one .npz per data set with `pictures` uint8 (N, S, S, C) BGR or grey, in which faces stand upright, `boxes`
float32 (N, 4): the normalised box x, y, width, height in pixels of the picture, `part` uint8 (N,): index into PARTS,
and one array for each kind of label and group that the data set has (`COLUMNS`).
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.errors import FacepipeError
from train.files import whole

PARTS = ("train", "validation", "test")
# In the order of FER2013's numbers and of UTKFace's: the index here is the index of the logit.
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
GENDERS = ("man", "woman")
AGES = tuple(float(year) for year in range(101))  # bin centres in years
AGE_GROUPS = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")  # FairFace's
AGE_GROUP_STARTS = (0, 3, 10, 20, 30, 40, 50, 60, 70)  # years
UTKFACE_RACES = ("White", "Black", "Asian", "Indian", "others")
AGE_BAND_STARTS = (0, 10, 20, 40, 60)  # years: the bands by which figures are told apart
AGE_BANDS = ("0-9", "10-19", "20-39", "40-59", "60+")
UNKNOWN = -1  # a label that a picture does not have
OTHER_VOTES = "other_votes"  # the column beside `votes`: the most that an answer of FER+ got which is none of EMOTIONS
TAUGHT = "taught"  # the column of what a teacher says: probabilities (N, K), head after head
GROUPS = ("race", "source", "also_in_training", "gender", "age")  # by which figures are told apart


class DataError(FacepipeError):
    """A data set or its cache is missing, broken or does not have what was asked of it."""


@dataclass(frozen=True, slots=True)
class Head:
    """One output of a net, and the columns of a cache that it learns from; a picture may lack all of them."""

    name: str
    kind: str  # classes: one of the labels | votes: how many people gave each label | age: years or a group of them
    labels: tuple
    columns: tuple[str, ...]


EMOTION = Head("emotion", "classes", EMOTIONS, ("emotion",))
VOTES = Head("votes", "votes", EMOTIONS, ("votes",))
GENDER = Head("gender", "classes", GENDERS, ("gender",))
AGE = Head("age", "age", AGES, ("age", "age_group"))


@dataclass(frozen=True, slots=True)
class Task:
    """What a net learns, and from which data sets."""

    name: str
    heads: tuple[Head, ...]
    channels: int
    sources: tuple[str, ...]


TASKS = {
    # One head for what FER2013 says of a picture and one for FER+'s ten votes: two opinions about the same faces.
    "emotion": Task("emotion", (EMOTION, VOTES), 1, ("fer2013",)),
    "gender": Task("gender", (GENDER,), 3, ("utkface", "fairface", "web")),
    "age": Task("age", (AGE,), 3, ("utkface", "fairface")),
    "person": Task("person", (GENDER, AGE), 3, ("utkface", "fairface", "web")),
}


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Pictures of one size with the normalised box of the face in each, and their labels."""

    pictures: np.ndarray  # uint8 (N, S, S, C), C 1 grey or 3 BGR
    boxes: np.ndarray  # float32 (N, 4): x, y, width, height in pixels of the picture
    labels: dict[str, np.ndarray]  # by column: int (N,) or float (N,) with UNKNOWN, or votes (N, K), 0 where unknown
    groups: dict[str, np.ndarray] = field(default_factory=dict)  # str (N,): by race, source, ...
    rolls: np.ndarray | None = None  # float32 (N,): degrees clockwise that each box is turned by; None: they are level

    def roll(self, index: int) -> float:
        """Of one face."""
        return 0.0 if self.rolls is None else float(self.rolls[index])

    def __len__(self) -> int:
        return len(self.pictures)

    def where(self, chosen: np.ndarray) -> Faces:
        """The faces of a boolean mask (N,) or of indices (n,)."""
        return Faces(
            self.pictures[chosen],
            self.boxes[chosen],
            {name: values[chosen] for name, values in self.labels.items()},
            {name: values[chosen] for name, values in self.groups.items()},
            None if self.rolls is None else self.rolls[chosen],
        )


def load(
    task: Task, source: str, part: str, folder: Path, unlabelled: bool = False, taught: np.ndarray | None = None
) -> Faces:
    """The faces of one part of a data set that have a label for the task; DataError where there are none.

    With `unlabelled` all of them, without labels: for a teacher to name. `taught` are its answers, if they are written
    down, (N, K) for all pictures of the cache; they become the column TAUGHT.
    """
    path = Path(folder) / f"{source}.npz"
    cache = read_cache(path)
    chosen = cache["part"] == PARTS.index(part)
    if part == "train" and "also_held_out" in cache:
        chosen &= ~cache["also_held_out"]
    columns = {column for head in task.heads for column in head.columns if column in cache}
    if not unlabelled:
        if not columns:
            raise DataError(f"{path}: has no labels for {task.name}; use one of {', '.join(task.sources)}.")
        chosen &= np.any([known(column, cache) for column in columns], axis=0)
        if not chosen.any():
            raise DataError(
                f"{path}: has no picture with a label for {task.name} in its {part} part; choose another part."
            )
    labels = {} if unlabelled else {column: usable(column, cache)[chosen] for column in columns}
    if "votes" in labels and OTHER_VOTES in cache:  # A cache of before has none.
        labels[OTHER_VOTES] = cache[OTHER_VOTES][chosen]
    if taught is not None:
        if len(taught) != len(chosen):
            raise DataError(f"{path}: is not the cache that the teacher saw; run train.probe again.")
        labels[TAUGHT] = taught[chosen]
    groups = {name: values[chosen] for name, values in groups_in(cache).items()}
    return Faces(cache["pictures"][chosen], cache["boxes"][chosen], labels, groups)


def known(column: str, cache: dict[str, np.ndarray]) -> np.ndarray:
    """Which pictures have this label, bool (N,)."""
    values = usable(column, cache)
    return values.any(axis=1) if values.ndim == 2 else values != UNKNOWN


def usable(column: str, cache: dict[str, np.ndarray]) -> np.ndarray:
    """A column of labels, without those that would teach the style of a data set as a class."""
    values = cache[column]
    if column == "gender" and "gender_usable" in cache:
        return np.where(cache["gender_usable"], values, UNKNOWN)
    return values.astype(np.float32) if column == "age" else values


def majority(faces: Faces) -> np.ndarray:
    """The emotion that most of FER+'s people saw, int (N,); UNKNOWN where there is not one.

    That is where nobody was asked, where two emotions have as many votes, and where contempt, unknown or not a face has
    as many or more.
    """
    votes = faces.labels["votes"]
    ordered = np.sort(votes, axis=1)
    rivals = np.maximum(ordered[:, -2], faces.labels.get(OTHER_VOTES, 0))
    return np.where(ordered[:, -1] > rivals, votes.argmax(axis=1), UNKNOWN)


def withheld(head: Head, cache: dict[str, np.ndarray]) -> np.ndarray:
    """Which pictures have a label for the head that is not used, bool (N,): a teacher must not tell it either."""
    given = [column for column in head.columns if column in cache and cache[column].ndim == 1]
    unused = [(cache[column] != UNKNOWN) & (usable(column, cache) == UNKNOWN) for column in given]
    return np.any(unused, axis=0) if unused else np.zeros(len(cache["part"]), bool)


def groups_in(cache: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What figures can be told apart by."""
    groups = {name: cache[name] for name in ("race", "source", "also_in_training") if name in cache}
    if "gender" in cache:
        groups["gender"] = np.array([*GENDERS, "unknown"])[cache["gender"]]
    if "age" in cache:
        groups["ages"] = np.array(AGE_BANDS)[np.digitize(cache["age"], AGE_BAND_STARTS[1:])]
    elif "age_group" in cache:
        groups["ages"] = np.array([*AGE_GROUPS, "unknown"])[cache["age_group"]]
    return groups


def read_cache(path: Path) -> dict[str, np.ndarray]:
    """Everything in one cache; DataError if it is missing or not one."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; write it with: python -m train.prepare DATA_DIR --out {path.parent}")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            cache = {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: is not a cache of faces ({error}); write it again with train.prepare.") from error
    missing = {"pictures", "boxes", "part"} - cache.keys()
    if missing:
        raise DataError(f"{path}: lacks {', '.join(sorted(missing))}; write it again with train.prepare.")
    return cache


def write_cache(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """WriteError where it cannot be written; then the cache of before is still there."""
    with whole(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **arrays)


def part_by_name(name: str, validation: int = 10, test: int = 10) -> str:
    """A part for a data set that has none, by a hash of the name: the same on every machine, in per cent."""
    share = zlib.crc32(name.encode()) % 100
    return "test" if share < test else "validation" if share < test + validation else "train"
