"""Files that are there whole or not at all, and a sentence where the disk does not take them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from stages.errors import FacepipeError


class WriteError(FacepipeError):
    """The disk is full or does not let us write: to be mended outside the program."""


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """The name to write under; the file gets its own when all is written. WriteError, and no trace, if that fails."""
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")  # at the end what it was: Keras and matplotlib go by it
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise WriteError(_sentence(path, "could not be written", error)) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Around a whole command: what its disk refuses becomes WriteError, about `folder` if the system names no file."""
    try:
        yield
    except OSError as error:
        raise WriteError(_sentence(error.filename or folder, "could not be read or written", error)) from error


def _sentence(path: Path | str, what: str, error: OSError) -> str:
    reason = error.strerror or str(error).partition("\n")[0]  # h5py gives no strerror
    return f"{path}: {what} ({reason}); free some space or write elsewhere, then try again."
