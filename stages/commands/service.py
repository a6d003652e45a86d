"""`facepipe service`: a run that continues after any exit."""

from __future__ import annotations

from ..supervision.arguments import Arguments
from . import options, run


def parser() -> Arguments:
    """The options of a run."""
    return options.parser("service")


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    return run.main(["--service", *argv], "service")
