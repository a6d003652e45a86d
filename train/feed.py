"""Batches for training, made by worker processes in an order that depends on the seed alone.

An epoch goes through every data set as often as the recipe says. A batch is a function of its epoch and its number, so
it does not matter which worker makes it, and a resumed run sees what an undisturbed one would have seen.
"""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from train.answers import written_answers
from train.augment import Strength, augmented, mixed
from train.data import Faces, load
from train.recipe import Recipe

AHEAD = 3  # batches for each worker that may be made before they are needed


class Feed:
    """The training pictures of a recipe. `set_targets` says what is to be learned of them before batches are asked for.

    Best made before Keras is imported: then the workers are forked, and share the pictures' memory. Where the system
    cannot fork, or Keras has started its threads, which do not survive it, each worker gets a copy.
    """

    def __init__(self, recipe: Recipe, workers: int):
        self.recipe = recipe
        self.sets, self.repeats = training_sets(recipe)
        self._workers = Workers(workers, make, (self.sets, recipe))
        self._targets: list[np.ndarray] = []

    def __len__(self) -> int:
        return sum(map(len, self.sets))

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return max(1, len(order(self.sets, self.repeats, [0])) // self.recipe.batch)

    def set_targets(self, targets: list[np.ndarray]) -> None:
        """What is to be learned of every picture, float32 (N, K), for each of `sets`."""
        self._targets = targets

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Crops uint8 (n, H, W, C) and targets float32 (n, K), from this epoch on, without end."""
        jobs, asked = itertools.tee(self._jobs(epoch))
        for (rows, _), made in zip(jobs, self._workers.results(asked), strict=True):
            yield self._batch(rows, made)

    def _jobs(self, epoch: int) -> Iterator[tuple[np.ndarray, list[int]]]:
        size = self.recipe.batch
        for number in itertools.count(epoch):
            rows = order(self.sets, self.repeats, [self.recipe.seed, number])
            size = min(size, len(rows))
            for step in range(self.steps):
                yield rows[step * size : (step + 1) * size], [self.recipe.seed, number, step]

    def _batch(self, rows: np.ndarray, made: tuple) -> tuple[np.ndarray, np.ndarray]:
        crops, partners, weights = made
        targets = np.stack([self._targets[source][index] for source, index in rows])
        return crops, weights[:, None] * targets + (1 - weights[:, None]) * targets[partners]

    def close(self) -> None:
        self._workers.close()


class Workers:
    """Processes that call one function, `make(*shared, *job)`, for many jobs; with a count of 0, this process does.

    Where the system can fork and Keras has not started its threads, which do not survive it, they share the memory of
    what is `shared`; else each gets a copy.
    """

    def __init__(self, count: int, make: Callable, shared: tuple):
        self._count, self._make, self._shared = count, make, shared
        can_fork = sys.platform == "linux" and "keras" not in sys.modules
        context = multiprocessing.get_context("fork" if can_fork else "spawn")
        self._pool = ProcessPoolExecutor(count, context, _start, (make, shared)) if count else None

    def results(self, jobs: Iterator[tuple]) -> Iterator:
        """What `make` returns for each job, in the order of the jobs."""
        if self._pool is None:
            for job in jobs:
                yield self._make(*self._shared, *job)
            return
        waiting = deque()
        for job in jobs:
            waiting.append(self._pool.submit(_made, *job))
            if len(waiting) > self._count * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)


def training_sets(recipe: Recipe) -> tuple[list[Faces], list[float]]:
    """The data sets with how often an epoch goes through each: labelled ones, then those for the teachers alone."""
    folder = Path(recipe.data)
    taught = written_answers(recipe)
    sets = [
        load(recipe.what, source, "train", folder, unlabelled, taught.get(source))
        for unlabelled, sources in ((False, recipe.repeats), (True, recipe.unlabelled))
        for source in sources
    ]
    return sets, [*recipe.repeats.values(), *recipe.unlabelled.values()]


def order(sets: list[Faces], repeats: list[float], seed: list[int]) -> np.ndarray:
    """The pictures of one epoch, shuffled: rows of (set, index), int (M, 2)."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, (faces, repeat) in enumerate(zip(sets, repeats, strict=True)):
        whole, rest = divmod(round(len(faces) * repeat), len(faces))
        chosen = [np.arange(len(faces))] * whole + [rng.permutation(len(faces))[:rest]]
        chosen = np.concatenate(chosen)
        rows.append(np.stack([np.full(len(chosen), number), chosen], axis=1))
    return rng.permutation(np.concatenate(rows))


def make(sets: list[Faces], recipe: Recipe, rows: np.ndarray, seed: list[int]) -> tuple:
    """What `mixed` returns for one batch of rows (set, index)."""
    rng = np.random.default_rng(seed)
    geometry, strength = recipe.geometry, Strength().times(recipe.strength)
    crops = np.empty((len(rows), geometry.height, geometry.width, geometry.channels), np.uint8)
    for number in np.unique(rows[:, 0]):
        of_set = rows[:, 0] == number
        crops[of_set] = augmented(sets[number], rows[of_set, 1], geometry, rng, strength)
    return mixed(crops, recipe.mixup, rng)


_work: tuple[Callable, tuple]  # of a worker process


def _start(make: Callable, shared: tuple) -> None:
    global _work
    cv2.setNumThreads(1)
    _work = (make, shared)


def _made(*job) -> tuple:
    make, shared = _work
    return make(*shared, *job)
