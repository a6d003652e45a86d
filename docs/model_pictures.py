"""Draw the charts of the included models from the caches of the data sets: `python -m docs.model_pictures --data data`.

The charts are docs/emotion-confusion.png, docs/calibration.png, docs/gender-by-group.png and docs/age-confusion.png.
They are not part of `make pictures`, because the data sets cannot be distributed with the project. For the same reason
there are no examples of mistakes here; `python -m train` draws them into mistakes-HEAD-SET.png in its run folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from stages.vision.inference import load_model
from stages.vision.inference.card import load_card
from train.data import AGE_GROUPS
from train.evaluate import answered
from train.measures import age_group
from train.questions import Question, questions
from train.report import draw_calibration, draw_confusion

DOCS = Path(__file__).parent
MODELS = DOCS.parent / "models"
# The curves of the calibration chart: card, data set, number of the question.
SURE = (("emotion", "fer2013", 0), ("emotion-votes", "fer2013", 1), ("gender", "utkface", 0), ("gender", "fairface", 0))


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    data = parser.parse_args().data
    cv2.setNumThreads(1)
    sure = {}
    for name, dataset, number in SURE:
        question, answers = asked(name, dataset, data, number)
        probabilities = question.by_label(load_card(MODELS / f"{name}.yaml"), answers)
        called = probabilities.argmax(axis=1)
        sure[f"{name}, {dataset}"] = (probabilities.max(axis=1), called == question.truth)
        if name == "emotion":
            title = f"emotion on FER2013's PrivateTest, {len(called)} pictures"
            draw_confusion(question.labels, called, question.truth, title, DOCS / "emotion-confusion.png")
        if dataset == "fairface":
            draw_groups(question, called == question.truth, DOCS / "gender-by-group.png")
    draw_calibration(sure, DOCS / "calibration.png")
    question, answers = asked("age", "fairface", data)
    title = f"age on FairFace's test part, {len(answers)} pictures"
    draw_confusion(AGE_GROUPS, age_group(answers[:, 0]), question.truth, title, DOCS / "age-confusion.png")


def asked(name: str, dataset: str, data: Path, number: int = 0) -> tuple[Question, np.ndarray]:
    """Return question `number` about a model on the test part, and the answers of the model."""
    card = load_card(MODELS / f"{name}.yaml")
    question = questions(card, dataset, "test", data)[number]
    return question, answered(load_model(card), question.faces)[0]


def draw_groups(question: Question, right: np.ndarray, path: Path) -> None:
    """Draw the accuracy of every group with its 95 % confidence interval."""
    groups = list(question.groups())
    shares = np.array([right[chosen].mean() for _, chosen in groups])
    spread = 1.96 * np.sqrt(shares * (1 - shares) / np.array([chosen.sum() for _, chosen in groups]))
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(groups)), 100 * shares, xerr=100 * spread, color="#4477aa", ecolor="0.3")
    axes.set_yticks(range(len(groups)), [title for title, _ in groups])
    axes.invert_yaxis()
    axes.axvline(100 * right.mean(), color="0.5", linewidth=1)
    axes.set(xlabel="gender right (%), FairFace's test part; the line is the mean", xlim=(50, 100))
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
