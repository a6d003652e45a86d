"""`facepipe completion SHELL`: a script with which the shell completes commands, options and file names."""

from __future__ import annotations

import argparse
import importlib

from ..exit_status import ExitStatus
from ..project import command
from ..supervision.arguments import Arguments
from ..supervision.command import say

# Written once, so that TAB starts no Python: argcomplete would start this program for every TAB.
SHELLS = ("bash", "zsh", "tcsh")
FILES = {"FILE", "FILE.onnx", "DIR", "OUT"}  # the metavars of what is a path

EXAMPLES = """\
bash   facepipe completion bash > ~/.local/share/bash-completion/completions/facepipe
zsh    facepipe completion zsh > DIR/_facepipe    with a folder DIR that stands in $fpath
tcsh   facepipe completion tcsh >> ~/.tcshrc
"""


def parser() -> Arguments:
    """The options of the command."""
    options = Arguments(
        prog=command("completion"),
        description="Prints a script that completes facepipe's commands, options and files in your shell.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    return options


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    import shtab  # Nobody else needs it.

    given = parser().parse_args(argv)
    say(*shtab.complete(_all_commands(shtab.FILE), given.shell).splitlines())
    return ExitStatus.DONE


def _all_commands(file: dict[str, str]) -> argparse.ArgumentParser:
    """One parser with every command and its options, as shtab reads it; it parses nothing."""
    from .facepipe import COMMANDS

    everything = argparse.ArgumentParser(prog="facepipe", add_help=False)
    everything.add_argument("--help", action="help", help="the usual commands")
    everything.add_argument("--help-all", action="store_true", help="all commands, and all options of a run")
    everything.add_argument("--version", action="store_true", help="the version")
    commands = everything.add_subparsers()
    for name, command_ in COMMANDS.items():
        own = importlib.import_module(command_.module, __package__).parser()
        named = commands.add_parser(name, parents=[own], add_help=False, help=command_.says)
        takes_source = name in ("run", "check", "service")
        if takes_source:
            named.add_argument("source_file", metavar="FILE", nargs="?", help="a camera's number, a file, a folder, …")
        for action in named._actions:
            if action.metavar in FILES:
                action.complete = file
    return everything
