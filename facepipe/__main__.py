"""The command `facepipe`, also as `python -m facepipe`."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command of this process's command line, and end the process with its exit status."""
    words = sys.argv[1:]
    is_service = words[:1] == ["service"] or "--service" in words
    # While the modules below are read nothing has been started yet.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    if signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0 if is_service else 143))

    from .stages.dependencies import say_what_is_missing

    say_what_is_missing()

    from .stages.commands import facepipe
    from .stages.commands.process import as_a_program

    as_a_program(facepipe.main, words, is_service)


if __name__ == "__main__":
    main()
