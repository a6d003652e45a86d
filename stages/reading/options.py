"""What the commands that read the results of a run have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..project import command
from ..supervision.arguments import Arguments


def options_of(name: str, says: str) -> Arguments:
    """The options of a command that reads results, of which this is the first: `folder`, a path or None.

    `name`: such as "report"; `says`: the docstring of its module, which calls it `python -m stages.NAME`.
    """
    called = command(name)
    options = Arguments(
        prog=called,
        description=says.replace(f"python -m stages.{name}", called),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "folder",
        type=Path,
        metavar="OUT",
        nargs="?",
        help="the output folder of a run, or a folder of runs: then the newest one (default: out)",
    )
    return options
