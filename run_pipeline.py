#!/usr/bin/env python3
"""Runs a pipeline: starts its stages as processes, watches over them, and says what came of it."""

from __future__ import annotations

import os
import signal
import sys

if __name__ == "__main__":  # While the modules below, `ExitStatus` among them, are read nothing has been started yet.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    if signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0 if "--service" in sys.argv else 143))
    from stages.dependencies import say_what_is_missing

    say_what_is_missing()

import argparse
import contextlib
import errno
import re
import traceback
from pathlib import Path
from typing import NoReturn

from stages.config.load import Override
from stages.config.placement import Placement
from stages.config.schema import ConfigError, Pipeline
from stages.config.settings import cores
from stages.errors import FacepipeError, reason, way_out
from stages.exit_status import ExitStatus, after_signal
from stages.names import printable
from stages.plan import Plan, processes_of, read_pipeline
from stages.run import run
from stages.running.job import RunOptions, shown
from stages.service import serve
from stages.sources.urls import public
from stages.supervision.arguments import Arguments, add_log_level
from stages.supervision.command import end_when_unheard
from stages.supervision.places import this_host
from stages.transport.keys import PUBLIC, SECRET, make_keys, read_keys
from stages.view.terminal import takes

VERSION = "0.1.0"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

EXAMPLES = """\
examples:
  run_pipeline.py                                  a camera if one opens, otherwise the demo
  run_pipeline.py clip.mp4                         a video, as --source clip.mp4; the results are in out/clip/
  run_pipeline.py --source 0 --seconds 60          camera 0, for a minute
  run_pipeline.py --source shots/ --output shown   every picture and video of a folder
  run_pipeline.py --source clip.mp4 --start 1:30 --end 2:00 --fps 5    half a minute of it, five frames a second
  run_pipeline.py --source rtsp://192.168.7.30/1   a stream
  run_pipeline.py --detector dlib                  another face detector
  run_pipeline.py --source 0 --blur                anonymised: detected faces are pixelated
  run_pipeline.py --source 0 --display web         on a web page
  run_pipeline.py --set stages.emotion.model=mine/emotion.yaml --set window=32
  run_pipeline.py --config door.yaml --check       check everything that needs no run
  run_pipeline.py --only gender --once             help a run that was started elsewhere, until it is over
  run_pipeline.py --config house.yaml --make-keys keys   write keys for the machines of house.yaml

Each run gets a folder of its own in out/, named after its source: out/clip, out/clip-2. With --output DIR it is DIR;
results of an earlier run are replaced only with --replace: those in DIR, or, without --output, those of the run that
--resume would continue (the newest unfinished run of the source), or else of its newest run. Other files are never
changed.
Exit status: 0 finished, also after Q in the window; 1 a stage failed; 2 invalid arguments, configuration, model or
source, or a port or folder in use; 130 and 143 after Ctrl-C and SIGTERM, with complete results so far, and 0 after
SIGTERM with --service.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _arguments(argv)
    try:
        if arguments.list_cameras:
            return _list_cameras()
        pipeline, folder = read_pipeline(arguments.config, _overrides(arguments))
        if arguments.make_keys:
            return _make_keys(pipeline, Path(arguments.make_keys))
        host = this_host(pipeline, arguments.host)
        if arguments.check:
            return _check(pipeline, folder, host, arguments.only)
        start = serve if arguments.service else run
        return start(pipeline, folder, _run_options(arguments, host))
    except FacepipeError as error:
        if arguments.debug:
            traceback.print_exc()
        print(f"facepipe: {printable(str(error))}", file=sys.stderr)
        return ExitStatus.REFUSED
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise  # A defect of ours.
        where = f"{error.filename}: " if error.filename else ""
        print(f"facepipe: no run can be started: {where}{reason(error)}; {way_out(error)}.", file=sys.stderr)
        return ExitStatus.REFUSED


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = Arguments(
        prog="run_pipeline.py",
        usage="%(prog)s [SOURCE] [OPTION ...]",
        description="Detects the faces in a camera, video or pictures and labels each with gender, emotion and age.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: the project's pipeline.yaml)")
    parser.add_argument(
        "--source", metavar="S", help="same as SOURCE: camera number, file, folder, glob, URL, demo or auto"
    )
    parser.add_argument(
        "--detector", metavar="D", help="face detector: fast (the default), haar, dlib, dlib-cnn or yunet"
    )
    parser.add_argument("--output", metavar="DIR", help="output folder (default: a new one in out/)")
    parser.add_argument("--display", metavar="WHERE", help="where to show the pictures: auto, window, web or none")
    parser.add_argument("--web", metavar="PORT", help="serve a web page at this port, in addition to --display")
    parser.add_argument(
        "--web-host", metavar="ADDRESS", help="address at which the web page is served; see docs/web.md"
    )
    parser.add_argument("--delay", metavar="N", help="pictures in the window: show each for N seconds")
    parser.add_argument(
        "--blur",
        metavar="HOW",
        nargs="?",
        const="pixelate",
        help="anonymise every detected face: pixelate (the default) or blur",
    )
    parser.add_argument(
        "--start", metavar="TIME", help="files: start every video at this time: seconds, 1:30 or 1:02:30"
    )
    parser.add_argument("--end", metavar="TIME", help="files: end every video before this time")
    parser.add_argument("--fps", metavar="N", help="files: read at most N frames of each second of a video")
    parser.add_argument("--loop", action="store_true", help="files: repeat until you end the run")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set any key of the configuration"
    )
    parser.add_argument("--only", metavar="STAGE", nargs="+", help="start only these stages")
    parser.add_argument("--once", action="store_true", help="with --only: end when the run is over")
    parser.add_argument("--seconds", metavar="N", type=_positive, help="end after N seconds, as if you had pressed Q")
    again = parser.add_mutually_exclusive_group()
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
    parser.add_argument(
        "--record",
        metavar="FILE",
        help="write a trace for stages.replay: inputs and answers of the stages, with all pictures",
    )
    parser.add_argument(
        "--metrics", metavar="PORT", type=_port, help="serve Prometheus metrics at http://127.0.0.1:PORT/metrics"
    )
    parser.add_argument(
        "--metrics-host", metavar="ADDRESS", help="address at which the metrics are served; see docs/metrics.md"
    )
    parser.add_argument(
        "--check", action="store_true", help="check configuration, model cards, keys and sources; start nothing"
    )
    parser.add_argument("--host", metavar="NAME", help="the name of this machine under hosts in the configuration")
    parser.add_argument("--make-keys", metavar="DIR", help="write keys for the hosts of the configuration")
    parser.add_argument("--list-cameras", action="store_true", help="list the cameras")
    parser.add_argument("--quiet", action="store_true", help="print only errors, and do not wait for keys in a window")
    add_log_level(parser, "how much the stages write to logs/NAME.log")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("--version", action="version", version=f"facepipe {VERSION}")
    arguments = _with_its_source(parser, *parser.parse_known_args(argv))
    if arguments.metrics_host and not arguments.metrics:
        parser.error("--metrics-host says where, and nothing is there without --metrics PORT; add it.")
    arguments.metrics_host = arguments.metrics_host or "127.0.0.1"
    return arguments


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


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is not a port, a whole number from 1 to 65535")


def _positive(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < float("inf"):
            return number
    raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")


def _overrides(arguments: argparse.Namespace) -> list[Override]:
    """The options that set keys: the short ones count after `--set`."""
    short = {
        "source": arguments.source,
        "stages.detect.detector": arguments.detector,
        "render.output": arguments.output,
        "render.display": arguments.display,
        "render.delay": _number_or_text(arguments.delay),
        "render.web": arguments.web,
        "render.web_host": arguments.web_host,
        "render.blur": arguments.blur,
        "capture.start": _number_or_text(arguments.start),
        "capture.end": _number_or_text(arguments.end),
        "capture.fps": _number_or_text(arguments.fps),
        "capture.loop": arguments.loop or None,
    }
    overrides = [Override.parse(text) for text in arguments.set]
    for key, value in short.items():
        if value is not None:
            # Taken as it is, not as YAML: a file may be called 1e3 or no.
            is_number = key in ("source", "render.web") and value.isascii() and value.isdigit()
            option = key.rpartition(".")[2].replace("_", "-")
            overrides.append(Override(key, int(value) if is_number else value, f"--{option} {public(value)}"))
    return overrides


def _number_or_text(value: str | None) -> float | str | None:
    if value is None or not re.fullmatch(r"-?\d{1,15}(\.\d{0,15})?", value):
        return value
    return float(value) if "." in value else int(value)


def _run_options(arguments: argparse.Namespace, host: str) -> RunOptions:
    return RunOptions(
        only=arguments.only,
        once=arguments.once,
        seconds=arguments.seconds,
        quiet=arguments.quiet,
        host=host,
        record=arguments.record,
        resume=arguments.resume,
        replace=arguments.replace,
        config=Path(arguments.config).stem if arguments.config else None,
        metrics=(arguments.metrics_host, arguments.metrics) if arguments.metrics else None,
        log_level=arguments.log_level,
    )


# --- Without running anything ---


def _list_cameras() -> int:
    from stages.sources.camera import list_cameras

    for camera in list_cameras() or ["no camera was found"]:
        print(camera)
    return ExitStatus.DONE


def _check(pipeline: Pipeline, folder: Path, host: str, only: list[str] | None) -> int:
    """Look at the configuration, and at cards, keys and sources of what would be started here; say what stays open."""
    from stages.sources.opening import open_source
    from stages.sources.part import Part
    from stages.vision.inference import runtime_of
    from stages.vision.inference.card import load_card
    from stages.vision.inference.model import check_file, check_kind

    processes = processes_of(pipeline, only, cores(), host).values()
    stages = list(dict.fromkeys(stage for stage, _ in processes))
    plan, placed = Plan.of(pipeline, folder, host), Placement.of(pipeline)
    looked_at, left = ["configuration"], ["the port is free"]
    if placed.spans_machines:
        read_keys(Path(plan.keys), host, pipeline.hosts)
        print(f"host {host}: {', '.join(stages)}; keys in {shown(plan.keys)}")
        looked_at.append("keys")
    if "capture" in stages:
        for (name, spec), at in zip(pipeline.all_sources().items(), placed.captures, strict=True):
            if at != host:
                continue  # It is on another machine, and so is what it reads.
            source = open_source(spec, name, Part(*pipeline.capture.part), pipeline.capture.loop)
            print(printable(f"source {source.name}: {source.description}"))
            source.close()
        looked_at.append("sources")
    if "detect" in stages:
        print(f"detector {pipeline.detect.detector}")
    attributes = [stage for stage in stages if stage in plan.cards]
    for stage in attributes:
        card = load_card(Path(plan.models[stage]))
        check_file(card)
        runtime_of(card)
        check_kind(card)
        size = plan.cards[stage]
        print(f"{stage}: {shown(plan.models[stage])}, faces scaled to {size.width} x {size.height} pixels")
    if attributes:
        looked_at.append("cards")
    if plan.models.keys() & set(stages):
        left.insert(0, "the models load")
    if "render" in stages:
        print(
            f"output {shown(plan.output) if pipeline.render.output else 'in a new folder below ' + shown(plan.output)}"
        )
        left.append("the output can be written")
        left += ["a window opens"] if pipeline.render.display in ("auto", "window") else []
        left += ["the page's port is free"] if pipeline.render.web_port else []
    print(f"right: {', '.join(looked_at)}; only a run tells whether {', '.join(left)}")
    return ExitStatus.DONE


def _make_keys(pipeline: Pipeline, folder: Path) -> int:
    """Make a pair of keys for every host that has none in this folder, and say what to copy where."""
    from stages.transport.curve import new_pair

    if not pipeline.hosts:
        raise ConfigError("this configuration has no hosts; name the machines under hosts, then make their keys.")
    made = make_keys(folder, pipeline.hosts, new_pair)
    for host in pipeline.hosts:
        print(f"{host}: {'a new pair' if host in made else 'has its keys already'}")
    print(f"Copy to {pipeline.keys} on every machine, a folder that only you can enter (chmod 700):")
    for host in pipeline.hosts:
        print(f"  on {host}: {shown(str(folder / f'{host}{SECRET}'))} (chmod 600) and {shown(str(folder))}/*{PUBLIC}")
    print("A secret key belongs on its own machine and nowhere else; remove the others here when you are done.")
    return ExitStatus.DONE


def _ended_by(number: int) -> int:
    """The exit status after this signal where no run is under way; for a service its manager's is no failure."""
    return ExitStatus.DONE if number == signal.SIGTERM and "--service" in sys.argv else after_signal(number)


def _leave(number: int) -> NoReturn:
    """End although a file system holds this process: what follows in order would wait for it as well."""
    if takes(sys.stderr):
        print(
            "facepipe: A file system does not answer. What was written before is there when it does, and --resume goes"
            " on with it.",
            file=sys.stderr,
            flush=True,
        )
    os._exit(_ended_by(number))


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt(number)


def _as_a_program() -> None:
    """Run as a process: nobody has to listen to what it says, and no name can be too strange to be said."""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    # One that whoever started this has switched off stays so; an interrupt counts even for a script's background job.
    heard = [n for n in SIGNALS if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]
    try:
        for number in heard:
            signal.signal(number, _interrupt)
        end_when_unheard(heard, _leave)
        status = main()
    except KeyboardInterrupt as interrupt:  # Before anything was started, or when it was over.
        status = _ended_by(*interrupt.args)
    for number in heard:
        signal.signal(number, lambda *_: os._exit(status))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)  # The interpreter would try to flush once more, and complain.


if __name__ == "__main__":
    _as_a_program()
