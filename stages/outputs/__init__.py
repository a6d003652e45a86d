"""Where finished frames go: each output takes them in order and keeps what it wrote when the process is killed."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from stages.core.errors import FacepipeError, reason, way_out
from stages.core.frames import FinishedFrame

ANOTHER_FOLDER = "choose another folder with --output"


class Output(Protocol):
    """One place that finished frames are written to."""

    def write(self, frame: FinishedFrame, drawn: np.ndarray) -> object:
        """Take the next frame and its annotated picture, uint8 (H, W, 3) BGR; raises OutputError."""

    def close(self) -> object:
        """Bring what was written into its final form; closing again does nothing."""


class OutputError(FacepipeError):
    """An output cannot be written."""


def cannot_write(what: object, error: Exception) -> OutputError:
    """The sentence for an error of the operating system, or of FFmpeg, on writing `what`."""
    return OutputError(f"cannot write {what}: {reason(error)}; {way_out(error, ANOTHER_FOLDER)}.")
