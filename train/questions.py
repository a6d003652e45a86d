"""What can be asked of a model on a data set: which faces, what is true of them, and the figures that come of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.vision.inference.card import Card
from train.data import TASKS, UNKNOWN, DataError, Faces, Head, Task, load, majority, read_cache
from train.measures import age_figures, age_group_figures, class_figures


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Faces with one truth each, and how answers about them are counted."""

    title: str  # of the truth: "" for the data set's own
    faces: Faces
    truth: np.ndarray  # int (N,) classes or groups of ages, or float (N,) years
    kind: str  # classes | years | age groups
    labels: tuple = ()

    def where(self, chosen: np.ndarray) -> Question:
        return Question(self.title, self.faces.where(chosen), self.truth[chosen], self.kind, self.labels)

    def figures(self, card: Card, answers: np.ndarray) -> dict[str, float]:
        """Of answers float (N, K), as `Model.answers` gives them; the figure that counts comes first."""
        if self.kind == "years":
            return age_figures(answers, self.truth)
        if self.kind == "age groups":
            return age_group_figures(answers[:, 0], self.truth)
        return class_figures(self.by_label(card, answers), self.truth, self.labels)

    def by_label(self, card: Card, answers: np.ndarray) -> np.ndarray:
        """Probabilities (N, K) in the order of the question's labels.

        By name, never by place: a card of somebody else's may have the classes in another order, or fewer.
        """
        probabilities = np.zeros((len(answers), len(self.labels)))
        for column, label in enumerate(card.shown):
            probabilities[:, self.labels.index(label)] = answers[:, column]
        return probabilities

    def groups(self) -> Iterator[tuple[str, np.ndarray]]:
        """Titles and masks (N,) of the groups that the data set tells apart."""
        for name, values in self.faces.groups.items():
            if name == "also_in_training":
                if values.any():
                    yield "without pictures that stand in Training too", ~values
                continue
            for value in sorted(np.unique(values), key=_in_order):
                if value != "unknown":
                    yield f"{name} {value}", values == value


def questions(card: Card, dataset: str, part: str, folder: Path) -> list[Question]:
    """All that the data set knows about what the card answers; DataError if that is nothing."""
    task = task_of(card, Path(folder) / f"{dataset}.npz")
    faces = load(task, dataset, part, folder)
    found = [q for head in task.heads for q in _asked(head, faces)]
    if card.keep:  # What is not shown cannot be right: a five-emotion card is asked about its five.
        kept = [task.heads[0].labels.index(label) for label in card.keep]
        found = [q.where(np.isin(q.truth, kept)) for q in found]
    return found


def _asked(head: Head, faces: Faces) -> Iterator[Question]:
    for column in head.columns:
        if column not in faces.labels:
            continue
        values = faces.labels[column]
        if head.kind == "votes":
            values, title, kind = majority(faces), "FER+ majority", "classes"
        else:
            title, kind = "", {"age": "years", "age_group": "age groups"}.get(column, "classes")
        known = values != UNKNOWN
        if known.any():
            yield Question(title, faces.where(known), values[known], kind, head.labels)


def _in_order(group: str) -> tuple[int, str]:
    """Ages by their first year, words by the alphabet."""
    first = re.match(r"\d+", group)
    return (int(first[0]) if first else 0, group)


def task_of(card: Card, cache: Path) -> Task:
    """What the card's labels say it does; they may stand in any order and some may be left out."""
    if card.groups:
        raise DataError(f"{card.name} names groups of ages, but years are known; measure the card without groups.")
    if card.task == "age":
        return TASKS["age"]
    for task in (TASKS["emotion"], TASKS["gender"]):
        if card.labels and set(card.labels) <= set(task.heads[0].labels):
            return task
    stored = read_cache(cache)
    name = cache.stem
    if f"{name}_labels" in stored and set(card.labels) <= set(stored[f"{name}_labels"].tolist()):
        labels = tuple(stored[f"{name}_labels"].tolist())
        return Task(name, (Head(name, "classes", labels, (name,)),), card.geometry.channels, (name,))
    raise DataError(f"{card.name}: {cache} has none of its labels {', '.join(map(str, card.labels))}.")
