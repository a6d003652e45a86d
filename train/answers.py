"""What a teacher that is too large to be asked again and again says of every training picture, written down once.

`RUN/answers.npz` holds for each data set float32 (N, K): for all N pictures of its cache the probabilities of the run's
K labels, head after head, and zeros for the parts that nobody learns from and for labels that are withheld.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from train.data import DataError, Head, write_cache
from train.recipe import Recipe, read_recipe

FILE = "answers.npz"


def are_written(run: str) -> bool:
    """Whether this teacher is one that wrote its answers down, not a net to be asked."""
    return (Path(run) / FILE).is_file()


def write_answers(run: Path, answers: dict[str, np.ndarray]) -> None:
    write_cache(run / FILE, {source: rows.astype(np.float32) for source, rows in answers.items()})


def written_answers(recipe: Recipe) -> dict[str, np.ndarray]:
    """By data set the teachers' mean answers, float32 (N, K) for the recipe's own heads; {} where they are nets.

    DataError where some are nets and some are not, or one has nothing to say about a head or a data set.
    """
    written = [are_written(teacher) for teacher in recipe.teachers]
    if not any(written):
        return {}
    if not all(written):
        raise DataError("Some teachers are nets and some have written their answers down; name teachers of one kind.")
    sources = [*recipe.repeats, *recipe.unlabelled]
    of_all = [_answers(Path(teacher), recipe.what.heads, sources) for teacher in recipe.teachers]
    return {source: np.mean([answers[source] for answers in of_all], axis=0) for source in sources}


def _answers(run: Path, heads: tuple[Head, ...], sources: list[str]) -> dict[str, np.ndarray]:
    columns, first = {}, 0
    for head in read_recipe(run).what.heads:
        columns[head.name] = np.arange(first, first + len(head.labels))
        first += len(head.labels)
    if missing := [head.name for head in heads if head.name not in columns]:
        raise DataError(f"{run}: answers for {', '.join(columns)}, not for {missing[0]}; name another teacher.")
    mine = np.concatenate([columns[head.name] for head in heads])
    with np.load(run / FILE, allow_pickle=False) as stored:
        if missing := [source for source in sources if source not in stored]:
            raise DataError(f"{run / FILE}: says nothing about {missing[0]}; run train.probe with it, too.")
        return {source: stored[source][:, mine] for source in sources}
