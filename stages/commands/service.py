"""`facepipe service`: a run that continues after any exit, and the unit with which systemd starts it."""

from __future__ import annotations

import re
import shlex
import sys

from ..exit_status import ExitStatus
from ..project import PROJECT
from ..supervision.arguments import Arguments
from ..supervision.command import say
from . import options, run

UNIT = PROJECT / "docs" / "facepipe.service"


def parser() -> Arguments:
    """The options of a run, and `--unit`."""
    taken = options.parser("service")
    taken.add_argument("--unit", action="store_true", help="print a unit for systemd with these options; start nothing")
    return taken


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    if "--unit" not in argv:
        return run.main(["--service", *argv], "service")
    given = [word for word in argv if word != "--unit"]
    options.parsed(given, "service")  # A mistake in them is told here and not by systemd.
    say(*unit(UNIT.read_text(encoding="utf-8"), sys.executable, given).splitlines())
    return ExitStatus.DONE


def unit(example: str, python: str, given: list[str]) -> str:
    """The unit of the documentation for this Python and these options; without options it keeps its own."""
    begin, own = re.search(r"^ExecStart=(.* --service) (.*)$", example, re.MULTILINE).groups()
    words = shlex.join(given).replace("%", "%%").replace("$", "$$") if given else own
    unit = example.replace(f"{begin} {own}", f"{python} -m facepipe service {words}")
    return re.sub(r"^WorkingDirectory=.*$", "WorkingDirectory=%S/facepipe", unit, flags=re.MULTILINE)
