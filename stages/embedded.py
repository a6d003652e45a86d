"""A run inside another program: it is told what to run on the standard input, and ends with it.

What is said on the standard error, should the run be refused or fail, is one sentence.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from .config.load import Override
from .errors import FacepipeError
from .exit_status import ExitStatus, after_signal
from .names import printable
from .plan import read_pipeline
from .run import run
from .running.job import RunOptions

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run what the first line of the input says; returns the exit status.

    The line is a JSON object: `config`, a path or null; `overrides`, lists of key, value and what an error calls it;
    `replace`. The run is stopped when the input ends.
    """
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    told = json.loads(sys.stdin.buffer.readline() or b"null")
    if told is None:
        return ExitStatus.INTERRUPTED  # The program went before it said anything.
    threading.Thread(target=_end_with_the_program, daemon=True).start()
    try:
        pipeline, folder = read_pipeline(told["config"], [Override(*each) for each in told["overrides"]])
        name = Path(told["config"]).stem if told["config"] else None
        return run(pipeline, folder, RunOptions(quiet=True, replace=told["replace"], config=name))
    except FacepipeError as error:
        print(f"facepipe: {printable(str(error))}", file=sys.stderr)
        return ExitStatus.REFUSED


def _end_with_the_program() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt as interrupt:  # Before anything was started, or when it was over.
        status = after_signal(interrupt.args[0])
    sys.stderr.flush()
    os._exit(status)  # The thread that listens would hold up the interpreter's own end.
