"""Faces with labels: the caches that `train.prepare` writes, and which of them a task trains, validates and tests on.

A cache is one .npz per data set with `pictures` uint8 (N, S, S, C) BGR or grey, `boxes` float32 (N, 4): the normalised
box x, y, width, height in pixels of the picture, `part` uint8 (N,): index into PARTS, `source` and the labels it has.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.core.errors import FacepipeError

PARTS = ("train", "validation", "test")
# In the order of FER2013's numbers and of UTKFace's: the index here is the index of the logit.
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
GENDERS = ("man", "woman")
AGES = tuple(float(year) for year in range(101))  # bin centres in years
UTKFACE_RACES = ("White", "Black", "Asian", "Indian", "others")
AGE_BAND_STARTS = (0, 10, 20, 40, 60)  # years: the bands by which figures are told apart
AGE_BANDS = ("0-9", "10-19", "20-39", "40-59", "60+")
UNKNOWN = -1  # a label that a picture does not have


class DataError(FacepipeError):
    """A data set or its cache is missing, broken or does not have what was asked of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Pictures of one size with the normalised box of the face in each and one label."""

    pictures: np.ndarray  # uint8 (N, S, S, C), C 1 grey or 3 BGR
    boxes: np.ndarray  # float32 (N, 4): x, y, width, height in pixels of the picture
    labels: np.ndarray  # int32 (N,): class, or float32 (N,): years
    groups: dict[str, np.ndarray] = field(default_factory=dict)  # str (N,): by race, source, ...

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: np.ndarray) -> Faces:
        """The faces of a boolean mask (N,)."""
        groups = {name: values[chosen] for name, values in self.groups.items()}
        return Faces(self.pictures[chosen], self.boxes[chosen], self.labels[chosen], groups)


@dataclass(frozen=True, slots=True)
class Task:
    """What a net learns, and on which data sets; the first one chooses the checkpoint."""

    name: str
    kind: str  # as in a card: classes | age
    labels: tuple
    channels: int
    sources: tuple[str, ...]


TASKS = {
    "emotion": Task("emotion", "classes", EMOTIONS, 1, ("fer2013",)),
    "gender": Task("gender", "classes", GENDERS, 3, ("utkface", "fairface", "web")),
    "age": Task("age", "age", AGES, 3, ("utkface",)),
}
DATASETS = ("fer2013", "utkface", "fairface", "web")


def load(task: Task, source: str, part: str, folder: Path) -> Faces:
    """The faces of one part of a data set that have a label for the task; DataError where there are none."""
    path = Path(folder) / f"{source}.npz"
    cache = read_cache(path)
    if task.name not in cache:
        raise DataError(f"{path}: has no labels for {task.name}; use one of {', '.join(task.sources)}.")
    chosen = (cache["part"] == PARTS.index(part)) & (cache[task.name] != UNKNOWN)
    if part == "train" and "also_held_out" in cache:
        chosen &= ~cache["also_held_out"]
    if task.name == "gender" and "gender_usable" in cache:
        chosen &= cache["gender_usable"]
    if not chosen.any():
        raise DataError(f"{path}: has no picture with a label for {task.name} in its {part} part; choose another part.")
    labels = cache[task.name][chosen].astype(np.float32 if task.kind == "age" else np.int32)
    groups = {name: cache[name][chosen] for name in ("race", "source", "also_in_training") if name in cache}
    if "age" in cache:
        groups["ages"] = np.array(AGE_BANDS)[np.digitize(cache["age"][chosen], AGE_BAND_STARTS[1:])]
    return Faces(cache["pictures"][chosen], cache["boxes"][chosen], labels, groups)


def load_age_groups(part: str, folder: Path) -> Faces:
    """FairFace's faces with the index of their age group, of nine, as label: to measure ages on, not to train."""
    path = Path(folder) / "fairface.npz"
    cache = read_cache(path)
    chosen = cache["part"] == PARTS.index(part)
    if "age_group" not in cache or not chosen.any():
        raise DataError(f"{path}: has no picture with an age group in its {part} part; choose another part.")
    groups = {"race": cache["race"][chosen]}
    return Faces(cache["pictures"][chosen], cache["boxes"][chosen], cache["age_group"][chosen], groups)


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
