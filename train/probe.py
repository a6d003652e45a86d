"""Make a teacher from large pretrained models without training them: a probe on their features.

    python -m train.probe person --net faceres.yaml --net other.yaml --out runs/probe
    python -m train gender --teacher runs/probe

A face recognition model was trained on millions of faces. It knows more about faces than our data sets can teach, but
is too slow for a stage. Each model processes every training and validation picture once, which takes minutes. A small
head learns the task on its features (a probe, after Alain and Bengio 2016). The answers for the training pictures are
stored, and a small model learns them (distillation, Hinton, Vinyals and Dean 2015).

A card describes each model as for a stage: file, input and crop, and `task: regression`, because its outputs have no
names. RUN/ contains recipe.json, origin.json, answers.npz and the features, with which an interrupted run continues.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from stages.errors import FacepipeError
from stages.vision.inference import open_net
from stages.vision.inference.card import Card, load_card
from stages.vision.inference.fields import read_mapping
from stages.vision.inference.model import Model, check_file, preprocess
from train.answers import write_answers
from train.augment import plain
from train.data import PARTS, TAUGHT, DataError, Faces, load, read_cache, withheld
from train.feed import order
from train.files import disk_errors, whole
from train.provenance import RUNS, save_origin
from train.recipe import PROBE, RECIPES, Recipe, save_recipe, settings_in, words_for

LEARNED_FROM = [PARTS.index("train"), PARTS.index("validation")]  # never the test part
HIDDEN = 256  # units between features and logits
AT_ONCE = 32  # pictures that a worker is given


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m train.probe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=RECIPES)
    parser.add_argument("--net", dest="nets", action="append", type=Path, required=True, metavar="CARD")
    parser.add_argument("--out", type=Path, help="the run folder (runs/TASK-probe)")
    parser.add_argument("--data", default="data", help="the folder of the caches of train.prepare (data)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes that run the models (one per core)"
    )
    parser.add_argument("--recipe", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    run = options.out or RUNS / f"{options.task}-probe"
    try:
        changes = settings_in(options.settings)
        recipe = RECIPES[options.task].with_changes(PROBE | changes | {"data": options.data})
        with disk_errors(run):
            probe(recipe, options.nets, run, options.workers, say=functools.partial(print, flush=True))
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def probe(recipe: Recipe, nets: list[Path], run: Path, workers: int, say: Callable[[str], None]) -> None:
    """Write the answers of the nets of these cards about a recipe's data sets, by a head that learned from them."""
    cards = [load_card(net) for net in nets]
    run.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, run)
    words = ["train.probe", recipe.task, *(f"--net {shlex.quote(str(net))}" for net in nets)]
    words += words_for(recipe, RECIPES[recipe.task].with_changes(PROBE))
    made_by = " ".join(["python -m", *words, f"--out {RUNS / run.name}"])
    save_origin(run, made_by, [about(net) for net in nets])
    sources = dict.fromkeys([*recipe.repeats, *recipe.unlabelled])
    features = {source: all_features(cards, source, Path(recipe.data), run, workers, say) for source in sources}
    write_answers(run, answered_by_a_head(recipe, features, say))
    say(f"{recipe.task}: answers about {', '.join(sources)} -> {run}")


def about(card: Path) -> str:
    """A net in the words of its card."""
    fields = read_mapping(card)
    return f"{fields['name']}: {fields.get('trained', 'nothing is said of where it comes from')}"


def all_features(cards: list[Card], source: str, data: Path, run: Path, workers: int, say: Callable) -> np.ndarray:
    """float32 (N, F): the features of all nets about the pictures of one cache, zeros for its test part."""
    found = []
    for card in cards:
        path = run / f"{card.name}-{source}.npy"
        if not path.is_file():
            say(f"{card.name} looks at {source}")
            features = features_of(card, data / f"{source}.npz", workers)
            with whole(path) as unfinished:
                np.save(unfinished, features)
        found.append(np.load(path).astype(np.float32))
    if len({len(features) for features in found}) > 1:
        raise DataError(f"{run}: holds features of another {source}; choose another --out.")
    return np.concatenate(found, axis=1)


def features_of(card: Card, cache: Path, workers: int) -> np.ndarray:
    """float16 (N, F) about the pictures of one cache, zeros for its test part."""
    check_file(card)
    stored = read_cache(cache)
    chosen = np.flatnonzero(np.isin(stored["part"], LEARNED_FROM))
    faces = Faces(stored["pictures"], stored["boxes"], {})
    batches = (faces.where(chosen[i : i + AT_ONCE]) for i in range(0, len(chosen), AT_ONCE))
    if workers:
        with multiprocessing.get_context("spawn").Pool(workers, _start, (card,)) as pool:
            rows = np.concatenate(list(pool.imap(_features, batches)))
    else:
        _start(card)
        rows = np.concatenate([_features(batch) for batch in batches])
    features = np.zeros((len(stored["part"]), rows.shape[1]), np.float16)
    features[chosen] = rows
    return features


_model: Model  # of a worker process


def _start(card: Card) -> None:
    global _model
    cv2.setNumThreads(1)
    _model = Model(card, open_net(card))


def _features(faces: Faces) -> np.ndarray:
    crops = preprocess(_model.card, plain(faces, _model.card.geometry))
    return np.stack([_model.outputs(crop[None]) for crop in crops])


def answered_by_a_head(recipe: Recipe, features: dict[str, np.ndarray], say: Callable) -> dict[str, np.ndarray]:
    """Train a head on features (N, F) of each data set; its probabilities float32 (N, K) for all of them."""
    from train.callbacks import described, years_told
    from train.targets import by_head, errors_of, probabilities

    heads, folder = recipe.what.heads, Path(recipe.data)
    training = [load(recipe.what, source, "train", folder, taught=features[source]) for source in recipe.repeats]
    logits_of = fitted_head(recipe, training)
    for source in recipe.repeats:
        try:
            faces = load(recipe.what, source, "validation", folder, taught=features[source])
        except DataError:  # Not every set has one.
            continue
        errors = errors_of(heads, logits_of(faces.labels[TAUGHT]), faces)
        told = years_told({source: faces}, heads)
        say("  ".join(described(f"{head} on {source}", error, told) for head, error in errors.items()))
    answers = {}
    for source, rows in features.items():
        cache, seen = read_cache(folder / f"{source}.npz"), rows.any(axis=1)
        shares = [
            probabilities(mine) * (seen & ~withheld(head, cache))[:, None]
            for head, mine in by_head(heads, logits_of(rows))
        ]
        answers[source] = np.concatenate(shares, axis=1)
    return answers


def fitted_head(recipe: Recipe, training: list[Faces]) -> Callable[[np.ndarray], np.ndarray]:
    """Learn the labels from what is TAUGHT of the faces, (N, F) features; returns how to get logits (N, K) for such."""
    import keras

    from train.optimize import factor
    from train.targets import loss_of, targets_of

    heads = recipe.what.heads
    targets = [targets_of(heads, faces, recipe.smoothing) for faces in training]
    seen = np.concatenate([faces.labels[TAUGHT] for faces in training])
    mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    keras.utils.set_random_seed(recipe.seed)
    net = keras.Sequential(
        [
            keras.Input((seen.shape[1],)),
            keras.layers.Dropout(recipe.dropout),
            keras.layers.Dense(HIDDEN, activation="swish"),
            keras.layers.Dropout(recipe.dropout),
            keras.layers.Dense(sum(len(head.labels) for head in heads)),
        ]
    )
    net.compile(keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay), loss_of(heads))
    for epoch in range(recipe.epochs):
        rows = order(training, list(recipe.repeats.values()), [recipe.seed, epoch])
        x = np.stack([training[source].labels[TAUGHT][index] for source, index in rows])
        y = np.stack([targets[source][index] for source, index in rows])
        share = (epoch + 0.5) / recipe.epochs
        net.optimizer.learning_rate.assign(recipe.learning_rate * factor(recipe.schedule, share, recipe.warm_up))
        net.fit((x - mean) / spread, y, batch_size=recipe.batch, shuffle=False, verbose=0)
    return lambda rows: net.predict((rows - mean) / spread, batch_size=4096, verbose=0)


if __name__ == "__main__":
    sys.exit(main())
