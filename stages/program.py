"""A stage as a program: started by the launcher, by hand, or by somebody else's supervisor, with its exit status.

Only the standard library is imported at the top: every stage process pays for what stands there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .config.settings import Settings
from .errors import FacepipeError, StartupRejected
from .exit_status import ExitStatus, after_signal
from .names import printable
from .project import PACKAGE
from .protocol.control import Failed, FromStage, Quit, Refused, Say, Waiting
from .supervision.stage import ControlChannel, launched

if TYPE_CHECKING:
    import argparse

LOG_FORMAT, LOG_DATE = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S"
MOST_FILES = 20_000  # that this process may have open, connections among them

_KEYS = {"--source ": "--set source=", "--display ": "--set render.display="}
_log = logging.getLogger(__name__)

Main = Callable[[Settings, ControlChannel], None]


def run_stage(main: Main, stage: str | None = None) -> None:
    """Run a stage as the program that it is, and end the process.

    `stage` is the stage's name where it is started by hand; by default that of its module. Under a launcher the
    settings come on the standard input. By hand, or under somebody else's supervisor, they are read from `--config`.
    """
    faulthandler.enable()  # The last words of a library that crashes.
    _allow_many_connections()
    status = _launched(main) if "--launched" in sys.argv[1:] else _by_hand(main, _arguments(stage))
    _log.info("ends with status %d", status)
    sys.stdout.flush()
    sys.stderr.flush()
    # Without the interpreter's own end: a thread inside a codec or a camera's driver could hold it up for ever.
    os._exit(status)


def _launched(main: Main) -> int:
    # The launcher writes this command line: argparse is not loaded for it.
    _start_logging(sys.argv[sys.argv.index("--log-level") + 1] if "--log-level" in sys.argv else "warning")
    told = launched()
    if told is None:
        return ExitStatus.FAILED  # The launcher went before it said anything.
    control, settings = told
    _log.info("process %d: %s %d, life %d", os.getpid(), settings.stage, settings.replica, settings.life)
    return _work(main, settings, control)


def _start_logging(level: str) -> None:
    """Log to the standard error, which is logs/NAME.log under a launcher; of other packages warnings alone."""
    logging.basicConfig(stream=sys.stderr, format=LOG_FORMAT, datefmt=LOG_DATE)
    logging.getLogger(PACKAGE).setLevel(level.upper())


def _work(main: Main, settings: Settings, control: ControlChannel) -> int:
    try:
        main(settings, control)
    except FacepipeError as error:
        if control.is_ready and not isinstance(error, StartupRejected):
            control.failed(str(error))
            return ExitStatus.FAILED
        control.refused(str(error))
        return ExitStatus.REFUSED
    except BaseException:  # Also what a library does with sys.exit: there is one way out of this process.
        _log.exception("%s ends by a defect", settings.stage)
        return ExitStatus.FAILED
    return ExitStatus.DONE


def _allow_many_connections() -> None:
    """Every connection takes a file: with the usual 1024 a thousand unauthenticated peers would leave none for the
    results."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
    if now != resource.RLIM_INFINITY and now < enough:
        with contextlib.suppress(OSError, ValueError):  # Then it stays as it is.
            resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))


# --- By hand ---


def _by_hand(main: Main, arguments: argparse.Namespace) -> int:
    _start_logging(arguments.log_level)
    control, stopped_by = _control_by_hand(), []
    _stop_on_signals(control, stopped_by)
    # Needs yaml and numpy, which a launched stage is spared.
    from .plan import Plan, read_pipeline
    from .supervision.places import this_host
    from .transport.addresses import claim

    try:
        pipeline, folder = read_pipeline(arguments.config, arguments.set)
        plan = Plan.of(pipeline, folder, this_host(pipeline, arguments.host))
        settings = plan.settings(arguments.stage, arguments.replica, once=arguments.once)
        with claim(settings.binds, pipeline.port):
            if arguments.stage == "render":
                config = Path(arguments.config).stem if arguments.config else None
                status = _render_by_hand(main, settings, control, config)
            else:
                status = _work(main, settings, control)
    except FacepipeError as error:
        control.refused(str(error))
        return ExitStatus.REFUSED
    return after_signal(stopped_by[0]) if stopped_by and not status else status


def _render_by_hand(main: Main, settings: Settings, control: ControlChannel, config: str | None) -> int:
    """Work in a folder that is held meanwhile, and of which nothing is left where nothing has come of it."""
    from .results.preconditions import refuse_sources
    from .results.runs import folder_by_hand

    pipeline = settings.pipeline
    with folder_by_hand(pipeline, settings.inputs, config) as results:
        with results.left_only_by_a_run():
            refuse_sources(results, pipeline.all_sources().values())
        if pipeline.render.output is None:
            control.say(f"results go to {os.path.relpath(results.path)}")
        status = _work(main, dataclasses.replace(settings, output=str(results.path)), control)
        results.remove_if_empty(refused=status == ExitStatus.REFUSED)
    return status


def _stop_on_signals(control: ControlChannel, stopped_by: list[int]) -> None:
    """From now on a signal asks the stage to stop and is noted; the second one ends the process at once."""

    def stop(number: int, _frame: object) -> None:
        if stopped_by:
            os._exit(after_signal(number))
        stopped_by.append(number)
        control.stop_requested = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _control_by_hand() -> ControlChannel:
    """The channel of a stage without a launcher: its sentences go to the standard error, all else is heard by none."""

    def send(message: FromStage) -> None:
        match message:
            case Say(sentence) | Waiting(sentence) | Refused(sentence) | Failed(sentence):
                print(f"facepipe: {printable(as_a_stage_says(sentence))}", file=sys.stderr)
            case Quit():
                control.stop_requested = True

    control = ControlChannel(send)
    return control


def as_a_stage_says(sentence: str) -> str:
    """A sentence with what helps where a stage is started by hand: it has `--set`, and no other option of a run."""
    for option, key in (("with --output", "with --set render.output=DIR"), *_KEYS.items()):
        sentence = re.sub(rf"(?<!\S){option}\b", key, sentence)
    what, found, remedy = sentence.rpartition("; ")
    if found and re.search(r"--(output|replace|resume)\b", remedy):
        return f"{what}; choose another folder with --set render.output=DIR."
    return sentence


def _arguments(stage: str | None) -> argparse.Namespace:
    from .supervision.arguments import Arguments, add_log_level  # A launched stage is spared it.

    parser = Arguments(
        prog=f"python -m {PACKAGE}.{stage or _module_name()}",
        description="Run one stage of the pipeline; facepipe run starts all of them.",
    )
    parser.add_argument(
        "--launched", action="store_true", help="read the settings from the standard input (used by the launcher)"
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: pipeline.yaml)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set a key of the configuration"
    )
    parser.add_argument(
        "--replica",
        metavar="N",
        type=int,
        help="capture: the number of the source, from 0; others: a number that no other process of the stage uses",
    )
    parser.add_argument("--host", metavar="NAME", help="the name of this machine under hosts in the configuration")
    parser.add_argument(
        "--once", action="store_true", help="end when the run is over; the default is to stay for the next one"
    )
    add_log_level(parser, "how much is logged on the standard error")
    own_name = stage is None and _module_name() == "attribute"
    if own_name:
        parser.add_argument("--stage", metavar="NAME", help="the stage's name in the configuration")
    arguments = parser.parse_args()
    if not own_name:
        arguments.stage = stage or _module_name()
    elif not arguments.launched and not arguments.stage:
        parser.error("--stage NAME is missing; it is the stage's name in the configuration.")
    if arguments.replica is None:
        arguments.replica = 0 if arguments.stage in ("capture", "render") else os.getpid()
    return arguments


def _module_name() -> str:
    specification = sys.modules["__main__"].__spec__
    return specification.name.rpartition(".")[2] if specification else "stage"
