"""One training run of the face detector, in Keras's own loop, as `train.fit` for the nets that look at one face."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np

from stages.vision.detectors.cells import found
from train.callbacks import Best, Last, Note, Rate
from train.data import DataError
from train.detection.data import Labels, Photographs, validation_sets
from train.detection.feed import Feed
from train.detection.loss import loss_for
from train.detection.net import build
from train.detection.score import SMALLEST, matched
from train.files import write_text
from train.fit import policy, signs_of_life
from train.nets import trained_net
from train.optimize import optimizer_of
from train.recipe import Recipe
from train.report import draw_curves, markdown, write_log
from train.state import Progress

AT_ONCE = 24  # validation pictures
LONGEST = 320  # pixels of their longer side


def fit(recipe: Recipe, progress: Progress, feed: Feed, say: Callable[[str], None]) -> None:
    """Train by the recipe into the folder of `progress`, from where it is."""
    cv2.setNumThreads(1)
    validation = validation_sets(recipe.repeats, Path(recipe.data))
    keras.utils.set_random_seed(recipe.seed)
    with policy(recipe.precision):
        net = build(recipe.width)
    if recipe.start is not None:
        start_from(net, Path(recipe.start) / "best.keras")
    say(
        f"{recipe.task}: {len(feed)} pictures to train on, {sum(map(len, validation.values()))} to validate, "
        f"{net.count_params():,} parameters -> {progress.run}"
    )
    net.compile(
        optimizer_of(recipe, feed.steps * recipe.epochs), loss_for(recipe.side, recipe.head_weights), jit_compile=False
    )
    net.optimizer.build(net.trainable_variables)
    progress.restore(net, net.optimizer)
    callbacks = [Rate(recipe, progress), Last(progress, net)]
    if recipe.average:
        callbacks.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
    callbacks += [Validate(net, validation), Best(progress, net), Note(recipe, progress, set(), say)]
    with signs_of_life(f"{recipe.task}: training"):
        net.fit(
            feed.batches(progress.epoch),
            steps_per_epoch=feed.steps,
            initial_epoch=progress.epoch,
            epochs=recipe.epochs,
            callbacks=callbacks,
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 0,
        )
    write_log(progress.history, progress.run / "log.csv")
    write_text(progress.run / "log.md", markdown(recipe, progress.history))
    draw_curves(progress.history, recipe.task, progress.run / "curves.png")
    best = min(progress.history, key=lambda row: row["error"])
    say(f"{recipe.task}: best after epoch {best['epoch']}; {progress.run / 'log.md'} tells all")


def start_from(net: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file; name the folder of a run that has ended an epoch with --from.")
    try:
        net.set_weights(trained_net(path).get_weights())
    except ValueError as error:
        raise DataError(f"{path}: does not fit this net ({error}); train without --from.") from error


class Validate(keras.callbacks.Callback):
    """Adds what is missing of an average precision of 1 to the logs, the longer side of every picture 320 pixels."""

    def __init__(self, net: keras.Model, validation: dict[str, Photographs]):
        super().__init__()
        self._net = net
        self._sets = {name: squares(photographs, LONGEST) for name, photographs in validation.items()}

    def on_epoch_end(self, epoch, logs=None):
        for name, (pixels, labels) in self._sets.items():
            side = pixels.shape[1]
            padded = np.concatenate([pixels, np.zeros((-len(pixels) % AT_ONCE, *pixels.shape[1:]), np.uint8)])
            answers = np.asarray(self._net.predict(padded, batch_size=AT_ONCE, verbose=0))[: len(pixels)]
            told = [found(one, side, side, certain=0.02) for one in answers]
            matches = matched([(boxes, scores) for boxes, _, scores in told], labels, (SMALLEST * side / 640, np.inf))
            logs[f"faces on {name}"] = 1 - matches.average_precision()
        logs["val_error"] = float(np.mean([logs[f"faces on {name}"] for name in self._sets]))


def squares(photographs: Photographs, side: int) -> tuple[np.ndarray, list[Labels]]:
    """Whole pictures RGB in the corner of a black square, and the faces in them."""
    pixels, labels = np.zeros((len(photographs), side, side, 3), np.uint8), []
    for index in range(len(photographs)):
        picture = photographs.picture(index)
        scale = side / max(picture.shape[:2])
        size = [max(1, round(edge * scale)) for edge in picture.shape[1::-1]]
        pixels[index, : size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)[:, :, ::-1]
        truth = photographs.labels[index]
        labels.append(Labels(truth.boxes * scale, truth.ignored, truth.points * scale))
    return pixels, labels
