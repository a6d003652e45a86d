"""Words that the commands over results have in common."""

from __future__ import annotations


def counted(count: int, one: str, several: str) -> str:
    """1 person, 1,200 people."""
    return f"{count:,} {one if count == 1 else several}"
