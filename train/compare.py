"""Compare runs: their figures on the validation parts, and the settings in which they differ.

python -m train.compare runs/emotion runs/emotion-nadam
python -m train.compare runs/* --chart compared.png
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

from stages.errors import FacepipeError
from train.data import DataError
from train.files import disk_errors
from train.recipe import read_recipe
from train.state import Progress


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m train.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--chart", type=Path, help="also draw the validation errors")
    options = parser.parse_args(arguments)
    try:
        with disk_errors(options.chart or Path()):
            for line in compare(options.runs, options.chart):
                print(line)
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def compare(runs: list[Path], chart: Path | None) -> Iterator[str]:
    """A table in Markdown: a column for each run, a row for each figure and for each setting that is not the same."""
    recipes = [dataclasses.asdict(read_recipe(run)) for run in runs]
    histories = [Progress.read(run).history for run in runs]
    for run, history in zip(runs, histories, strict=True):
        if not history:
            raise DataError(f"{run}: has not come to the end of an epoch; train on with --resume.")
    best = [min(history, key=lambda row: row["error"]) for history in histories]
    yield f"| | {' | '.join(run.name for run in runs)} |"
    yield "| --- " * (len(runs) + 1) + "|"
    rows = {"best epoch": [row["epoch"] for row in best], "seconds": [history[-1]["seconds"] for history in histories]}
    names = dict.fromkeys(name for row in best for name in row if " on " in name or name == "error")
    rows |= {f"error, {name}": [shown(row.get(name)) for row in best] for name in names}
    settings = {name: [recipe[name] for recipe in recipes] for name in recipes[0]}
    rows |= {name: values for name, values in settings.items() if any(value != values[0] for value in values)}
    yield from (f"| {name} | {' | '.join(map(str, values))} |" for name, values in rows.items())
    if chart:
        draw(runs, histories, chart)


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def draw(runs: list[Path], histories: list[list[dict]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for run, history in zip(runs, histories, strict=True):
        axes.plot([row["seconds"] for row in history], [row["error"] for row in history], marker=".", label=run.name)
    axes.set(xlabel="training (s)", ylabel="validation error (mean over heads and data sets)")
    axes.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
