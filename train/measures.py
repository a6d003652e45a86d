"""Figures of a model's answers, in plain numpy."""

from __future__ import annotations

import numpy as np

from train.data import AGE_GROUP_STARTS

BINS = 15  # of confidence, for the calibration error


def class_figures(probabilities: np.ndarray, truth: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    """What a classifier is worth, in [0, 1]: accuracy first, which is categorical whatever the number of classes.

    `probabilities` float (N, K), `truth` int (N,). Balanced accuracy, F1 and AUC are means over the classes that have
    pictures; AUC is each class against the rest. A class without pictures has no recall and does not count.
    """
    called = probabilities.argmax(axis=1)
    right = called == truth
    present = [k for k in range(len(names)) if (truth == k).any()]
    recall = {k: float(right[truth == k].mean()) for k in present}
    precision = {k: float(right[called == k].mean()) if (called == k).any() else 0.0 for k in present}
    return {
        "accuracy": float(right.mean()),
        "balanced accuracy": float(np.mean(list(recall.values()))),
        "F1": float(np.mean([f1(precision[k], recall[k]) for k in present])),
        "AUC": float(np.mean([area(probabilities[:, k], truth == k) for k in present])) if len(present) > 1 else 1.0,
        "calibration error": calibration_error(probabilities.max(axis=1), right),
        **{f"recall of {names[k]}": recall[k] for k in present},
        **{f"precision of {names[k]}": precision[k] for k in present},
    }


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def area(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive scores higher than a negative, ties counting half."""
    _, rank, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = (np.cumsum(counts) - (counts - 1) / 2)[rank]
    many = int(positive.sum())
    return float((mean_rank[positive].sum() - many * (many + 1) / 2) / (many * (len(scores) - many)))


def age_figures(answers: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Mean absolute error and bias in years, and how many true ages lie in the range given.

    `answers` float (N, 3): years, low, high; `truth` float (N,) years.
    """
    years, low, high = answers.T
    return {
        "mean absolute error (years)": float(np.abs(years - truth).mean()),
        "bias (years)": float((years - truth).mean()),
        "within 5 years": float((np.abs(years - truth) <= 5).mean()),
        "in the range given": float(((low <= truth) & (truth <= high)).mean()),
    }


def in_years(name: str) -> bool:
    """Of a figure: then less is better, else it is a share."""
    return "years)" in name


def age_group_figures(years: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """How many ages float (N,) fall into the group int (N,) that they should, exactly and within one."""
    off = np.abs(age_group(years) - groups)
    return {"exact group of nine": float((off == 0).mean()), "at most one group off": float((off <= 1).mean())}


def age_group(years: np.ndarray) -> np.ndarray:
    """Years -> index of FairFace's group. An expectation is rounded to whole years first: 2.6 is called 3."""
    return np.searchsorted(AGE_GROUP_STARTS, np.floor(np.asarray(years) + 0.5), side="right") - 1


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, over bins of equal width."""
    return float(sum(abs(sure - correct) * share for sure, correct, share in calibration(confidence, right)))


def calibration(confidence: np.ndarray, right: np.ndarray) -> list[tuple[float, float, float]]:
    """Mean confidence, accuracy and share of the pictures, for every bin of confidence that has any."""
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    found = []
    for b in np.unique(bin_of):
        inside = bin_of == b
        found.append((float(confidence[inside].mean()), float(right[inside].mean()), float(inside.mean())))
    return found


def best_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature in 0.5 to 4 under which the true classes int (N,) are likeliest, to two decimals."""
    candidates = np.exp(np.linspace(np.log(0.5), np.log(4), 209))
    return round(float(min(candidates, key=lambda t: surprise(logits.astype(np.float64) / t, truth))), 2)


def surprise(logits: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative logarithm of the true class's probability, in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]).mean())
