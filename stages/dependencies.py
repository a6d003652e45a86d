"""A package that is not installed is a sentence, whichever of our programs finds it out, and not a traceback."""

from __future__ import annotations

import os
import sys
from types import TracebackType

REFUSED = 2  # the exit status
COMMANDS = {  # top-level module -> what installs it
    **dict.fromkeys(("ai_edge_litert", "av", "cv2", "dlib", "msgpack", "numpy", "yaml", "zmq"), "install"),
    "websockets": "install",
    **dict.fromkeys(("h5py", "keras", "matplotlib", "scipy", "tensorflow"), "install-train"),
    "psutil": "install-dev",
    "pyarrow": "install-tables",
}


def missing(error: BaseException) -> str | None:
    """What to do about an import that found nothing; None for what is no such error, or is no package of ours."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name not in COMMANDS:
        return None
    return f"{name} is not installed here; run make {COMMANDS[name]} in the project's folder, and use .venv/bin/python."


def say_what_is_missing() -> None:
    """From now on this process ends with the sentence and status 2, where a package of ours is missing."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if (sentence := missing(error)) is None:
            return before(kind, error, trace)
        print(f"facepipe: {sentence}", file=sys.stderr, flush=True)
        os._exit(REFUSED)  # The interpreter would end with 1.

    sys.excepthook = hook
