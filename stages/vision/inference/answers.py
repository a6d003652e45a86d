"""From the outputs of a net to answers about faces, by the card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...frames import Age, Classes, Value, age_group
from .card import Card

LOW, HIGH = 0.1, 0.9  # the quantiles of an age's distribution that are its range


def answer(card: Card, row: Sequence[float]) -> Classes | Age | Value:
    """What one row of `Model.answers`, (K,), says about its face. Ages 0-9, 10-19, … 60-69, 70+ are the groups."""
    if len(row) != len(card.shown):
        raise ValueError(f"an answer of {card.name} has {len(row)} numbers; it must have {len(card.shown)}")
    row = [float(v) for v in row]
    if card.task == "classes" or card.groups:
        scores = dict(zip(card.shown, row, strict=True))
        label = max(scores, key=scores.get)  # Of equal ones the first.
        return Classes(label, scores[label], scores)
    if card.task == "age":
        return Age(*row, group=age_group(row[0]))
    return Value(row[0])


def row_of(card: Card, outputs: np.ndarray) -> np.ndarray:
    """One face's outputs of the net, (L,), as one row of `Model.answers`: float32 (K,), what `card.shown` names.

    A net with one sigmoid output for two labels speaks of the second. Every face is computed on its own and in float64,
    so that an answer does not depend, bit for bit, on which other faces are asked about.
    """
    outputs = np.asarray(outputs, dtype=np.float64)
    if card.task == "regression":
        return outputs.astype(np.float32)
    logits = _logits(card, outputs)
    if card.keep:
        logits = logits[[card.labels.index(label) for label in card.keep]]  # Softmax of these renormalises over them.
    probabilities = _softmax(logits / card.temperature)
    if card.groups:
        return _in_groups(card, probabilities).astype(np.float32)
    if card.task == "age":
        return _years(np.array(card.labels), probabilities).astype(np.float32)
    return probabilities.astype(np.float32)


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


def _years(centres: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Expected years and the quantiles LOW and HIGH: float64 (3,).

    Within a bin, which reaches halfway to its neighbours, ages are taken as equally likely. The range is widened to
    hold the expectation, which lies outside it when a few per cent of the probability are far away.
    """
    halfway = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - halfway[0], 2 * centres[-1] - halfway[-1]
    edges = np.concatenate([[max(first, 0.0)], halfway, [last]])
    cumulative = np.concatenate([[0.0], np.cumsum(probabilities)])
    low, high = np.interp([LOW, HIGH], cumulative, edges)
    years = (probabilities * centres).sum()
    return np.array([years, min(low, years), max(high, years)])
