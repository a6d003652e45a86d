"""What all measurements have in common: options, the clip, the plan of the pipeline, a folder for what they write."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from bench.table import Figure, aims, table
from stages.config.schema import Pipeline
from stages.config.settings import cores
from stages.errors import FacepipeError
from stages.plan import read_pipeline
from stages.supervision.command import alive

MEASURED = "Measured on"  # begins the line that says when, where and with what
AIMS = "aims"


class BenchError(FacepipeError):
    """A measurement cannot be taken."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure."""

    config: str | None
    overrides: tuple[str, ...]  # KEY=VALUE
    clip: str | None  # None: the demo
    frames: int
    rounds: int
    skip: frozenset[str]
    chart: Path | None  # where a chart of the speeds goes
    folder: Path  # for everything that is written; it is removed afterwards
    before: Path | None = None  # an older checkout of the project, to be measured in turn with this one
    peer: Path | None = None  # the virtual environment with what bench/peer.py needs

    def pipeline(self, *overrides: str) -> tuple[Pipeline, Path]:
        """The configuration that is measured, with the folder that its models count from."""
        return read_pipeline(self.config, (*self.overrides, *overrides))

    def with_overrides(self, *overrides: str) -> Options:
        """The same, with these keys unless the person has set them."""
        own = {key_value.partition("=")[0] for key_value in self.overrides}
        added = tuple(o for o in overrides if o.partition("=")[0] not in own)
        return replace(self, overrides=(*added, *self.overrides))


Measurement = Callable[[Options], list[Figure]]


def command(measure: Measurement, description: str, argv: Sequence[str] | None = None) -> int:
    """One measurement as a command: prints its table; returns the exit status."""
    return commands({description: measure}, argv)


def commands(measurements: dict[str, Measurement], argv: Sequence[str] | None = None) -> int:
    """Several measurements, each with its title; prints a table of each as soon as it is known, and how the aims fare.

    With `--page` the tables go into a page of the documentation too.
    """
    try:
        with _options(argv, "; ".join(measurements)) as (options, page):
            if page is not None:
                _read(page)  # What cannot be renewed is said before half an hour of measuring.
            print(measured := f"{MEASURED} {date.today()}; {machine()}; {settings(options)}", flush=True)
            found: dict[str, list[Figure]] = {}
            tables: dict[str, str] = {}
            for title, measure in measurements.items():
                with alive(title):
                    found[title] = measure(options)
                tables[title] = table(title, found[title])
                print("\n" + tables[title], flush=True)
            if len(measurements) > 1 and (reached := aims(AIMS, found)):
                tables[AIMS] = reached
                print("\n" + reached, flush=True)
            if page is not None:
                renew(page, measured, tables)
            if options.chart is not None:
                # Here, because a chart is not always wanted, and its library is not among what runs the pipeline.
                from bench.chart import draw

                draw([figure for figures in found.values() for figure in figures], options.chart)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return 0


def renew(page: Path, measured: str, tables: dict[str, str]) -> None:
    """Put each table in the place of the one with its title in a page, and say anew where and when it was measured.

    A table that the page has not is not added: which ones it shows is decided there.
    """
    try:
        text = _read(page)
        for title, renewed in tables.items():
            old = rf"^\| {re.escape(title)} +\|.*\n(?:\|.*(?:\n|\Z))*"
            text = re.sub(old, lambda _, new=renewed: new + "\n", text, flags=re.MULTILINE)
        text = re.sub(rf"^{MEASURED} .*$", lambda _: measured, text, flags=re.MULTILINE)
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the page {page} cannot be renewed: {error}.") from None


def _read(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BenchError(f"the page {page} cannot be read: {error}; name one that has the tables.") from None


def machine() -> str:
    """Where and under which load it is measured."""
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{platform.machine()} {platform.system()}, {cores()} cores{load}"


def settings(options: Options) -> str:
    """What is measured: detector and settings decide most of what a frame costs."""
    detect = options.pipeline()[0].detect.resolved()
    said = f"detector {detect.detector} (longest side {detect.longest_side}, smallest face"
    said += f" {detect.smallest_face:g}"
    return said + (f", step {detect.haar.step:g})" if detect.detector == "haar" else ")")


@contextmanager
def _options(argv: Sequence[str] | None, description: str) -> Iterator[tuple[Options, Path | None]]:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=description)
    parser.add_argument("--config", metavar="FILE", help="the pipeline to measure (default: the project's)")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a key in place of the file's")
    parser.add_argument("--clip", metavar="FILE", help="measure with this video, repeated (default: the demo)")
    parser.add_argument("--frames", metavar="N", type=_positive, default=600, help="frames of a run (default: 600)")
    parser.add_argument("--rounds", metavar="N", type=_positive, default=3, help="rounds of a comparison (default: 3)")
    parser.add_argument(
        "--skip",
        metavar="WHAT",
        action="append",
        default=[],
        choices=["today", "pinned"],
        help="leave out: today, pinned",
    )
    parser.add_argument("--chart", metavar="FILE", type=Path, help="draw the speeds: speeds.png, speeds.svg")
    parser.add_argument("--before", metavar="TREE", type=Path, help="compare with an older checkout, in turn")
    parser.add_argument("--peer", metavar="VENV", type=Path, help="compare with the package fer, installed there")
    parser.add_argument("--page", metavar="FILE", type=Path, help="renew the tables of this page: docs/performance.md")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="facepipe-bench-") as folder:
        options = Options(
            given.config,
            tuple(given.set),
            given.clip,
            given.frames,
            given.rounds,
            frozenset(given.skip),
            given.chart,
            Path(folder),
            given.before,
            given.peer,
        )
        yield options, given.page


def _positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return int(text)
