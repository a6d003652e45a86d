#!/usr/bin/env python3
"""Runs a pipeline from a checkout, as `facepipe run` does where facepipe is installed."""

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

from stages.commands.process import as_a_program
from stages.commands.run import main

if __name__ == "__main__":
    as_a_program(main, sys.argv[1:], "--service" in sys.argv)
