"""Everything that decides what a training run comes to, with units; saved beside the weights as recipe.json."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from stages.core.frames import CropGeometry
from train.data import TASKS, DataError, Task


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of one run."""

    task: str
    epochs: int
    seconds: int | None = None  # of training, over all its resumptions; None: as long as the epochs take
    batch: int = 64  # pictures
    learning_rate: float = 2e-3  # at its peak; warmed up over `warm_up`, then let down along a cosine
    warm_up: float = 0.04  # of the run
    weight_decay: float = 0.02
    dropout: float = 0.3
    smoothing: float = 0.0  # of class labels
    widths: tuple[int, ...] = (32, 48, 80, 128)  # channels of the stem and of each block
    side: int = 64  # pixels of the net's input
    crop_scale: float = 1.0  # side of the crop, in units of the normalised box
    low: float = -1.0  # what black becomes
    high: float = 1.0  # what white becomes
    seed: int = 1
    data: str = "data"
    start: str | None = None  # run folder whose weights are taken over

    @property
    def what(self) -> Task:
        return TASKS[self.task]

    @property
    def geometry(self) -> CropGeometry:
        return CropGeometry(self.side, self.side, self.what.channels, self.crop_scale)

    def with_changes(self, changes: dict) -> Recipe:
        return dataclasses.replace(self, **changes)


RECIPES = {
    "emotion": Recipe("emotion", epochs=20, smoothing=0.05, side=48),
    "age": Recipe("age", epochs=18),
    "gender": Recipe("gender", epochs=8, smoothing=0.05),
}


def save_recipe(recipe: Recipe, run: Path) -> None:
    (run / "recipe.json").write_text(json.dumps(dataclasses.asdict(recipe), indent=2) + "\n", encoding="utf-8")


def read_recipe(run: Path) -> Recipe:
    """The recipe of a run folder; DataError if there is none or it is of another version."""
    path = Path(run) / "recipe.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        return Recipe(**{**settings, "widths": tuple(settings["widths"])})
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); is {run} a run of python -m train?") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: is not a recipe of this version ({error}); train again.") from error
