"""A package that is not installed is a sentence, whichever of our programs finds it out, and not a traceback."""

from __future__ import annotations

import sys
from types import TracebackType

from .exit_status import ExitStatus

COMMANDS = {  # top-level module -> what installs it
    **dict.fromkeys(("ai_edge_litert", "av", "cv2", "dlib", "msgpack", "msgspec", "numpy", "yaml", "zmq"), "install"),
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
    """From now on an import of ours that finds nothing ends the program with the sentence and its exit status."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if (sentence := missing(error)) is None:
            return before(kind, error, trace)
        print(f"facepipe: {sentence}", file=sys.stderr, flush=True)
        raise SystemExit(ExitStatus.REFUSED)  # The interpreter, which called this, ends with it, and not with 1.

    sys.excepthook = hook
