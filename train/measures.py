"""Figures of a model's answers, in plain numpy."""

from __future__ import annotations

import numpy as np

# FairFace's nine groups by their first year: 0-2, 3-9, 10-19, ..., 60-69, more than 70.
AGE_GROUP_STARTS = (0, 3, 10, 20, 30, 40, 50, 60, 70)


def class_figures(probabilities: np.ndarray, truth: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    """Accuracy over all pictures, recall of each class, their mean (balanced), and the calibration error; in [0, 1].

    `probabilities` float (N, K), `truth` int (N,). A class without pictures has no recall and does not count.
    """
    right = probabilities.argmax(axis=1) == truth
    recalls = {
        f"recall of {name}": float(right[truth == k].mean()) for k, name in enumerate(names) if (truth == k).any()
    }
    return {
        "accuracy": float(right.mean()),
        "balanced accuracy": float(np.mean(list(recalls.values()))),
        "calibration error": calibration_error(probabilities.max(axis=1), right),
        **recalls,
    }


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


def age_group_figures(years: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """How many ages float (N,) fall into the group int (N,) that they should, exactly and within one."""
    off = np.abs(age_group(years) - groups)
    return {"exact group of nine": float((off == 0).mean()), "at most one group off": float((off <= 1).mean())}


def age_group(years: np.ndarray) -> np.ndarray:
    """Years -> index of FairFace's group. An expectation is rounded to whole years first: 2.6 is called 3."""
    return np.searchsorted(AGE_GROUP_STARTS, np.floor(np.asarray(years) + 0.5), side="right") - 1


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, over bins of equal width."""
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[bin_of == b].mean() - right[bin_of == b].mean()) * (bin_of == b).mean() for b in set(bin_of)]
    return float(sum(gaps))


def best_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature in 0.5 to 4 under which the true classes int (N,) are likeliest, to two decimals."""
    candidates = np.exp(np.linspace(np.log(0.5), np.log(4), 209))
    return round(float(min(candidates, key=lambda t: surprise(logits.astype(np.float64) / t, truth))), 2)


def surprise(logits: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative logarithm of the true class's probability, in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]).mean())
