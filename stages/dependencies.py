"""A package that is not installed is a sentence, whichever of our programs finds it out, and not a traceback."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import TracebackType

from .exit_status import ExitStatus
from .project import IS_CHECKOUT

LAST_OF_TENSORFLOW = (3, 13)  # as in pyproject.toml
# Of the screen: OpenCV's wheel needs it even where no window is opened.
LIBRARY = re.compile(r"(lib(?:GL|X|xcb|gthread|glib)\S*): cannot open shared object file")
EXTRAS = {  # top-level module -> the extra that installs it, "" for what everything needs
    **dict.fromkeys(("ai_edge_litert", "av", "cv2", "dlib", "google", "msgpack", "msgspec", "numpy", "shtab"), ""),
    **dict.fromkeys(("PIL", "tqdm", "websockets", "yaml", "zmq"), ""),
    **dict.fromkeys(("h5py", "keras", "matplotlib", "scipy", "tensorflow"), "train"),
    "paho": "mqtt",
    "psutil": "dev",
    **dict.fromkeys(("python_multipart", "starlette", "uvicorn"), "serve"),
    **dict.fromkeys(("fsspec", "ray"), "ray"),
    "s3fs": "s3",
    "onnxruntime": "onnx",
    "pillow_heif": "heif",
    "pyarrow": "tables",
}


def installs(extra: str) -> str:
    """The command that installs an extra, or with "" what everything needs: here, a checkout or an environment."""
    if IS_CHECKOUT:
        command = f"make install-{extra}" if extra else "make install"
    else:
        command = pip("install", f"'facepipe[{extra}]'" if extra else "--upgrade facepipe")
    if extra in ("keras", "train") and sys.version_info[:2] > LAST_OF_TENSORFLOW:
        command += " in an environment of Python {}.{}, TensorFlow's newest".format(*LAST_OF_TENSORFLOW)
    return command


def pip(verb: str, packages: str) -> str:
    """The command of pip that changes the environment of this program; pipx and uv keep it from the pip of the user."""
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx runpip {prefix.name} {verb} {packages}"
    if (prefix / "uv-receipt.toml").exists():
        return f"uv pip {verb} --python {prefix} {packages}"
    return f"pip {verb} {packages}"


def missing(error: BaseException) -> str | None:
    """What to do about an import that found nothing; None for what is no such error, or is no package of ours."""
    if isinstance(error, ImportError) and (library := LIBRARY.match(str(error))):
        return (
            f"{library[1]} of the system is not installed, and OpenCV needs it here; on Debian and Ubuntu: apt install"
            f" libgl1 libglib2.0-0; or, without windows, {pip('uninstall', 'opencv-python')} and then"
            f" {pip('install', 'opencv-python-headless')}."
        )
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name not in EXTRAS:
        return None
    where = " in the project's folder, and use .venv/bin/python" if IS_CHECKOUT else ""
    return f"{name} is not installed here; run {installs(EXTRAS[name])}{where}."


def say_what_is_missing() -> None:
    """From now on an import of ours that finds nothing ends the program with the sentence and its exit status."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if (sentence := missing(error)) is None:
            return before(kind, error, trace)
        print(f"facepipe: {sentence}", file=sys.stderr, flush=True)
        raise SystemExit(ExitStatus.REFUSED)  # The interpreter, which called this, ends with it, and not with 1.

    sys.excepthook = hook
