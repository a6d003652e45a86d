"""Labels as distributions over a net's outputs, the loss on them, and what validation measures.

Of every picture a row of targets holds, head after head, a distribution over its labels, or zeros where the picture has
no such label: a cross-entropy with zeros is zero, so data sets with different labels train one net. The row of an age
has two distributions, over the years and over FairFace's groups of years; one of them is zeros.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from keras import ops

from train.data import AGE_GROUP_STARTS, AGES, TAUGHT, UNKNOWN, DataError, Faces, Head

GROUP_OF_AGE = np.eye(len(AGE_GROUP_STARTS), dtype=np.float32)[
    np.searchsorted(AGE_GROUP_STARTS, AGES, side="right") - 1
]  # (101, 9)
YEARS_COUNT = 0.1  # nats that a year of error costs, beside the cross-entropy
LEAST_VOTES = (
    3  # of FER+'s ten, for emotions that are learned; below, most people saw no face or nothing they could name
)


def target_width(head: Head) -> int:
    return len(head.labels) + (len(AGE_GROUP_STARTS) if head.kind == "age" else 0)


def targets_of(
    heads: tuple[Head, ...], faces: Faces, smoothing: float, class_weights: bool = False, even: str = ""
) -> np.ndarray:
    """float32 (N, sum of target_width), a distribution (or zeros) for each head, times what the picture counts."""
    return np.concatenate([_targets(head, faces, smoothing, class_weights, even) for head in heads], axis=1)


def blended(heads: tuple[Head, ...], targets: np.ndarray, faces: Faces, teaching: float) -> np.ndarray:
    """`targets_of` with `teaching` of what a teacher wrote down about the faces and the rest of what the labels say.

    That is what `loss_of` does with the answers of teachers that are asked: cross-entropy is linear in its target.
    """
    if TAUGHT not in faces.labels:
        return targets
    blend, column = (1 - teaching) * targets, 0
    for head, first in zip(heads, np.cumsum([0, *map(target_width, heads[:-1])]), strict=True):
        answers = faces.labels[TAUGHT][:, column : column + len(head.labels)]
        blend[:, first : first + len(head.labels)] += teaching * answers
        column += len(head.labels)
    return blend.astype(np.float32)


def _targets(head: Head, faces: Faces, smoothing: float, class_weights: bool, even: str) -> np.ndarray:
    given = [faces.labels.get(column) for column in head.columns]
    if head.kind == "age":
        return np.concatenate([_years(given[0], len(faces)), _classes(given[1], len(faces), 9, 0.0)], axis=1)
    if head.kind == "votes":
        return _votes(given[0], len(faces), len(head.labels))
    rows = _classes(given[0], len(faces), len(head.labels), smoothing)
    if given[0] is not None and class_weights:
        rows *= _weights(given[0], len(head.labels))
    if given[0] is not None and even in faces.groups:
        rows *= _evened(given[0], len(head.labels), faces.groups[even])
    return rows


def _classes(labels: np.ndarray | None, count: int, classes: int, smoothing: float) -> np.ndarray:
    rows = np.zeros((count, classes), np.float32)
    if labels is not None:
        has = labels != UNKNOWN
        rows[has] = np.eye(classes)[labels[has]] * (1 - smoothing) + smoothing / classes
    return rows


def _weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """float32 (N, 1): the root of how much rarer than the average a picture's class is, 1 in the mean."""
    counts = np.bincount(labels[labels != UNKNOWN], minlength=classes)
    weights = (counts.sum() / classes / np.maximum(counts, 1)) ** 0.5
    weights = weights[labels] * (labels != UNKNOWN)
    return (weights / weights[labels != UNKNOWN].mean()).astype(np.float32)[:, None]


def _evened(labels: np.ndarray, classes: int, groups: np.ndarray) -> np.ndarray:
    """float32 (N, 1): what makes all classes weigh alike within each group, str (N,), 1 in the mean of each.

    Where most people of sixty in a set are men, a net learns that the old are men, and calls old women so.
    """
    weights = np.zeros((len(labels), 1), np.float32)
    for group in np.unique(groups):
        inside = (groups == group) & (labels != UNKNOWN)
        counts = np.bincount(labels[inside], minlength=classes)
        weights[inside, 0] = inside.sum() / (counts > 0).sum() / counts[labels[inside]] if inside.any() else 0
    return weights


def _votes(votes: np.ndarray | None, count: int, classes: int) -> np.ndarray:
    if votes is None:
        return np.zeros((count, classes), np.float32)
    votes = np.where(votes.sum(axis=1, keepdims=True) >= LEAST_VOTES, votes, 0).astype(np.float32)
    # One vote alone is more often a slip than an opinion (Barsoum et al. 2016 drop them, too).
    votes = np.where(votes.max(axis=1, keepdims=True) > 1, votes * (votes > 1), votes)
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)


def _years(years: np.ndarray | None, count: int) -> np.ndarray:
    """A bell over the bins that widens with age: neighbouring ages look alike, and the more so the older the face."""
    rows = np.zeros((count, len(AGES)), np.float32)
    if years is not None:
        has = years != UNKNOWN
        known = years[has, None].clip(AGES[0], AGES[-1])
        weights = np.exp(-0.5 * ((np.array(AGES) - known) / (1.0 + 0.04 * known)) ** 2)
        rows[has] = weights / weights.sum(axis=1, keepdims=True)
    return rows


def loss_of(heads: tuple[Head, ...], teaching: float | None = None, weights: dict[str, float] | None = None):
    """A loss(targets, outputs) for Keras, free of any backend's own calls; `weights` by the name of a head, else 1.

    Without `teaching`, outputs are the logits of all heads. With it, the teachers' probabilities follow the logits, and
    `teaching` is their share in what is learned; the rest is the labels', where there are any. DataError for a weight
    of a head that there is not.
    """
    weights = weights or {}
    if unknown := weights.keys() - {head.name for head in heads}:
        names = ", ".join(head.name for head in heads)
        raise DataError(f"head_weights: there is no head {min(unknown)}; write {names}.")
    count = sum(len(head.labels) for head in heads)

    def facepipe_loss(targets, outputs):
        logits = ops.cast(outputs[:, :count], "float32")
        by_labels = _loss(heads, weights, targets, logits, False)
        if teaching is None:
            return by_labels
        by_teachers = _loss(heads, weights, ops.cast(outputs[:, count:], "float32"), logits, True)
        return (1 - teaching) * by_labels + teaching * by_teachers

    return facepipe_loss


def _loss(heads, weights, targets, logits, by_teachers: bool):
    """Mean over the batch of the weighted losses of all heads."""
    losses, first_logit, first_target = [], 0, 0
    for head in heads:
        mine = logits[:, first_logit : first_logit + len(head.labels)]
        width = len(head.labels) if by_teachers else target_width(head)
        wanted = targets[:, first_target : first_target + width]
        losses.append(weights.get(head.name, 1.0) * _head_loss(head, wanted, mine))
        first_logit += len(head.labels)
        first_target += width
    return ops.mean(sum(losses))


def _head_loss(head: Head, targets, logits):
    """By picture the cross-entropy of a head, for ages also that of their groups and the years that they are off."""
    count = len(head.labels)
    loss = -ops.sum(targets[:, :count] * ops.log_softmax(logits), axis=1)
    if head.kind == "age":
        loss += _years_off(targets[:, :count], logits)
        if targets.shape[1] > count:  # teachers name years alone
            in_groups = ops.matmul(ops.softmax(logits), ops.convert_to_tensor(GROUP_OF_AGE))
            loss -= ops.sum(targets[:, count:] * ops.log(in_groups + 1e-6), axis=1)
    return loss


def _years_off(wanted, logits):
    # Cross-entropy alone shapes the distribution; the expectation is what is shown, so it is asked for, too.
    ages = ops.convert_to_tensor(np.array(AGES, np.float32))
    expected = ops.sum(ops.softmax(logits) * ages, axis=1)
    known = ops.sum(wanted, axis=1)
    return YEARS_COUNT * ops.abs(expected * known - ops.sum(wanted * ages, axis=1))


def by_head(heads: tuple[Head, ...], logits: np.ndarray) -> Iterator[tuple[Head, np.ndarray]]:
    """Each head with its columns of logits (N, sum of labels)."""
    first = 0
    for head in heads:
        yield head, logits[:, first : first + len(head.labels)]
        first += len(head.labels)


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax over the last axis, float64."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    weights = np.exp(scaled)
    return weights / weights.sum(axis=-1, keepdims=True)


def errors_of(heads: tuple[Head, ...], logits: np.ndarray, faces: Faces) -> dict[str, float]:
    """By head, smaller is better: the share of wrong classes, or the mean absolute error of an age in decades.

    A set that knows groups of ages alone counts the share of wrong groups. Heads without labels here are left out.
    """
    found = {}
    for head, mine in by_head(heads, logits):
        error = _error(head, mine, faces)
        if error is not None:
            found[head.name] = error
    return found


def _error(head: Head, logits: np.ndarray, faces: Faces) -> float | None:
    targets = _targets(head, faces, 0.0, False, "")
    has = targets.any(axis=1)
    if not has.any():
        return None
    if head.kind != "age":
        return float((logits.argmax(axis=1) != targets.argmax(axis=1))[has].mean())
    ages = probabilities(logits) @ np.array(AGES)
    if "age" in faces.labels:
        return float(np.abs(ages - faces.labels["age"])[faces.labels["age"] != UNKNOWN].mean() / 10)
    group = np.searchsorted(AGE_GROUP_STARTS, np.floor(ages + 0.5), side="right") - 1
    return float((group != faces.labels["age_group"])[has].mean())
