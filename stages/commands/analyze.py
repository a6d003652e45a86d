"""`facepipe analyze`: photographs in, a line of JSON each out; no pipeline is started and nothing is written."""

from __future__ import annotations

import json
import os
import sys

from ..api import NotAPicture, analyze
from ..config.load import Override
from ..exit_status import ExitStatus
from ..names import as_text, printable
from ..plan import read_pipeline
from ..project import command
from ..sources.base import SourceError
from ..sources.picture import FILE_BYTES
from ..supervision.arguments import Arguments
from ..supervision.command import say


def parser() -> Arguments:
    """The options of the command."""
    options = Arguments(
        prog=command("analyze"),
        description="Prints the faces of photographs: for each a line of JSON with its file and its faces, as in"
        " results.jsonl. Nothing is written and nothing is shown.",
    )
    options.add_argument("photos", metavar="FILE", nargs="+", help="a photograph; - reads one from the standard input")
    options.add_argument("--config", metavar="FILE", help="the configuration (default: the included pipeline.yaml)")
    options.add_argument("--detector", metavar="D", help="face detector: fast (the default), haar, dlib, …")
    options.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set any key of the configuration"
    )
    return options


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status: 2 where a photograph was refused, and the others are printed."""
    given = parser().parse_args(argv)
    overrides = [Override.parse(text) for text in given.set]
    read_pipeline(given.config, overrides)  # A mistake in them is told once, and in the words of this command.
    status = ExitStatus.DONE
    for photo in given.photos:
        try:
            say(_line(photo, config=given.config, detector=given.detector, overrides=overrides))
        except (NotAPicture, SourceError) as error:
            said = str(error).replace("use stream for", f"use {command('run')} for")  # What the library calls it.
            print(f"facepipe: {printable(said)}", file=sys.stderr)
            status = ExitStatus.REFUSED
    return status


def _line(photo: str, *, overrides: list[Override], **chosen: str | None) -> str:
    if os.path.isdir(photo):
        raise SourceError(f"{photo} is a folder; write {command('run')} {photo}, or give its pictures one by one.")
    picture = sys.stdin.buffer.read(FILE_BYTES + 1) if photo == "-" else photo
    faces = analyze(picture, overrides={override.key: override.value for override in overrides}, **chosen)
    text = json.dumps({"file": as_text(photo), "faces": [face.to_json() for face in faces]})
    return text.replace("\x7f", "\\u007f")  # The one that JSON may have as it is and a terminal may not.
