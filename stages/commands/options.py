"""The options of a run, and what `--help` says of them."""

from __future__ import annotations

import argparse
import contextlib

from ..project import VERSION, command
from ..sources.urls import public
from ..supervision.arguments import Arguments, Once, add_log_level

_USUAL_RUN = ("--detector", "--output", "--display", "--blur", "--resume", "--replace", "--verbose", "--check")
USUAL = ("--help", "--help-all", *_USUAL_RUN)

DESCRIPTIONS = {
    "run": "Detects the faces in a camera, video or pictures and labels each with gender, emotion and age.",
    "check": "Checks configuration, model cards, keys and sources, with the options of a run, and starts nothing.",
    "service": "Runs for systemd and the like, with the options of a run: it continues after any exit.",
}

FIRST_EXAMPLES = """\
examples:
  {prog} photo.jpg                        a picture: shown, and written with its labels to out/photo/
  {prog} photos/                          every picture and video of a folder
  {prog} clip.mp4                         a video; the results are in out/clip/
  {prog} 0                                camera 0, until you press Q in the window or Ctrl-C
  {prog} 0 --display web                  the same on a web page
  {prog} photos/ --blur                   anonymised: detected faces are pixelated
  {prog} demo                             two photographs that move

Each run gets a folder of its own in out/. --help-all lists all options.
"""

SERVICE_EXAMPLES = """\
examples:
  {prog} rtsp://192.168.7.30/1 --metrics 9109    a stream, with metrics and probes
  {prog} 0 --display web                         camera 0, on a web page
  {prog} --config house.yaml                     a configuration; set render.rotate and render.keep in it
  {prog} --config house.yaml --unit              prints a unit for systemd

It continues the newest run of its source in out/, or the one in --output. docs/service.md has more, and --help-all
lists all options.
"""

EXAMPLES = """\
examples:
  {prog}                                  a camera if one opens, otherwise the demo
  {prog} clip.mp4                         a video, as --source clip.mp4; the results are in out/clip/
  {prog} --source 0 --seconds 60          camera 0, for a minute
  {prog} --source shots/ --output shown   every picture and video of a folder
  {prog} --source clip.mp4 --start 1:30 --end 2:00 --fps 5    half a minute of it, five frames a second
  {prog} --source rtsp://192.168.7.30/1   a stream
  {prog} --detector dlib                  another face detector
  {prog} --source 0 --blur                anonymised: detected faces are pixelated
  {prog} --source 0 --display web         on a web page
  {prog} --set stages.emotion.model=mine/emotion.yaml --set window=32
  {prog} --config door.yaml --check       check everything that needs no run
  {prog} --only gender --once             help a run that was started elsewhere, until it is over
  {prog} --config house.yaml --make-keys keys   write keys for the machines of house.yaml

Each run gets a folder of its own in out/, named after its source: out/clip, out/clip-2. With --output DIR it is DIR;
results of an earlier run are replaced only with --replace: those in DIR, or, without --output, those of the run that
--resume would continue (the newest unfinished run of the source), or else of its newest run. Other files are never
changed.
Exit status: 0 finished, also after Q in the window; 1 a stage failed; 2 invalid arguments, configuration, model or
source, or a port or folder in use; 130 and 143 after Ctrl-C and SIGTERM, with complete results so far, and 0 after
SIGTERM with --service.
"""


def parser(name: str) -> Arguments:
    """All options of a run, for the command of this name.

    `--help` lists the usual ones, `--help-all` all of them.
    """
    prog = command(name)
    options = Arguments(
        prog=prog,
        usage="%(prog)s [SOURCE] [OPTION ...]",
        description=DESCRIPTIONS[name],
        epilog=EXAMPLES.format(prog=prog),
        usual=USUAL,
        usual_epilog=(SERVICE_EXAMPLES if name == "service" else FIRST_EXAMPLES).format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_what_is_read(options)
    _add_what_is_shown(options)
    _add_which_run(options)
    _add_watching(options)
    _add_without_a_run(options)
    options.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options.add_argument("--version", action="version", version=f"facepipe {VERSION}")
    return options


def parsed(argv: list[str] | None, name: str) -> argparse.Namespace:
    """The options of this command line; ends the process with a sentence and status 2 for a mistake in them."""
    options = parser(name)
    arguments = _with_its_source(options, *options.parse_known_args(argv))
    if arguments.metrics_host and not arguments.metrics:
        options.error("--metrics-host says where, and nothing is there without --metrics PORT; add it.")
    arguments.metrics_host = arguments.metrics_host or "127.0.0.1"
    return arguments


def _add_what_is_read(options: Arguments) -> None:
    options.add_argument("--config", metavar="FILE", help="the configuration (default: the included pipeline.yaml)")
    options.add_argument(
        "--source",
        metavar="S",
        action=Once,
        help="same as SOURCE: camera number, file, folder, glob, URL, demo or auto",
    )
    options.add_argument(
        "--detector", metavar="D", help="face detector: fast (the default), haar, dlib, dlib-cnn or yunet"
    )
    options.add_argument(
        "--start", metavar="TIME", help="files: start every video at this time: seconds, 1:30 or 1:02:30"
    )
    options.add_argument("--end", metavar="TIME", help="files: end every video before this time")
    options.add_argument("--fps", metavar="N", help="files: read at most N frames of each second of a video")
    options.add_argument("--loop", action="store_true", help="files: repeat until you end the run")
    options.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set any key of the configuration"
    )


def _add_what_is_shown(options: Arguments) -> None:
    options.add_argument("--display", metavar="WHERE", help="where to show the pictures: auto, window, web or none")
    options.add_argument("--web", metavar="PORT", help="serve a web page at this port, in addition to --display")
    options.add_argument(
        "--web-host", metavar="ADDRESS", help="address at which the web page is served; see docs/web.md"
    )
    options.add_argument("--delay", metavar="N", help="pictures in the window: show each for N seconds")
    options.add_argument(
        "--blur",
        metavar="HOW",
        nargs="?",
        const="pixelate",
        help="anonymise every detected face: pixelate (the default) or blur",
    )
    options.add_argument(
        "--stream",
        metavar="ADDRESS",
        action="append",
        help="stream the annotated video: rtsp://HOST:8554/NAME or FOLDER/NAME.m3u8; see docs/streams.md",
    )
    how_much = options.add_mutually_exclusive_group()
    how_much.add_argument(
        "--quiet", action="store_true", help="print only errors, and do not wait for keys in a window"
    )
    how_much.add_argument(
        "-v", "--verbose", action="store_true", help="print the whole account at the end: drops, latency, load"
    )


def _add_which_run(options: Arguments) -> None:
    options.add_argument("--output", metavar="DIR", help="output folder (default: a new one in out/)")
    again = options.add_mutually_exclusive_group()
    again.add_argument(
        "--resume",
        action="store_true",
        help="continue the newest unfinished run of the source, or the run in --output",
    )
    again.add_argument(
        "--replace", action="store_true", help="replace the run in --output, or the one that --resume would continue"
    )
    again.add_argument(
        "--service", action="store_true", help="for systemd and the like: continue after any exit; see docs/service.md"
    )
    options.add_argument("--seconds", metavar="N", type=_positive, help="end after N seconds, as if you had pressed Q")
    options.add_argument("--only", metavar="STAGE", nargs="+", help="start only these stages")
    options.add_argument("--once", action="store_true", help="with --only: end when the run is over")
    options.add_argument("--host", metavar="NAME", help="the name of this machine under hosts in the configuration")


def _add_watching(options: Arguments) -> None:
    options.add_argument(
        "--record",
        metavar="FILE",
        help="write a trace for stages.replay: inputs and answers of the stages, with all pictures",
    )
    options.add_argument(
        "--metrics", metavar="PORT", type=port, help="serve Prometheus metrics at http://127.0.0.1:PORT/metrics"
    )
    options.add_argument(
        "--metrics-host", metavar="ADDRESS", help="address at which the metrics are served; see docs/metrics.md"
    )
    add_log_level(options, "how much the stages write to logs/NAME.log")


def _add_without_a_run(options: Arguments) -> None:
    options.add_argument(
        "--check", action="store_true", help="check configuration, model cards, keys and sources; start nothing"
    )
    options.add_argument("--make-keys", metavar="DIR", help="write keys for the hosts of the configuration")
    options.add_argument("--list-cameras", action="store_true", help="list the cameras")


def _with_its_source(parser: Arguments, arguments: argparse.Namespace, words: list[str]) -> argparse.Namespace:
    """A name without an option is the source."""
    options = words[: words.index("--")] if "--" in words else words
    if strange := next((word for word in options if word.startswith("-") and word != "-"), None):
        parser.refuse(strange)
    names = [word for word in words if word != "--"]
    if not names and arguments.source is None and arguments.blur not in (None, "none", "pixelate", "blur"):
        names, arguments.blur = [arguments.blur], "pixelate"  # --blur clip.mp4
    if len(names) > 1 and arguments.source is None:
        parser.error(
            f"{public(names[0])} and {len(names) - 1} more are given as source; name the folder, or a"
            " glob in quotes such as 'shots/*.jpg', or give each a name under sources in the configuration."
        )
    if names and arguments.source is not None:
        parser.error(f"{public(names[0])} and --source {public(arguments.source)} are both given; leave one out.")
    if names:
        arguments.source = names[0]
    return arguments


def port(text: str) -> int:
    """The type of an option that takes a port."""
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is not a port, a whole number from 1 to 65535")


def _positive(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < float("inf"):
            return number
    raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
