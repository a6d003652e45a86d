"""Train one net and leave everything that explains it in a run folder.

    python -m train emotion                               sensible defaults, into runs/emotion
    python -m train gender --from runs/age --epochs 8     start from the weights of another run
    python -m train age --seconds 900                     end after a quarter of an hour, rate let down by then
    python -m train age --resume                          go on after a break, at the last whole epoch

RUN/ holds recipe.json, log.csv, curves.png, confusion.png, best.keras (chosen on the validation part) and, to resume,
last-N.keras and state.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from stages.core.errors import FacepipeError
from train.data import TASKS
from train.recipe import RECIPES, Recipe


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    try:
        from train.fit import fit  # imports Keras, which takes seconds: not for --help or a wrong argument

        fit(recipe_of(options), options.out or Path("runs") / options.task, options.resume, say=print_now)
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--epochs", type=positive, help="default: the recipe's")
    parser.add_argument("--seconds", type=positive, help="let the learning rate down so as to end by then")
    parser.add_argument("--learning-rate", type=float, help="at its peak (2e-3)")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--from", dest="start", type=Path, metavar="RUN", help="take the weights of its best.keras")
    parser.add_argument("--data", type=Path, help="where train.prepare wrote its caches (data)")
    parser.add_argument("--out", type=Path, help="the run folder (runs/TASK)")
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args(arguments)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def recipe_of(options: argparse.Namespace) -> Recipe:
    given = {name: getattr(options, name) for name in ("epochs", "seconds", "learning_rate", "seed")}
    if options.data is not None:
        given["data"] = str(options.data)
    if options.start is not None:
        given["start"] = str(options.start)
    return RECIPES[options.task].with_changes({name: value for name, value in given.items() if value is not None})


def print_now(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
