"""From the outputs of a net to answers about faces, by the card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...answers import KINDS, Answer, Classes
from .card import Card


def answer(card: Card, row: Sequence[float]) -> Answer:
    """What one row of `Model.answers`, (K,), says about its face."""
    if len(row) != len(card.shown):
        raise ValueError(f"an answer of {card.name} has {len(row)} numbers; it must have {len(card.shown)}")
    kind = Classes if card.groups else KINDS[card.task]
    return kind.of(dict(zip(card.shown, map(float, row), strict=True)))


def row_of(card: Card, outputs: np.ndarray) -> np.ndarray:
    """One face's outputs of the net, (L,), as one row of `Model.answers`: float32 (K,), what `card.shown` names.

    A net with one sigmoid output for two labels speaks of the second. Every face is computed on its own and in float64,
    so that an answer does not depend, bit for bit, on which other faces are asked about.
    """
    outputs = np.asarray(outputs, dtype=np.float64)
    of_task = KINDS[card.task]
    if not of_task.has_labels:
        return of_task.row((), outputs).astype(np.float32)
    logits = _logits(card, outputs)
    if card.keep:
        logits = logits[[card.labels.index(label) for label in card.keep]]  # Softmax of these renormalises over them.
    probabilities = _softmax(logits / card.temperature)
    if card.groups:
        return _in_groups(card, probabilities).astype(np.float32)
    return of_task.row(card.labels, probabilities).astype(np.float32)


def _logits(card: Card, outputs: np.ndarray) -> np.ndarray:
    if len(outputs) == 1:
        outputs = np.array([0.0, outputs[0]] if card.outputs == "logits" else [1.0 - outputs[0], outputs[0]])
    if card.outputs == "logits":
        return outputs
    return np.log(np.maximum(outputs, 1e-30))  # Of a probability rounded to 0 nothing more is known.


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _in_groups(card: Card, probabilities: np.ndarray) -> np.ndarray:
    """How likely each group of ages is: float64 (G,). Who is younger than the first begins with belongs to it."""
    starts = [start for _, start in card.groups]
    group = (np.searchsorted(starts, card.labels, side="right") - 1).clip(0)
    return np.bincount(group, weights=probabilities, minlength=len(starts))
