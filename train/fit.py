"""The training loop: seeded, resumable at every epoch, free of any backend's own calls."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np

from train.augment import Strength, augmented, plain
from train.data import DataError, Faces, load
from train.nets import residual, start_from
from train.recipe import Recipe, read_recipe, save_recipe
from train.report import draw_confusion, draw_curves, write_log
from train.targets import distributions, error_of, loss_of


def fit(recipe: Recipe, run: Path, resume: bool, say: Callable[[str], None]) -> None:
    """Train by the recipe into the folder `run`; with `resume`, go on with the recipe and epoch found there."""
    cv2.setNumThreads(1)
    progress, recipe = begin(recipe, run, resume)
    train = parts_of(recipe, "train")
    validation = parts_of(recipe, "validation")
    held_out = np.concatenate([plain(faces, recipe.geometry) for faces in validation])
    answers = np.concatenate([faces.labels for faces in validation])
    model = progress.load_model() or new_model(recipe)
    say(
        f"{recipe.task}: {sum(map(len, train))} pictures to train on, {len(answers)} to validate, "
        f"{model.count_params():,} parameters -> {run}"
    )
    while progress.epoch < recipe.epochs and not progress.out_of_time(recipe):
        started = time.monotonic()
        loss = one_epoch(model, train, recipe, progress)
        progress.seconds += time.monotonic() - started
        logits = model.predict(scaled(held_out, recipe), batch_size=256, verbose=0)
        error = error_of(recipe.what, logits, answers)
        progress.keep(model, {"loss": loss, "error": error})
        epoch = f"epoch {progress.epoch}/{recipe.epochs}"
        say(f" {epoch}  loss {loss:.3f}  {described(recipe, error)}  {progress.seconds:.0f} s")
    best = keras.saving.load_model(run / "best.keras", compile=False)
    logits = best.predict(scaled(held_out, recipe), batch_size=256, verbose=0)
    draw_curves(progress.history, recipe, run / "curves.png")
    draw_confusion(recipe.what, logits, answers, run / "confusion.png")
    error = error_of(recipe.what, logits, answers)
    say(f"{recipe.task}: best {described(recipe, error)} after {progress.seconds:.0f} s")


def begin(recipe: Recipe, run: Path, resume: bool) -> tuple[Progress, Recipe]:
    """The state to start from; DataError where a run would be overwritten or there is none to resume."""
    if resume:
        return Progress.read(run), read_recipe(run)
    if (run / "recipe.json").exists():
        raise DataError(f"{run}: holds a run already; add --resume, choose another --out or remove it.")
    run.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, run)
    return Progress(run), recipe


def parts_of(recipe: Recipe, part: str) -> list[Faces]:
    """The task's data sets that have pictures in this part; validation may be on some of them only."""
    found, reasons = [], []
    for source in recipe.what.sources:
        try:
            found.append(load(recipe.what, source, part, Path(recipe.data)))
        except DataError as error:
            # A set without a validation part is expected; a missing cache would silently train another net.
            if not (Path(recipe.data) / f"{source}.npz").is_file():
                raise
            reasons.append(str(error))
    if not found:
        raise DataError(reasons[0])
    return found


def new_model(recipe: Recipe) -> keras.Model:
    """A net with fresh weights, or with those of the run that the recipe starts from."""
    keras.utils.set_random_seed(recipe.seed)
    shape = (recipe.side, recipe.side, recipe.what.channels)
    model = residual(shape, len(recipe.what.labels), recipe.widths, recipe.dropout)
    if recipe.start is not None:
        path = Path(recipe.start) / "best.keras"
        if not path.is_file():
            raise DataError(f"{path}: no such file; name the folder of a run that has ended with --from.")
        try:
            start_from(model, keras.saving.load_model(path, compile=False))
        except ValueError as error:
            raise DataError(f"{path}: does not fit this net ({error}); train without --from.") from error
    # Decay of all weights: which ones are left out does not survive saving, so a resumed run would be another one.
    optimizer = keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay, global_clipnorm=2.0)
    # XLA was no faster on a CPU, and with separable convolutions it took six times as long.
    model.compile(optimizer, loss_of(recipe.what), jit_compile=False)
    return model


def one_epoch(model: keras.Model, train: list[Faces], recipe: Recipe, progress: Progress) -> float:
    """Go once through all pictures in a new order; return the mean loss."""
    rng = np.random.default_rng([recipe.seed, progress.epoch])
    # Keras saves a model without the state of its dropout: set anew, so that a resumed run is the same run.
    model.get_layer("dropout").seed_generator.state.assign([recipe.seed, progress.epoch])
    where = np.concatenate([np.stack([np.full(len(f), s), np.arange(len(f))], 1) for s, f in enumerate(train)])
    rng.shuffle(where)
    steps = max(1, len(where) // recipe.batch)
    started, losses = time.monotonic(), []
    for step in range(steps):
        chosen = where[step * recipe.batch : (step + 1) * recipe.batch]
        share = progress.share(recipe, step / steps, time.monotonic() - started)
        if share >= 1 and losses:
            break
        model.optimizer.learning_rate.assign(recipe.learning_rate * let_down(share, recipe.warm_up))
        crops, labels = batch(train, chosen, recipe, rng)
        targets = distributions(recipe.what, labels, recipe.smoothing)
        losses.append(float(model.train_on_batch(scaled(crops, recipe), targets)))
    return float(np.mean(losses))


def batch(train: list[Faces], chosen: np.ndarray, recipe: Recipe, rng) -> tuple[np.ndarray, np.ndarray]:
    """Augmented crops uint8 (n, H, W, C) and labels (n,) of rows (set, index)."""
    crops, labels = [], []
    for number in np.unique(chosen[:, 0]):
        rows = chosen[chosen[:, 0] == number, 1]
        crops.append(augmented(train[number], rows, recipe.geometry, rng, Strength()))
        labels.append(train[number].labels[rows])
    return np.concatenate(crops), np.concatenate(labels)


def scaled(crops: np.ndarray, recipe: Recipe) -> np.ndarray:
    """uint8 -> float32, black to `low` and white to `high`; the card of the export says the same."""
    return crops.astype(np.float32) * np.float32((recipe.high - recipe.low) / 255) + np.float32(recipe.low)


def let_down(share: float, warm_up: float) -> float:
    """Factor of the learning rate when this share of the run is over."""
    if share < warm_up:
        return max(0.02, share / warm_up)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warm_up) / (1 - warm_up)))) + 1e-3


def described(recipe: Recipe, error: float) -> str:
    return f"validation MAE {error:.2f} years" if recipe.what.kind == "age" else f"validation accuracy {1 - error:.2%}"


class Progress:
    """How far a run is: whole epochs, seconds of training, and the errors so far."""

    def __init__(self, run: Path, seconds: float = 0.0, history: list[dict] | None = None):
        self.run = run
        self.seconds = seconds
        self.history = history or []

    @classmethod
    def read(cls, run: Path) -> Progress:
        """The state that `keep` wrote; of a run broken off in its first epoch, the beginning."""
        path = run / "state.json"
        if not path.exists() and (run / "recipe.json").exists():
            return cls(run)
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            return cls(run, state["seconds"], state["history"])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{path}: is not the state of a run to resume ({error}); train without --resume."
            ) from error

    @property
    def epoch(self) -> int:
        return len(self.history)

    def load_model(self) -> keras.Model | None:
        """The model of the last whole epoch with its optimizer, or None at the beginning."""
        if not self.history:
            return None
        path = self.run / f"last-{self.epoch}.keras"
        loss = loss_of(read_recipe(self.run).what)
        try:
            return keras.saving.load_model(path, custom_objects={"age_loss": loss})  # with its optimizer's state
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: is not the model of this run ({error}); train again without --resume.") from error

    def out_of_time(self, recipe: Recipe) -> bool:
        return recipe.seconds is not None and self.epoch > 0 and self.seconds >= recipe.seconds

    def share(self, recipe: Recipe, of_epoch: float, seconds: float) -> float:
        """How much of the run is over, by its epochs or its seconds, whichever is further."""
        by_epochs = (self.epoch + of_epoch) / recipe.epochs
        return max(by_epochs, (self.seconds + seconds) / recipe.seconds) if recipe.seconds else by_epochs

    def keep(self, model: keras.Model, row: dict) -> None:
        """Note one epoch. state.json is renamed into place last, so a kill in between costs one epoch and no more."""
        previous = self.run / f"last-{self.epoch}.keras"
        best_so_far = min((r["error"] for r in self.history), default=math.inf)
        self.history.append({"epoch": self.epoch + 1, "seconds": round(self.seconds, 1), **row})
        model.save(self.run / f"last-{self.epoch}.keras")
        if row["error"] < best_so_far:
            model.save(self.run / "unfinished.keras")
            (self.run / "unfinished.keras").replace(self.run / "best.keras")
        state = {"seconds": self.seconds, "history": self.history}
        (self.run / "unfinished.json").write_text(json.dumps(state), encoding="utf-8")
        (self.run / "unfinished.json").replace(self.run / "state.json")
        write_log(self.history, self.run / "log.csv")
        previous.unlink(missing_ok=True)
