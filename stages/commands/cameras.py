"""`facepipe cameras`: a line for each camera."""

from __future__ import annotations

from ..project import command
from ..supervision.arguments import Arguments
from . import run


def parser() -> Arguments:
    """It has no options of its own."""
    return Arguments(
        prog=command("cameras"), description="Lists the cameras, each with the number that --source takes."
    )


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    parser().parse_args(argv)
    return run.main(["--list-cameras"])
