"""What an output raises when it cannot be written."""

from __future__ import annotations

from ..errors import FacepipeError, reason, way_out

ANOTHER_FOLDER = "choose another folder with --output"


class OutputError(FacepipeError):
    """An output cannot be written."""


def cannot_write(what: object, error: Exception) -> OutputError:
    """The sentence for an error of the operating system, or of FFmpeg, on writing `what`."""
    return OutputError(f"cannot write {what}: {reason(error)}; {way_out(error, ANOTHER_FOLDER)}.")
