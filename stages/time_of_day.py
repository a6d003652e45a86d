"""The time of day as files have it: ISO 8601 with milliseconds and the offset of the zone."""

from __future__ import annotations

import time
from datetime import datetime


def written(seconds: float | None = None) -> str:
    """A time in seconds since 1970, by default now, in the zone of this machine: 2026-11-29T18:04:05.250+01:00.

    Raises `ValueError` where no year has it.
    """
    try:
        moment = datetime.fromtimestamp(time.time() if seconds is None else seconds).astimezone()
    except (OverflowError, OSError) as error:
        raise ValueError(f"{seconds} is no time of day") from error
    return moment.isoformat(timespec="milliseconds")


def read(text: str) -> datetime:
    """The inverse of `written`, for any offset; raises `ValueError` where it is none, or has no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment
