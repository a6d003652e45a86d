"""The command `facepipe`: which of its commands a command line means, and help with all of them."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType

from ..errors import FacepipeError
from ..exit_status import ExitStatus
from ..names import printable
from ..project import VERSION
from ..supervision.command import say


class UnknownCommand(FacepipeError):
    """The first word is neither a command nor a source."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of `facepipe`: what it does, and the module that has its `parser()` and `main(argv)`."""

    module: str
    says: str


COMMANDS = {
    "run": Command(".run", "find the faces in photographs, videos, cameras and streams, and label them"),
    "analyze": Command(".analyze", "print the faces of photographs as JSON"),
    "report": Command("..report.__main__", "make a page, tables, contact sheets or subtitles from the results"),
    "people": Command("..people.__main__", "make tables of people and visitors, or events, from the results of a run"),
    "export": Command("..export.__main__", "make markers, chapters, subtitles and tiers for editors and ELAN"),
    "connect": Command("..connect.__main__", "send events of a run to an MQTT broker and to webhooks, later"),
    "archive": Command(".archive", "analyse many films on all cores of this machine or of a cluster"),
    "serve": Command("..serve", "answer over HTTP, for pictures and about a run"),
    "check": Command(".check", "check configuration, models, keys and sources, and start nothing"),
    "card": Command("..card", "write the card of a model in ONNX"),
    "source": Command(".source", "add sources to a run while it runs, remove them, and list them"),
    "cameras": Command(".cameras", "list the cameras"),
    "keys": Command(".keys", "write keys for the machines of a configuration"),
    "service": Command(".service", "run for systemd and the like"),
    "deploy": Command(".deploy", "write the files to run a configuration on Kubernetes, with Compose or under systemd"),
    "health": Command(".health", "whether a run is alive or ready, by its exit status"),
    "completion": Command(".completion", "complete commands and options in your shell"),
}
USUAL = ("run", "analyze", "report", "archive", "source", "deploy", "cameras")
SOURCES = ("auto", "demo")  # words that are sources and neither commands nor files

USUAL_HELP = """\
usage: facepipe [COMMAND] [SOURCE] [OPTION ...]

Finds the faces in photographs, videos and cameras, and labels each with gender, emotion and age.

  facepipe photo.jpg            shows the photograph with its labels, and writes it to out/photo/
  facepipe photos/              all photographs and videos of a folder
  facepipe photos/ --blur       the same with unrecognisable faces
  facepipe clip.mp4             a video; the results are in out/clip/
  facepipe 0                    camera 0, until you press Q in the window or Ctrl-C
  facepipe analyze photo.jpg    prints its faces as JSON
  facepipe report               a page about everybody in the newest run

commands:
{commands}

`facepipe COMMAND --help` explains a command. `facepipe --help-all` lists all commands, and all options of a run.
The included models are for research only.
"""
WHOLE_HELP = """\
usage: facepipe [COMMAND] [ARGUMENT ...]

commands:
{commands}

Without a command it is `run`. A file with the name of a command: facepipe run ./report

{options}"""


def main(words: list[str]) -> int:
    """Do what these words after `facepipe` say; returns the exit status."""
    try:
        match words:
            case [] | ["-h" | "--help" | "help"]:
                say(*USUAL_HELP.format(commands=_listed(USUAL)).splitlines())
            case ["--help-all"] | ["help", "all"]:
                options = _module("run").parser().format_help()
                say(*WHOLE_HELP.format(commands=_listed(COMMANDS), options=options).splitlines())
            case ["--version"]:
                say(f"facepipe {VERSION}")
            case ["help", name]:
                return main([name, "--help"])
            case _:
                name, rest = meant(words)
                return _module(name).main(rest)
    except FacepipeError as error:
        print(f"facepipe: {printable(str(error))}", file=sys.stderr)
        return ExitStatus.REFUSED
    return ExitStatus.DONE


def meant(words: list[str]) -> tuple[str, list[str]]:
    """The command that is meant, and its words: `run` where the first is a source or an option.

    Raises `UnknownCommand` for a word that is neither.
    """
    first, *rest = words
    if first in COMMANDS:
        return first, rest
    if re.fullmatch(r"[A-Za-z][A-Za-z_-]*", first) and first not in SOURCES and not os.path.lexists(first):
        close = get_close_matches(first, COMMANDS, n=1)
        remedy = f"did you mean {close[0]}?" if close else "facepipe --help lists the commands."
        raise UnknownCommand(f"{first} is neither a command nor a file or folder here; {remedy}")
    return "run", words


def _module(name: str) -> ModuleType:
    return importlib.import_module(COMMANDS[name].module, __package__)


def _listed(names: Iterable[str]) -> str:
    return "\n".join(f"  {name:<12}{COMMANDS[name].says}" for name in names)
