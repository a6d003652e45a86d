"""What is raised where an output cannot be written, or is not what a run has left."""

from __future__ import annotations

from pathlib import Path

from ..errors import FacepipeError, reason, way_out

ANOTHER_FOLDER = "choose another folder with --output"
REPLACE = "use --replace to begin anew, or another folder with --output"


class OutputError(FacepipeError):
    """An output cannot be written."""


def cannot_write(what: object, error: Exception) -> OutputError:
    """The sentence for an error of the operating system, or of FFmpeg, on writing `what`."""
    return OutputError(f"cannot write {what}: {reason(error)}; {way_out(error, ANOTHER_FOLDER)}.")


class DamagedState(FacepipeError):
    """A file that says how a run stands is not what the run has left. Nothing was changed."""


class NotALine(FacepipeError):
    """A line of results.jsonl or account.jsonl that facepipe has not written."""

    def __init__(self, path: Path, number: int, what: str):
        """`number`: of the line, from 1; `what`: what it is instead, such as "no line of results"."""
        super().__init__(f"{path}:{number} is {what}.")
        self.path, self.number, self.what = path, number, what


class ForeignFile(FacepipeError):
    """A file in the output folder was not made by facepipe, or was changed since, and would have to be replaced."""
