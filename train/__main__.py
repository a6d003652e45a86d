"""Train one model and write everything that explains it into a run folder.

    python -m train emotion                               with the default recipe, into runs/emotion
    python -m train gender --from runs/age --epochs 8     start from the weights of another run
    python -m train age --seconds 900                     finish within a quarter of an hour
    python -m train age --resume                          continue an interrupted run at its last whole epoch
    python -m train faces                                 the face detector
    python -m train person --architecture wide_resnet --out runs/teacher
    python -m train gender --teacher runs/teacher         also learn from the answers of a larger model
    python -m train attribute glasses                     an attribute of your own, prepared from class folders
    python -m train emotion --optimizer nadam --recipe mixup=0.5

RUN/ contains recipe.json, log.csv, log.md, curves.png; charts of confusion, calibration and mistakes for every head and
data set; best.keras (chosen on the validation parts); and last-N.npz and state.json for --resume. train/recipe.py
defines every setting. KERAS_BACKEND=jax trains with JAX. Both backends use a GPU if they find one.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from stages.errors import FacepipeError
from train.data import DataError, read_cache
from train.detection.feed import Feed as PhotographFeed
from train.feed import Feed
from train.files import disk_errors
from train.recipe import ATTRIBUTE, RECIPES, Recipe, settings_in
from train.state import begin

# Options that have a name of their own because most runs need them; all others are given with --recipe.
NAMED = ("epochs", "seconds", "batch", "learning_rate", "architecture", "optimizer", "schedule", "seed")

FEEDS = {"faces": PhotographFeed}


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    run = options.out or Path("runs") / (options.name or options.task)
    feed = None
    try:
        with disk_errors(run):
            progress, recipe = begin(recipe_of(options), run, options.resume)
            feed = FEEDS.get(recipe.task, Feed)(recipe, options.workers)
            # Keras takes seconds, and the workers are forked before it has threads: not before this line.
            if recipe.task == "faces":
                from train.detection.fit import fit
            else:
                from train.fit import fit

            fit(recipe, progress, feed, say=functools.partial(print, flush=True))
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if feed:
            feed.close()
    return 0


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=[*RECIPES, "attribute"])
    parser.add_argument("name", nargs="?", help="attribute: the name of its cache in --data")
    parser.add_argument("--out", type=Path, help="the run folder (runs/TASK)")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--from", dest="start", metavar="RUN", help="start from the weights of its best.keras")
    parser.add_argument(
        "--teacher",
        dest="teachers",
        action="append",
        metavar="RUN",
        help="also learn the answers of this run; repeatable",
    )
    parser.add_argument("--data", help="the folder of the caches of train.prepare (data)")
    parser.add_argument(
        "--tensorboard", action="store_true", help="also write a log for TensorBoard; needs pip install tensorboard"
    )
    parser.add_argument(
        "--patience", type=int, help="end after this number of epochs without a smaller validation error"
    )
    parser.add_argument("--epochs", help="default of this and the next seven: the recipe")
    parser.add_argument("--seconds", help="decrease the learning rate so that the run ends by then")
    parser.add_argument("--batch", help="pictures per batch")
    parser.add_argument("--learning-rate", help="peak learning rate")
    parser.add_argument("--architecture", help="mobile, residual, mini_xception, wide_resnet, mobilenet, vgg16")
    parser.add_argument("--optimizer", help="adamw, nadam, sgd")
    parser.add_argument("--schedule", help="cosine, linear, steps, late, constant, plateau")
    parser.add_argument("--seed")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes that prepare batches (one per core)"
    )
    parser.add_argument(
        "--recipe",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set any setting of the recipe",
    )
    return parser.parse_args(arguments)


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The task's recipe with what the command line changes in it; DataError for what cannot be."""
    named = [f"{name}={value}" for name in NAMED if (value := getattr(options, name)) is not None]
    changes = settings_in([*options.settings, *named])
    given = {"data": options.data, "start": options.start, "patience": options.patience}
    changes |= {name: value for name, value in given.items() if value is not None}
    if options.teachers:
        changes["teachers"] = tuple(options.teachers)
    if options.tensorboard:
        changes["tensorboard"] = True
    if options.task != "attribute":
        if options.name:
            raise DataError(f"{options.name!r} after {options.task} means nothing; only attribute takes a name.")
        return RECIPES[options.task].with_changes(changes)
    return attribute_recipe(options.name, ATTRIBUTE.with_changes(changes))


def attribute_recipe(name: str | None, recipe: Recipe) -> Recipe:
    """The recipe of a user's own attribute, with the labels that its cache has."""
    if not name:
        raise DataError("attribute needs the name of its cache: python -m train attribute glasses")
    path = Path(recipe.data) / f"{name}.npz"
    if not path.is_file():
        raise DataError(f"{path}: no such file; write it with: python -m train.prepare folders {name}")
    cache = read_cache(path)
    if f"{name}_labels" not in cache:
        raise DataError(f"{path}: holds no attribute; write it with: python -m train.prepare folders FOLDER")
    return recipe.with_changes({"task": name, "labels": tuple(cache[f"{name}_labels"].tolist())})


if __name__ == "__main__":
    sys.exit(main())
