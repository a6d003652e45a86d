"""The windows, one per source, and what the keys in them switch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


class Screen:
    """Shows the newest picture of every source."""

    @classmethod
    def opened(cls, display: str, folder: Path, say: Callable[[str], None]) -> Screen | None:
        return None
