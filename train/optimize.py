"""Optimizers and schedules, a table of each."""

from __future__ import annotations

import math

import keras

from train.data import DataError
from train.recipe import Recipe

OPTIMIZERS = {
    "adamw": lambda recipe, options: keras.optimizers.AdamW(
        recipe.learning_rate, weight_decay=recipe.weight_decay, **options
    ),
    "nadam": lambda recipe, options: keras.optimizers.Nadam(
        recipe.learning_rate, weight_decay=recipe.weight_decay, **options
    ),
    "sgd": lambda recipe, options: keras.optimizers.SGD(
        recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay, **options
    ),
}


def optimizer_of(recipe: Recipe, steps: int):
    """The optimizer of a recipe for a run of so many steps, with averaged weights where it asks for them."""
    if recipe.optimizer not in OPTIMIZERS:
        raise DataError(f"{recipe.optimizer!r} is not an optimizer; write one of {', '.join(OPTIMIZERS)}.")
    if recipe.schedule not in SCHEDULES:
        raise DataError(f"{recipe.schedule!r} is not a schedule; write one of {', '.join(SCHEDULES)}.")
    options = {"global_clipnorm": 2.0}
    if recipe.average:
        options |= {"use_ema": True, "ema_momentum": 1 - 1 / max(2.0, recipe.average * steps)}
    optimizer = OPTIMIZERS[recipe.optimizer](recipe, options)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))


def linear(share: float) -> float:
    return 1 - share


def steps(share: float) -> float:
    """Ten times lower after a half and after four fifths of the run."""
    return 0.1 ** ((share >= 0.5) + (share >= 0.8))


def late(share: float) -> float:
    """As it is for four fifths of the run, then down in a line: a run that is made longer has lost nothing before."""
    return min(1.0, 5 * (1 - share))


def constant(_share: float) -> float:
    return 1.0


# What `plateau` does beside hangs on the validation error: `after_plateaus`.
SCHEDULES = {
    "cosine": cosine,
    "linear": linear,
    "steps": steps,
    "late": late,
    "constant": constant,
    "plateau": constant,
}


def after_plateaus(errors: list[float], patience: int) -> float:
    """What is left of the learning rate: 0.3 of it after every `patience` epochs without a smaller validation error.

    As Keras's ReduceLROnPlateau, but told by the errors alone: a resumed run has the rate that it would have had.
    """
    smallest, waited, left = math.inf, 0, 1.0
    for error in errors:
        waited += 1
        if error < smallest - 1e-4:
            smallest, waited = error, 0
        elif waited >= patience:
            left, waited = 0.3 * left, 0
    return left


def factor(schedule: str, share: float, warm_up: float) -> float:
    """Of the learning rate at its peak, when this share of the run is over: it rises first, and ends above zero."""
    if share < warm_up:
        return max(0.02, share / warm_up)
    return max(1e-3, SCHEDULES[schedule](min(1.0, (share - warm_up) / (1 - warm_up))))
