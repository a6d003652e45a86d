"""How far a run is, kept so that a run that was broken off at any moment goes on as if nothing had been."""

from __future__ import annotations

import json
import math
import time
import zipfile
from pathlib import Path

import numpy as np

from train.data import DataError
from train.files import whole, write_text
from train.recipe import Recipe, read_recipe, save_recipe


def begin(recipe: Recipe, run: Path, resume: bool) -> tuple[Progress, Recipe]:
    """The state to start from; DataError where a run would be overwritten or there is none to resume."""
    if resume:
        return Progress.read(run), read_recipe(run)
    if (run / "recipe.json").exists():
        raise DataError(f"{run}: holds a run already; add --resume, choose another --out or remove it.")
    run.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, run)
    return Progress(run), recipe


class Progress:
    """Whole epochs, seconds of training, and what each epoch came to."""

    def __init__(self, run: Path, seconds: float = 0.0, history: list[dict] | None = None):
        self.run = run
        self.history = history or []
        self._before = seconds
        self._started = time.monotonic()

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

    @property
    def seconds(self) -> float:
        """Since the clock was started, and in the sittings before."""
        return self._before + time.monotonic() - self._started

    def start_clock(self) -> None:
        self._started = time.monotonic()

    @property
    def errors(self) -> list[float]:
        """On the validation parts, by epoch."""
        return [row["error"] for row in self.history]

    @property
    def best_error(self) -> float:
        return min(self.errors, default=math.inf)

    def share(self, recipe: Recipe) -> float:
        """How much of the run is over, by its epochs or its seconds, whichever is further."""
        by_epochs = self.epoch / recipe.epochs
        return max(by_epochs, self.seconds / recipe.seconds) if recipe.seconds else by_epochs

    def is_over(self, recipe: Recipe) -> bool:
        """Whether its epochs or seconds have passed, or so many epochs without a smaller error as it has patience."""
        waited = self.epoch - 1 - self.errors.index(self.best_error) if self.history else 0
        return self.share(recipe) >= 1 or 0 < recipe.patience <= waited

    def restore(self, net, optimizer) -> None:
        """Give the net, and the optimizer if there is one, what they had at the end of the last whole epoch."""
        if not self.history:
            return
        path = self.run / f"last-{self.epoch}.npz"
        try:
            with np.load(path, allow_pickle=False) as arrays:
                net.set_weights([arrays[f"net{i}"] for i in range(len(net.weights))])
                for i, variable in enumerate(optimizer.variables if optimizer else ()):
                    variable.assign(arrays[f"optimizer{i}"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: is not the state of this run ({error}); train again without --resume.") from error

    def keep_last(self, net, optimizer) -> None:
        """Write what `restore` needs after the epoch that `keep` is about to note."""
        arrays = {f"net{i}": np.asarray(w) for i, w in enumerate(net.get_weights())}
        arrays |= {f"optimizer{i}": np.asarray(v) for i, v in enumerate(optimizer.variables)}
        with whole(self.run / f"last-{self.epoch + 1}.npz") as unfinished:
            np.savez(unfinished, **arrays)

    def keep(self, row: dict) -> None:
        """Note one epoch. state.json is renamed into place last, so a kill in between costs one epoch and no more."""
        self.history.append({"epoch": self.epoch + 1, "seconds": round(self.seconds, 1), **row})
        state = {"seconds": self.seconds, "history": self.history}
        write_text(self.run / "state.json", json.dumps(state))
        (self.run / f"last-{self.epoch - 1}.npz").unlink(missing_ok=True)
