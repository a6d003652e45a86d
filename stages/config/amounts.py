"""Sizes and durations as they are written in the configuration: 256 MB, 1h."""

from __future__ import annotations

import re

_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# Without flags, so that the schema can have them as they are.
SIZE = rf"[0-9]{{1,15}}(?:\.[0-9]{{1,6}})? ?(?i:{'|'.join(_UNITS)})"
DURATION = rf"[1-9][0-9]{{0,5}} ?[{''.join(_SECONDS)}]"


def bytes_of(text: str) -> int | None:
    """256000000 of "256 MB"; None for what is no size."""
    if not re.fullmatch(SIZE, text):
        return None
    number = re.match(r"[0-9.]+", text)[0]
    return round(float(number) * _UNITS[text.removeprefix(number).strip().lower()])


def duration_s(text: str) -> int | None:
    """3600 of "1h"; None for what is no duration."""
    return int(text[:-1]) * _SECONDS[text[-1]] if re.fullmatch(DURATION, text) else None
