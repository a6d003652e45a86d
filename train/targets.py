"""Labels as distributions over a task's bins, the losses on them, and what validation measures."""

from __future__ import annotations

import keras
import numpy as np

from train.data import Task


def distributions(task: Task, labels: np.ndarray, smoothing: float) -> np.ndarray:
    """Labels (N,) -> float32 (N, K), each row summing to 1.

    Classes are smoothed. Years become a bell over the bins that widens with age, because neighbouring ages look alike,
    and the more so the older the face.
    """
    if task.kind == "age":
        years = labels[:, None].clip(task.labels[0], task.labels[-1])
        spread = 1.0 + 0.04 * years
        weights = np.exp(-0.5 * ((np.array(task.labels) - years) / spread) ** 2)
    else:
        weights = np.eye(len(task.labels))[labels] * (1 - smoothing) + smoothing / len(task.labels)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def loss_of(task: Task):
    """A loss(target distributions, logits) for Keras, free of any backend's own calls."""
    cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    if task.kind != "age":
        return cross_entropy
    bins = np.array(task.labels, np.float32)

    def age_loss(target, logits):
        # Cross-entropy alone shapes the distribution; the expectation is what is shown, so it is asked for, too.
        expected = keras.ops.sum(keras.ops.softmax(logits) * bins, axis=1)
        wanted = keras.ops.sum(target * bins, axis=1)
        return cross_entropy(target, logits) + 0.1 * keras.ops.mean(keras.ops.abs(expected - wanted))

    return age_loss


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax over the last axis, float64."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    weights = np.exp(scaled)
    return weights / weights.sum(axis=-1, keepdims=True)


def error_of(task: Task, logits: np.ndarray, labels: np.ndarray) -> float:
    """What chooses the checkpoint, smaller is better: mean absolute error in years, or the share of wrong classes."""
    if task.kind == "age":
        return float(np.abs(probabilities(logits) @ np.array(task.labels) - labels).mean())
    return float((logits.argmax(axis=1) != labels).mean())
