"""`facepipe source`: sources of a run that goes on are added, removed and listed, and the others go on."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..errors import FacepipeError
from ..exit_status import ExitStatus
from ..names import printable
from ..plan import read_pipeline
from ..project import command
from ..results.runs import name_of, runs_below
from ..running.requests import NotAsked, ask, is_running
from ..sources.spec import camera_of, expanded
from ..supervision.arguments import Arguments
from ..supervision.command import say

EXAMPLES = """\
examples:
  facepipe source list                     the sources of the newest running run
  facepipe source add yard 1               camera 1 is read as well, as yard
  facepipe source add gate rtsp://HOST/1   a stream
  facepipe source remove yard              its results stay
  facepipe source list --output out/house  of the run that writes there
"""


def parser() -> Arguments:
    """The options of the command."""
    taken = Arguments(
        prog=command("source"),
        description="Adds sources to a run while it runs, removes and lists them. The other sources are not disturbed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    taken.add_argument(
        "action", metavar="add|remove|list", choices=("add", "remove", "list"), help="what is to be done"
    )
    taken.add_argument("name", metavar="NAME", nargs="?", help="add, remove: the name of the source")
    taken.add_argument("spec", metavar="SOURCE", nargs="?", help="add: what is read, as in the configuration")
    taken.add_argument("--output", metavar="DIR", help="the folder of the run (default: that of the newest one)")
    taken.add_argument("--config", metavar="FILE", help="the configuration of the run, to find its folder by")
    return taken


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status: 2 where nothing was changed."""
    options = parser().parse_args(argv)
    try:
        _refuse_words(options)
        is_done, lines = ask(_folder(options), options.action, options.name or "", _spec(options.spec))
    except FacepipeError as error:
        print(f"facepipe: {printable(str(error))}", file=sys.stderr)
        return ExitStatus.REFUSED
    if not is_done:
        print(f"facepipe: {printable(' '.join(lines))}", file=sys.stderr)
        return ExitStatus.REFUSED
    say(*lines)
    return ExitStatus.DONE


def _refuse_words(options: argparse.Namespace) -> None:
    given = [word for word in (options.name, options.spec) if word is not None]
    wanted = {"add": 2, "remove": 1, "list": 0}[options.action]
    if len(given) != wanted:
        usage = {"add": "add NAME SOURCE", "remove": "remove NAME", "list": "list"}[options.action]
        raise NotAsked(f"write {command('source')} {usage}.")


def _spec(word: str | None) -> str | int:
    """A path counts from here, not from where the run was started; a number is a camera's."""
    if word is None:
        return ""
    if word.isascii() and word.isdigit():
        return int(word)
    is_path = word and "://" not in word and camera_of(word) is None and word not in ("auto", "demo")
    return os.path.abspath(expanded(word)) if is_path else word


def _folder(options: argparse.Namespace) -> Path:
    """The folder of the run that is meant; raises a `FacepipeError`."""
    if options.output is not None:
        return Path(expanded(options.output))
    name = None
    if options.config is not None:
        pipeline, _ = read_pipeline(options.config)
        if pipeline.render.output is not None:
            return Path(expanded(pipeline.render.output))
        name = name_of(pipeline, Path(options.config).stem)
    going_on = [
        (run.incarnation, path)
        for path, run in runs_below()
        if is_running(path) and (name is None or path.name == name or path.name.startswith(f"{name}-"))
    ]
    if not going_on:
        raise NotAsked("no run is running in out/; name its folder with --output.")
    return max(going_on)[1]
