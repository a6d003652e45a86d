"""`facepipe check`: a run that is looked at and not started."""

from __future__ import annotations

from ..supervision.arguments import Arguments
from . import options, run


def parser() -> Arguments:
    """The options of a run."""
    return options.parser("check")


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    return run.main(["--check", *argv], "check")
