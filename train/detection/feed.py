"""Batches of crops of photographs, in an order that depends on the seed alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.vision.detectors.cells import cell_table
from train.detection import crops
from train.detection.data import Photographs, load
from train.feed import Workers, order
from train.recipe import Recipe


class Feed:
    """The training pictures of a recipe; as `train.feed.Feed`, best made before Keras is imported."""

    def __init__(self, recipe: Recipe, workers: int):
        self.recipe = recipe
        self.sets = [load(source, "train", Path(recipe.data)) for source in recipe.repeats]
        self.repeats = list(recipe.repeats.values())
        self._workers = Workers(workers, make, (self.sets, recipe))

    def __len__(self) -> int:
        return sum(map(len, self.sets))

    @property
    def steps(self) -> int:
        return max(1, len(order(self.sets, self.repeats, [0])) // self.recipe.batch)

    def batches(self, epoch: int):
        """Crops uint8 (n, H, W, 3) RGB and what `packed` says of them, from this epoch on, without end."""
        jobs = ((rows, seed) for rows, seed in self._jobs(epoch))
        return self._workers.results(jobs)

    def _jobs(self, epoch: int):
        size = self.recipe.batch
        while True:
            rows = order(self.sets, self.repeats, [self.recipe.seed, epoch])
            for step in range(self.steps):
                yield rows[step * size : (step + 1) * size], [self.recipe.seed, epoch, step]
            epoch += 1

    def close(self) -> None:
        self._workers.close()


def make(sets: list[Photographs], recipe: Recipe, rows: np.ndarray, seed: list[int]):
    """One batch of rows (set, index)."""
    rng = np.random.default_rng(seed)
    side = recipe.side
    cells = cell_table(side, side)
    pixels = np.empty((len(rows), side, side, 3), np.uint8)
    wanted = []
    for k, row in enumerate(rows):
        others = rows[rng.integers(0, len(rows), 3)] if rng.random() < crops.FOUR else rows[:0]
        shown = [(sets[number].picture(i), sets[number].labels[i]) for number, i in [row, *others]]
        crop, labels = crops.made(shown, side, rng, recipe.strength, recipe.turned, recipe.points_from)
        pixels[k] = crop[:, :, ::-1]
        wanted.append(crops.packed(labels, cells))
    return pixels, np.stack(wanted)
