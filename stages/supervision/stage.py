"""The stage's side of the pipe to its launcher: how a stage process starts, speaks, is stopped and ends.

A launcher says on the standard input, in lines of JSON, first the settings and later `{"do": "stop"}`; the end of the
input means that it is gone. The stage answers on its standard output, in lines of JSON. Only the standard library is
imported at the top: every stage process pays for what stands there.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import faulthandler
import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from ..config.settings import Settings, SourceSettings  # noqa: F401  (what a stage imports from here)
from ..errors import FacepipeError, StartupRejected
from ..names import printable
from .arguments import Arguments

DONE, FAILED, REFUSED = 0, 1, 2  # exit statuses; killed by a signal: 128 + its number
HEARTBEAT_S = 0.25
MOST_FILES = 20_000  # that this process may have open, connections among them
ORPHAN_S = 2.0  # what a stage may still do when its launcher is gone

_KEYS = {"--source ": "--set source=", "--display ": "--set render.display="}

Main = Callable[[Settings, "ControlChannel"], None]


def run_stage(main: Main, stage: str | None = None) -> None:
    """Run a stage as the program that it is, and end the process.

    `stage` is the stage's name where it is started by hand; by default that of its module. Under a launcher the
    settings come on the standard input. By hand, or under somebody else's supervisor, they are read from `--config`.
    """
    arguments = _arguments(stage)
    faulthandler.enable()  # The last words of a library that crashes.
    _allow_many_connections()
    status = _launched(main) if arguments.launched else _by_hand(main, arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    # Without the interpreter's own end: a thread inside a codec or a camera's driver could hold it up for ever.
    os._exit(status)


class ControlChannel:
    """What a stage says to whoever started it, and whether it has been asked to stop."""

    def __init__(self, said: TextIO | None):
        """`said`: where lines of JSON go; None where the stage was started by hand, then its sentences go to stderr."""
        self.stop_requested = False
        self.is_ready = False
        self.stopped_by: signal.Signals | None = None
        self._said = said
        self._has_quit = False
        self.restarts: dict[str, int] = {}  # how often processes of this machine were started again, by stage
        self._gone: deque[dict] = deque()  # filled by the thread that listens
        self._lock = threading.Lock()
        self._finished = 0
        self._heartbeat_due_s = 0.0

    def ready(self) -> None:
        """Model and source are open, the sockets stand."""
        self.is_ready = True
        self.heartbeat()
        self._tell("ready", True)

    def heartbeat(self) -> None:
        """The work loop is alive: to be called from it at least every 0.5 s, as often as is handy."""
        now_s = time.monotonic()
        if now_s >= self._heartbeat_due_s:
            self._heartbeat_due_s = now_s + HEARTBEAT_S
            self._tell("heartbeat", self._finished)

    def finished(self, tasks: int = 1) -> None:
        """Tasks are finished: the next heartbeat says so. For capture and render: more is acknowledged."""
        self._finished += tasks

    def report_position(self, place: str) -> None:
        """Say what is being worked at, before it is: should this process not survive it, that is where it was."""
        self._tell("position", place)

    def gone(self) -> Iterator[dict]:
        """What the launcher has said of processes that have ended: {stage, host, replica, incarnation, cause}."""
        while self._gone:
            yield self._gone.popleft()

    def run_with_heartbeat(self, work: Callable[[], object]) -> object:
        """Do what may take long and cannot send heartbeats itself, such as closing a large file; raises what it
        raises."""
        from concurrent.futures import ThreadPoolExecutor, wait  # Only render needs it, once or twice in a run.

        with ThreadPoolExecutor(1) as aside:
            done = aside.submit(work)
            while not wait([done], HEARTBEAT_S).done:
                self.heartbeat()
            return done.result()

    def opened(self, **source: object) -> None:
        """Capture has opened its source: name, description, why it was chosen, frames if known, whether it is live."""
        self._tell("opened", source)

    def page(self, port: int) -> None:
        """Render serves its page at this port, and is to have it again in its next life."""
        self._tell("page", port)

    def say(self, sentence: str) -> None:
        """Tell the person who started the run."""
        self._tell("say", sentence)

    def progress(self, progress: dict) -> None:
        """Where the work is; for the live line."""
        self._tell("progress", progress)

    def quit(self) -> None:
        """The person has asked to end the run, in the window; may be repeated."""
        if not self._has_quit:
            self._has_quit = True
            self._tell("quit", True)
        if self._said is None:
            self.stop_requested = True

    def report(self, report: dict) -> None:
        """The stage's part of the account of the run: its last word."""
        self._tell("report", report)

    def refused(self, sentence: str) -> None:
        """The stage cannot work with what it was told."""
        self._tell("refused", sentence)

    def failed(self, sentence: str) -> None:
        """The stage cannot go on."""
        self._tell("failed", sentence)

    def _tell(self, kind: str, what: object) -> None:
        if self._said is None:
            if kind in ("say", "refused", "failed"):
                print(f"facepipe: {printable(as_a_stage_says(str(what)))}", file=sys.stderr)
            return
        line = json.dumps({kind: what})
        try:
            with self._lock:
                self._said.write(line + "\n")
                self._said.flush()
        except (BrokenPipeError, ValueError):
            self.stop_requested = True  # The launcher is gone, and nobody is left to be told.


def as_a_stage_says(sentence: str) -> str:
    """A sentence with what helps where a stage is started by hand: it has `--set`, and no other option of a run."""
    for option, key in (("with --output", "with --set render.output=DIR"), *_KEYS.items()):
        sentence = re.sub(rf"(?<!\S){option}\b", key, sentence)
    what, found, remedy = sentence.rpartition("; ")
    if found and re.search(r"--(output|replace|resume)\b", remedy):
        return f"{what}; choose another folder with --set render.output=DIR."
    return sentence


def _launched(main: Main) -> int:
    _die_with_the_launcher()
    control = ControlChannel(_take_over_stdout())
    settings = sys.stdin.buffer.readline()
    if not settings:
        return FAILED  # The launcher went before it said anything.
    threading.Thread(target=_listen, args=(control,), daemon=True).start()
    return _work(main, Settings.from_json(json.loads(settings)), control)


def _by_hand(main: Main, arguments: argparse.Namespace) -> int:
    control = ControlChannel(None)
    _stop_on_signals(control)
    # Needs yaml and numpy, which a launched stage is spared.
    from ..plan import Plan, read_pipeline
    from ..transport.addresses import claim
    from .places import this_host

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
        return REFUSED
    return 128 + control.stopped_by if control.stopped_by and not status else status


def _render_by_hand(main: Main, settings: Settings, control: ControlChannel, config: str | None) -> int:
    """Work in a folder that is held meanwhile, and of which nothing is left where nothing has come of it."""
    from ..results.preconditions import refuse_sources
    from ..results.runs import folder_by_hand

    pipeline = settings.pipeline
    with folder_by_hand(pipeline, settings.inputs, config) as results:
        with results.left_only_by_a_run():
            refuse_sources(results, pipeline.all_sources().values())
        if pipeline.render.output is None:
            control.say(f"results go to {os.path.relpath(results.path)}")
        status = _work(main, dataclasses.replace(settings, output=str(results.path)), control)
        results.remove_if_empty(refused=status == REFUSED)
    return status


def _work(main: Main, settings: Settings, control: ControlChannel) -> int:
    try:
        main(settings, control)
    except FacepipeError as error:
        if control.is_ready and not isinstance(error, StartupRejected):
            control.failed(str(error))
            return FAILED
        control.refused(str(error))
        return REFUSED
    except BaseException:  # Also what a library does with sys.exit: there is one way out of this process.
        traceback.print_exc()
        return FAILED
    return DONE


def _take_over_stdout() -> TextIO:
    """Keep the standard output for the launcher; what libraries print goes to the log, with the standard error."""
    sys.stdout.flush()
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    said.write("\n")  # Ends a line that a library has begun while it was imported.
    said.flush()
    return said


def _listen(control: ControlChannel) -> None:
    """Hear the launcher until it is gone; then see to it that this process ends."""
    for line in sys.stdin.buffer:
        match json.loads(line):
            case {"do": "stop"}:
                control.stop_requested = True
            case {"do": "restarts", "stages": restarts}:
                control.restarts = restarts
            case {"do": "gone", **gone}:
                control._gone.append(gone)
    control.stop_requested = True
    time.sleep(ORPHAN_S)
    os._exit(FAILED)


def _die_with_the_launcher() -> None:
    """Ask Linux to kill this process with its launcher: one that is stopped or hangs hears nothing else."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        # Best effort: where it is not allowed, the end of the standard input is still heard.
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


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


def _stop_on_signals(control: ControlChannel) -> None:
    def stop(number: int, _frame: object) -> None:
        if control.stopped_by:
            os._exit(128 + number)  # The second time: at once.
        control.stopped_by, control.stop_requested = signal.Signals(number), True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _arguments(stage: str | None) -> argparse.Namespace:
    parser = Arguments(
        prog=f"python -m stages.{stage or _module_name()}",
        description="Run one stage of the pipeline; run_pipeline.py starts all of them.",
    )
    parser.add_argument(
        "--launched", action="store_true", help="read the settings from the standard input (used by run_pipeline.py)"
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
