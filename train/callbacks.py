"""What happens between the epochs of a run, as callbacks for Keras's loop."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import keras
import numpy as np

from train.data import DataError, Faces, Head
from train.files import whole
from train.optimize import after_plateaus, factor
from train.recipe import Recipe
from train.state import Progress
from train.targets import errors_of

PREDICTED_AT_ONCE = 256


def callbacks_of(
    recipe: Recipe, progress: Progress, net: keras.Model, validation: dict[str, tuple[Faces, np.ndarray]], say: Callable
) -> list[keras.callbacks.Callback]:
    """All of a recipe's callbacks, in the order in which they need each other.

    The state to resume from is written before averaged weights are swapped in, everything that judges comes after.
    """
    callbacks = [Rate(recipe, progress), Last(progress, net)]
    if recipe.average:
        callbacks.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
    callbacks += [Validate(recipe.what.heads, net, validation), Best(progress, net)]
    if recipe.tensorboard:
        callbacks.append(tensorboard(progress))
    years = years_told({source: faces for source, (faces, _) in validation.items()}, recipe.what.heads)
    return [*callbacks, Note(recipe, progress, years, say)]


def tensorboard(progress: Progress) -> keras.callbacks.Callback:
    """DataError where a package is missing. Keras itself would say so only at the end of the first epoch."""
    for package in ("tensorflow", "tensorboard"):  # TensorFlow 2.21 does not bring the other one
        if importlib.util.find_spec(package) is None:
            raise DataError(f"TensorBoard's log needs {package}; pip install {package}, or leave out --tensorboard.")
    return keras.callbacks.TensorBoard(progress.run / "tensorboard", write_graph=False)


class Rate(keras.callbacks.Callback):
    """Sets the learning rate of every epoch, and ends the run when its time is over."""

    def __init__(self, recipe: Recipe, progress: Progress):
        super().__init__()
        self._recipe, self._progress = recipe, progress

    def on_train_begin(self, logs=None):
        self._progress.start_clock()

    def on_epoch_begin(self, epoch, logs=None):
        # Keras saves nets without the state of their dropout: set anew, so that a resumed run is the same run.
        for layer in self.model._flatten_layers():
            if getattr(layer, "seed_generator", None) is not None:
                layer.seed_generator.state.assign([self._recipe.seed, epoch])
        # The middle of the epoch speaks for it: by epochs alone the first would have no rate at all.
        share = min(1.0, self._progress.share(self._recipe) + 0.5 / self._recipe.epochs)
        rate = self._recipe.learning_rate * factor(self._recipe.schedule, share, self._recipe.warm_up)
        if self._recipe.schedule == "plateau":
            rate *= after_plateaus(self._progress.errors, patience=max(2, self._recipe.epochs // 20))
        self.model.optimizer.learning_rate.assign(rate)

    def on_train_batch_end(self, batch, logs=None):
        if self._recipe.seconds and self._progress.seconds >= self._recipe.seconds:
            self.model.stop_training = True


class Last(keras.callbacks.Callback):
    """Writes what a resumed run needs."""

    def __init__(self, progress: Progress, net: keras.Model):
        super().__init__()
        self._progress, self._net = progress, net

    def on_epoch_end(self, epoch, logs=None):
        self._progress.keep_last(self._net, self.model.optimizer)


class Validate(keras.callbacks.Callback):
    """Adds the validation errors to the logs: of each head on each data set, and `val_error`, their mean.

    Data sets count alike within a head, however many pictures they have, so that none is learned at another's cost.
    """

    def __init__(self, heads: tuple[Head, ...], net: keras.Model, validation: dict[str, tuple[Faces, np.ndarray]]):
        super().__init__()
        self._heads, self._net, self._validation = heads, net, validation

    def on_epoch_end(self, epoch, logs=None):
        by_head = {}
        for source, (faces, crops) in self._validation.items():
            for head, error in errors_of(self._heads, answers_of(self._net, crops), faces).items():
                logs[f"{head} on {source}"] = error
                by_head.setdefault(head, []).append(error)
        logs["val_error"] = float(np.mean([np.mean(errors) for errors in by_head.values()]))


def answers_of(net: keras.Model, crops: np.ndarray) -> np.ndarray:
    """Logits float32 (N, K) for crops uint8 (N, H, W, C), in batches of one size: each new size is compiled anew."""
    padded = np.concatenate([crops, np.zeros((-len(crops) % PREDICTED_AT_ONCE, *crops.shape[1:]), np.uint8)])
    return np.asarray(net.predict(padded, batch_size=PREDICTED_AT_ONCE, verbose=0))[: len(crops)]


class Best(keras.callbacks.Callback):
    """Writes best.keras when the validation parts say so. Not ModelCheckpoint: it would save the teachers, too."""

    def __init__(self, progress: Progress, net: keras.Model):
        super().__init__()
        self._progress, self._net = progress, net

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_error"] < self._progress.best_error or epoch == 0:
            with whole(self._progress.run / "best.keras") as unfinished:
                self._net.save(unfinished)


class Note(keras.callbacks.Callback):
    """Notes the epoch as done, says so, and ends a run that is over.

    Not EarlyStopping: it would count anew in a resumed run.
    """

    def __init__(self, recipe: Recipe, progress: Progress, years: set[str], say: Callable):
        super().__init__()
        self._recipe, self._progress, self._years, self._say = recipe, progress, years, say

    def on_epoch_end(self, epoch, logs=None):
        figures = {name: value for name, value in logs.items() if " on " in name}
        rate = float(self.model.optimizer.learning_rate)
        self._progress.keep({"loss": logs["loss"], "error": logs["val_error"], "learning_rate": rate, **figures})
        shown = "  ".join(described(name, value, self._years) for name, value in figures.items())
        done = f"epoch {self._progress.epoch}/{self._recipe.epochs}"
        self._say(f" {done}  loss {logs['loss']:.3f}  {shown}  {self._progress.seconds:.0f} s")
        if self._progress.is_over(self._recipe):
            self.model.stop_training = True


def years_told(validation: dict[str, Faces], heads: tuple[Head, ...]) -> set[str]:
    """The names of the errors that are decades: of ages, on the data sets that know years and not groups alone."""
    ages = [head.name for head in heads if head.kind == "age"]
    return {f"{age} on {source}" for age in ages for source, faces in validation.items() if "age" in faces.labels}


def described(name: str, error: float, years: set[str]) -> str:
    """An error as people say it; those of `years` are in decades."""
    if name in years:
        return f"{name} {10 * error:.2f} years off"
    return f"{name} {1 - error:.2%} right"
