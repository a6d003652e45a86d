"""The base of every error that is the user's to mend; `run_pipeline.py` prints it as one sentence."""

from __future__ import annotations


class FacepipeError(Exception):
    """What is wrong, where, and what to do, in one sentence."""


class NotTaken(FacepipeError):
    """The run does not take this process: what it was told is not what the run was told, found out only by asking."""
