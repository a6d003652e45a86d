"""Whether a destination can be reached, said once for each change and not for each event."""

from __future__ import annotations

from collections.abc import Callable


class Link:
    """The state of the way to one destination, as a person hears of it."""

    def __init__(self, name: str, say: Callable[[str], None]):
        """`name`: the destination, for a person."""
        self.name, self._say = name, say
        self.is_up = False
        self._trouble: str | None = None

    def works(self) -> None:
        """Something has arrived there."""
        self.is_up = True
        if self._trouble is not None:
            self._trouble = None
            self._say(f"{self.name} is there again; what has waited is sent.")

    def fails(self, trouble: str, remedy: str = "it is tried again") -> None:
        """Nothing can arrive there; `trouble`: why, `remedy`: what happens or helps, both in words of a sentence."""
        self.is_up = False
        if trouble != self._trouble:
            self._trouble = trouble
            self._say(f"{self.name} {trouble}; events wait in events.jsonl, and {remedy}.")
