"""Send the events of a run to the MQTT broker and the webhooks of a configuration.

python -m stages.connect out/door                     until the run is over and everything has arrived
python -m stages.connect out/door --config door.yaml  with another configuration than pipeline.yaml

A run whose configuration names a broker or webhooks sends its events itself. This sends what it could not.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FacepipeError, reason, way_out
from ..exit_status import ExitStatus, after_signal
from ..layout import RUN
from ..names import printable
from ..project import command
from ..results.atomic import look_into
from ..results.run_file import RunFile
from .ending import Ending
from .endpoints import Endpoints
from .sending import SendingError, send

if TYPE_CHECKING:
    from ..supervision.arguments import Arguments

STOPPED_S = 1.0  # for what is under way, after Ctrl-C


def main(argv: list[str] | None = None) -> int:
    """Send what is there and what comes; returns the exit status: 0 when the run is over and everything has arrived."""
    if "--launched" in sys.argv[1:]:
        return _launched()
    options = parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=options.log_level.upper())
    try:
        return _by_hand(Path(options.folder), options)
    except FacepipeError as error:
        _say(str(error))
        return ExitStatus.REFUSED


# --- By hand ---


def parser() -> Arguments:
    """The options of the command."""
    from ..supervision.arguments import Arguments, add_log_level

    prog = command("connect")
    options = Arguments(
        prog=prog,
        description=__doc__.replace("python -m stages.connect", prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("folder", metavar="FOLDER", help="the output folder of the run")
    options.add_argument("--config", metavar="FILE", help="the configuration (default: the project's pipeline.yaml)")
    options.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set a key of the configuration"
    )
    add_log_level(options, "how much is logged on the standard error")
    return options


def _by_hand(folder: Path, options: argparse.Namespace) -> int:
    from ..config.schema import ConfigError
    from ..plan import read_pipeline

    pipeline, base = read_pipeline(options.config, options.set)
    if not pipeline.is_connected:
        raise ConfigError("this configuration has neither mqtt.broker nor webhooks; write one of them.")
    endpoints = Endpoints.of(pipeline, base, os.environ)
    try:
        look_into(folder)
    except (FileNotFoundError, NotADirectoryError):
        pass  # Then there is no run either.
    except OSError as error:
        way = way_out(error, "name the output folder of a run")
        raise SendingError(f"{folder} cannot be read: {reason(error)}; {way}.") from None
    if RunFile.read(folder) is None:
        raise SendingError(f"{folder} holds no {RUN}, and so no run; name the output folder of one.")
    ending, stopped_by, reports = Ending(with_run=True), [], {}

    def stop(number: int, _frame: object) -> None:
        if stopped_by:
            os._exit(after_signal(number))
        stopped_by.append(number)
        ending.ask(STOPPED_S)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    send(folder, None, endpoints, ending, _say, reports.update)
    for name, report in reports.items():
        set_aside = f", {report['refused']} refused" if report["refused"] else ""
        print(f"{name}: {report['sent']} events sent{set_aside}, {report['waiting']} waiting", flush=True)
    return after_signal(stopped_by[0]) if stopped_by else ExitStatus.DONE


def _say(sentence: str) -> None:
    print(f"facepipe: {printable(sentence)}", file=sys.stderr, flush=True)


# --- Started by a run: see `process` ---


def _launched() -> int:
    _die_with_the_launcher()
    logging.basicConfig(stream=sys.stderr, level="WARNING")
    line = sys.stdin.buffer.readline()
    if not line:
        return ExitStatus.FAILED  # The launcher went before it said anything.
    told, ending = json.loads(line), Ending(with_run=False)
    threading.Thread(target=_hear, args=(ending,), daemon=True).start()
    try:
        send(
            Path(told["folder"]),
            told["run"],
            Endpoints.from_json(told["endpoints"]),
            ending,
            lambda sentence: _tell({"say": sentence}),
            lambda report: _tell({"report": report}),
        )
    except SendingError as error:
        _tell({"say": str(error)})
        return ExitStatus.REFUSED
    return ExitStatus.DONE


def _tell(said: dict) -> None:
    line = json.dumps(said).encode() + b"\n"
    with _telling:
        try:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except OSError:
            os._exit(ExitStatus.FAILED)  # The launcher is gone; what was not sent is sent the next time.


_telling = threading.Lock()


def _hear(ending: Ending) -> None:
    """Take what the launcher says until it is gone, and end with it."""
    for line in sys.stdin.buffer:
        ending.ask(json.loads(line)["finish"])
    os._exit(ExitStatus.FAILED)


def _die_with_the_launcher() -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # A thread may still wait for a name or a server.
