"""`facepipe keys`: the keys with which the machines of a configuration know each other."""

from __future__ import annotations

from ..project import command
from ..supervision.arguments import Arguments
from . import run


def parser() -> Arguments:
    """The options of the command."""
    options = Arguments(
        prog=command("keys"),
        description="Writes a pair of keys for every machine of a configuration; those that are there stay.",
    )
    options.add_argument("folder", metavar="DIR", help="the folder of the keys")
    options.add_argument("--config", metavar="FILE", required=True, help="the configuration that names the hosts")
    return options


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    given = parser().parse_args(argv)
    return run.main([f"--config={given.config}", f"--make-keys={given.folder}"])
