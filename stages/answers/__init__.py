"""What a stage can say about a face: a module for each kind of answer. All other code asks `Answer`, and no kind.

A new kind is a subclass of `Answer` in a module of its own, and a name in `KINDS`.
"""

from __future__ import annotations

from .age import Age, age_group
from .base import Answer
from .classes import Classes
from .value import Value

__all__ = ["KINDS", "Age", "Answer", "Classes", "Value", "age_group", "answer_from"]

KINDS: dict[str, type[Answer]] = {kind.task: kind for kind in (Classes, Age, Value)}


def answer_from(written: dict) -> Answer:
    """The answer that an object in results.jsonl says; raises as `Answer.from_json` does."""
    for kind in KINDS.values():
        if kind.key in written:
            return kind.from_json(written)
    raise ValueError("no kind of answer")
