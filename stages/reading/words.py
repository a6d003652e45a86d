"""Words that the run and the commands over its results have in common."""

from __future__ import annotations


def counted(count: int, one: str, several: str) -> str:
    """1 person, 1,200 people."""
    return f"{count:,} {one if count == 1 else several}"


def people(count: int) -> str:
    """How many people there were, as far as following tells: it numbers faces, and recognises nobody."""
    fewer = ", or fewer if somebody came back" if count > 1 else ""
    return counted(count, "person", "people") + fewer
