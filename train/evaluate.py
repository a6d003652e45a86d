"""Measure a card's model on a data set, through the same crop, scaling and temperature as the stages.

python -m train.evaluate models/emotion.yaml fer2013             the test part
python -m train.evaluate models/gender.yaml fairface --part train
python -m train.evaluate mine/glasses-free-emotion.yaml fer2013 --data data
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from stages.core.errors import FacepipeError
from stages.inference import load_model
from stages.inference.card import Card, load_card
from train.augment import plain
from train.data import DATASETS, PARTS, TASKS, DataError, Faces, Task, load, load_age_groups
from train.measures import age_figures, age_group_figures, class_figures

HELD_OUT_NAMES = {"fer2013": {"validation": "PublicTest", "test": "PrivateTest"}}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("card", type=Path)
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--part", choices=PARTS, default="test")
    parser.add_argument("--data", type=Path, default=Path("data"), help="where train.prepare wrote its caches (data)")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        for line in evaluate(options.card, options.dataset, options.part, options.data):
            print(line, flush=True)
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def evaluate(card_path: Path, dataset: str, part: str, data: Path) -> list[str]:
    """Lines to print: figures over the whole part, then over each of its groups."""
    card = load_card(card_path)
    task = task_of(card)
    faces, is_grouped = faces_of(task, dataset, part, data)
    model, crops = load_model(card), plain(faces, card.geometry)
    started = time.perf_counter()
    answers = model.answers(crops)
    milliseconds = 1000 * (time.perf_counter() - started) / len(faces)
    held_out = HELD_OUT_NAMES.get(dataset, {}).get(part, part)
    lines = [f"{card.name} on {dataset} {held_out}: {len(faces)} pictures, {milliseconds:.2f} ms a face"]
    lines += shown(figures_of(card, task, answers, faces, is_grouped))
    for title, (count, name, value) in group_figures(card, task, answers, faces, is_grouped).items():
        lines.append(f"  {title}, {count} pictures: {name} {formatted(name, value)}")
    return lines


def task_of(card: Card) -> Task:
    """What the card's labels say it does; they may stand in any order and some may be left out."""
    if card.task == "age":
        return TASKS["age"]
    for task in TASKS.values():
        if task.kind == "classes" and card.labels and set(card.labels) <= set(task.labels):
            return task
    raise DataError(f"{card.name}: no data set here has its labels {', '.join(map(str, card.labels))}.")


def faces_of(task: Task, dataset: str, part: str, data: Path) -> tuple[Faces, bool]:
    """The faces, and whether their labels are groups of ages rather than years."""
    if task.name == "age" and dataset == "fairface":
        return load_age_groups(part, data), True
    return load(task, dataset, part, data), False


def figures_of(card: Card, task: Task, answers: np.ndarray, faces: Faces, is_grouped: bool) -> dict[str, float]:
    if is_grouped:
        return age_group_figures(answers[:, 0], faces.labels)
    if task.kind == "age":
        return age_figures(answers, faces.labels)
    # By name, never by place: a card of somebody else's may have the classes in another order, or fewer.
    probabilities = np.zeros((len(answers), len(task.labels)))
    for column, label in enumerate(card.shown):
        probabilities[:, task.labels.index(label)] = answers[:, column]
    return class_figures(probabilities, faces.labels, task.labels)


def group_figures(card: Card, task: Task, answers: np.ndarray, faces: Faces, is_grouped: bool) -> dict[str, tuple]:
    """For each group its number of pictures and the first figure: (count, name, value)."""
    found = {}
    for title, chosen in groups_of(faces):
        figures = figures_of(card, task, answers[chosen], faces.where(chosen), is_grouped)
        found[title] = (int(chosen.sum()), *next(iter(figures.items())))
    return found


def groups_of(faces: Faces) -> list[tuple[str, np.ndarray]]:
    """Titles and masks (N,) of the groups that the data set tells apart."""
    groups = []
    if "also_in_training" in faces.groups:
        groups.append(("without pictures that stand in Training too", ~faces.groups["also_in_training"]))
    for name in ("race", "ages", "source"):
        values = faces.groups.get(name, np.array([]))
        groups += [(f"{name} {value}", values == value) for value in np.unique(values)]
    return groups


def shown(figures: dict[str, float]) -> list[str]:
    return [f"  {name}: {formatted(name, value)}" for name, value in figures.items()]


def formatted(name: str, value: float) -> str:
    return f"{value:.2f}" if "years)" in name else f"{value:.1%}"


if __name__ == "__main__":
    sys.exit(main())
