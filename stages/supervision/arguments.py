"""Arguments of a command whose mistakes are one sentence, as all others are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from typing import NoReturn

from ..exit_status import ExitStatus
from ..names import printable
from ..sources.urls import public

LOG_LEVELS = ("debug", "info", "warning", "error")


class Arguments(argparse.ArgumentParser):
    """As argparse has it, but without its usage before every mistake, which `--help` has, and without abbreviations:
    one that is meant today means something else when there is another option.

    With `usual` there are two levels of help: `--help` lists only these options, and ends with `usual_epilog`;
    `--help-all` lists all.
    """

    def __init__(self, *args, usual: Collection[str] = (), usual_epilog: str | None = None, **kwargs):
        super().__init__(*args, allow_abbrev=False, add_help=not usual, **kwargs)
        self._all_help = "--help-all" if usual else "--help"
        if usual:
            short = {"usual": frozenset(usual), "epilog": usual_epilog, "help": "the usual options"}
            self.add_argument("-h", "--help", action=_ShortHelp, **short)
            self.add_argument("--help-all", action="help", help="all options")

    def parse_args(self, args=None, namespace=None) -> argparse.Namespace:
        namespace, strange = self.parse_known_args(args, namespace)
        if strange:
            self.refuse(strange[0])
        return namespace

    def refuse(self, strange: str) -> NoReturn:
        """End with the sentence about an argument that belongs to no option."""
        self.error(self._about(strange))

    def error(self, message: str) -> NoReturn:
        remedy = "" if ";" in message else f"; {self._all_help} has all options."
        print(f"facepipe: {printable(message.removeprefix('argument '))}{remedy}", file=sys.stderr)
        raise SystemExit(ExitStatus.REFUSED)

    def _about(self, strange: str) -> str:
        if not strange.startswith("-"):
            remedy = (
                f"; to read it, write --source {public(strange)}." if "--source" in self._option_string_actions else ""
            )
            return f"{public(strange)} belongs to no option{remedy}"
        from difflib import get_close_matches  # Only who mistypes pays for them.

        from ..config.check import full_name

        option = strange.partition("=")[0]
        if "--set" in self._option_string_actions and (key := full_name(option.lstrip("-").replace("-", "_"))):
            return f"there is no option {option}; write --set {key}=VALUE."
        close = get_close_matches(option, self._option_string_actions, n=1)
        return f"there is no option {option}" + (f"; did you mean {close[0]}?" if close else "")


class Once(argparse.Action):
    """The value of an option that is not to be given twice: the second one would be taken without a word."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        if (before := getattr(namespace, self.dest)) is not None:
            parser.error(f"{option_string} is {public(before)} and {public(values)}; leave one out.")
        setattr(namespace, self.dest, values)


class _ShortHelp(argparse.Action):
    """Prints the help without what is not usual, and ends the process."""

    def __init__(self, option_strings, dest, *, usual: Collection[str], epilog: str | None, help: str):
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)
        self._usual, self._epilog = usual, epilog

    def __call__(self, parser, namespace, values, option_string=None) -> NoReturn:
        for action in parser._actions:
            if self._usual.isdisjoint(action.option_strings):
                action.help = argparse.SUPPRESS
        parser.epilog = self._epilog
        parser.print_help()
        parser.exit()


def add_log_level(parser: Arguments, what: str) -> None:
    """Add `--log-level`; `what` says what it is the level of."""
    named = f"{', '.join(LOG_LEVELS[:-1])} or {LOG_LEVELS[-1]}"

    def level(text: str) -> str:
        if text in LOG_LEVELS:
            return text
        raise argparse.ArgumentTypeError(f"{text} is not a level; write {named}.")

    parser.add_argument("--log-level", metavar="LEVEL", type=level, default="warning", help=f"{what}: {named}")
