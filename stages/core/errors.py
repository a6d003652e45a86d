"""The base of every error that is the user's to mend; `run_pipeline.py` prints it as one sentence."""

from __future__ import annotations


class FacepipeError(Exception):
    """What is wrong, where, and what to do, in one sentence."""


class NotTaken(FacepipeError):
    """What this process was told cannot be, and only its work could show it: the run ends as if it had been refused."""
