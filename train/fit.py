"""One training run, in Keras's own loop: seeded, resumable at every epoch, free of any backend's own calls."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import cv2
import keras
import numpy as np

from stages.supervision.command import alive
from train.answers import are_written
from train.augment import plain
from train.callbacks import answers_of, callbacks_of
from train.data import DataError, Faces, load
from train.feed import Feed
from train.nets import BACKBONE, build, learner, start_from, trained_net
from train.optimize import optimizer_of
from train.recipe import Recipe
from train.report import report
from train.state import Progress
from train.targets import blended, loss_of, targets_of


def fit(recipe: Recipe, progress: Progress, feed: Feed, say: Callable[[str], None]) -> None:
    """Train by the recipe into the folder of `progress`, from where it is."""
    cv2.setNumThreads(1)
    run, heads = progress.run, recipe.what.heads
    validation = validation_sets(recipe)
    feed.set_targets([wanted(recipe, faces) for faces in feed.sets])
    with policy(recipe.precision):
        net = new_net(recipe)
    teachers = [trained_net(Path(teacher) / "best.keras") for teacher in nets_among(recipe.teachers)]
    model = learner(net, heads, teachers)
    say(
        f"{recipe.task}: {len(feed)} pictures to train on, {sum(len(f) for f, _ in validation.values())} to validate, "
        f"{net.count_params():,} parameters -> {run}"
    )
    for first, end, is_frozen in phases(recipe):
        if progress.epoch >= end or progress.is_over(recipe):
            continue
        freeze(net, is_frozen)
        fix(net, recipe.fixed)
        compiled(model, recipe, feed.steps)
        progress.restore(net, model.optimizer if progress.epoch > first else None)
        with signs_of_life(f"{recipe.task}: training"):
            model.fit(
                feed.batches(progress.epoch),
                steps_per_epoch=feed.steps,
                initial_epoch=progress.epoch,
                epochs=end,
                callbacks=callbacks_of(recipe, progress, net, validation, say),
                shuffle=False,
                verbose=1 if sys.stdout.isatty() else 0,
            )
    best = trained_net(run / "best.keras")
    answers = {source: answers_of(best, crops) for source, (_, crops) in validation.items()}
    report(run, recipe, progress.history, validation, answers)
    say(f"{recipe.task}: best after epoch {best_epoch(progress)}, {progress.seconds:.0f} s; {run / 'log.md'} tells all")


def signs_of_life(what: str) -> AbstractContextManager:
    """On a terminal Keras has a progress bar; in a log an epoch of minutes would look like a program that hangs."""
    return nullcontext() if sys.stdout.isatty() else alive(what, every_s=60)


def wanted(recipe: Recipe, faces: Faces) -> np.ndarray:
    """What is to be learned about the faces, float32 (N, K): their labels, and what teachers wrote down of them."""
    targets = targets_of(recipe.what.heads, faces, recipe.smoothing, recipe.class_weights, recipe.even)
    return blended(recipe.what.heads, targets, faces, recipe.teaching)


def nets_among(teachers: tuple[str, ...]) -> list[str]:
    """The teachers that are asked while the net learns."""
    return [teacher for teacher in teachers if not are_written(teacher)]


def best_epoch(progress: Progress) -> int:
    return min(progress.history, key=lambda row: row["error"])["epoch"]


def phases(recipe: Recipe) -> list[tuple[int, int, bool]]:
    """First epoch, end and whether the pretrained part is frozen; each phase has an optimizer of its own."""
    if not 0 < recipe.frozen < recipe.epochs:
        return [(0, recipe.epochs, recipe.frozen > 0)]
    return [(0, recipe.frozen, True), (recipe.frozen, recipe.epochs, False)]


def freeze(net: keras.Model, is_frozen: bool) -> None:
    """Hold still the pretrained part of a net, or let it learn; DataError for a net without one."""
    backbones = [layer for layer in net.layers if layer.name == BACKBONE]
    if is_frozen and not backbones:
        raise DataError("frozen is for nets with a pretrained part alone, such as vgg16; set it to 0.")
    for backbone in backbones:
        backbone.trainable = not is_frozen


def fix(net: keras.Model, count: int) -> None:
    """Hold still the first `count` convolutions with all that follows them up to the next.

    They find edges and spots, which a start from other faces already knows, and on a CPU they cost half of the time.
    """
    kinds = keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.SeparableConv2D
    places = [place for place, layer in enumerate(net.layers) if isinstance(layer, kinds)]
    if count > len(places):
        raise DataError(f"fixed is {count}, the net has {len(places)} convolutions; write a smaller number.")
    if not count:  # The convolutions of a pretrained part are none of this net's own layers.
        return
    end = places[count] if count < len(places) else places[-1] + 1
    for layer in net.layers[:end]:
        layer.trainable = False


def compiled(model: keras.Model, recipe: Recipe, steps: int) -> None:
    optimizer = optimizer_of(recipe, steps * recipe.epochs)
    teaching = recipe.teaching if nets_among(recipe.teachers) else None
    # XLA was no faster on a CPU, and with separable convolutions it took six times as long. JAX is nothing without it.
    jit = "auto" if keras.backend.backend() == "jax" else False
    loss = loss_of(recipe.what.heads, teaching, recipe.head_weights)
    model.compile(optimizer, loss, jit_compile=jit)
    optimizer.build(model.trainable_variables)


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Layers made inside compute in this precision; their weights are float32 in any case."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def new_net(recipe: Recipe) -> keras.Model:
    """A net with fresh weights, or with those of the run that the recipe starts from."""
    keras.utils.set_random_seed(recipe.seed)
    net = build(recipe)
    if recipe.start is not None:
        path = Path(recipe.start) / "best.keras"
        if not path.is_file():
            raise DataError(f"{path}: no such file; name the folder of a run that has ended with --from.")
        try:
            start_from(net, trained_net(path))
        except ValueError as error:
            raise DataError(f"{path}: does not fit this net ({error}); train without --from.") from error
    return net


def validation_sets(recipe: Recipe) -> dict[str, tuple[Faces, np.ndarray]]:
    """By data set, of those that have a validation part: the faces and their crops as the stages cut them."""
    found, reasons = {}, []
    for source in recipe.repeats:
        try:
            faces = load(recipe.what, source, "validation", Path(recipe.data))
        except DataError as error:
            # A set without a validation part is expected; a missing cache would silently train another net.
            if not (Path(recipe.data) / f"{source}.npz").is_file():
                raise
            reasons.append(str(error))
        else:
            found[source] = (faces, plain(faces, recipe.geometry))
    if not found:
        raise DataError(reasons[0])
    return found
