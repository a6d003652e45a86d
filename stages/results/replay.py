"""Remembers the faces of a source again, from its results.jsonl."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..vision.following import Follower
from .jsonl import faces_of


def restored(follower: Follower, lines: Iterable[bytes | str]) -> Follower:
    """Bring a new follower to where the one was that these whole lines, from the first on, were written with."""
    for line in lines:
        written = json.loads(line)
        follower.replay(written.get("file"), written["time"], faces_of(written))
    return follower
