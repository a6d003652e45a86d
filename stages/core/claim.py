"""Who speaks for a source: one capture at a time, and its successor when it is gone. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from stages.core import limits

GONE_S = 1.0  # a capture says hello five times a second: one that has not for so long is gone


@dataclass(slots=True)
class Claim:
    """The name of a source at render."""

    holder: str | None = None  # the connection of its capture
    _heard_s: float = 0.0
    _rivals: dict[str, float] = field(default_factory=dict)  # other connections that say hello, and since when

    def hello(self, connection: str, now_s: float) -> bool | None:
        """Whether this capture has the name; None: not yet, its predecessor may have died just now.

        Only if the one that has the name is heard after another has come, there are two; the later one is refused.
        """
        if connection != self.holder and self.holder is not None and now_s - self._heard_s < GONE_S:
            if len(self._rivals) >= limits.GREETED:
                self._rivals.clear()
            came_s = self._rivals.setdefault(connection, now_s)
            return False if self._heard_s > came_s else None
        if connection != self.holder:
            self._rivals.clear()
        self.holder, self._heard_s = connection, now_s
        return True

    def lost(self) -> None:
        """The connection of its capture is gone: the next one need not wait."""
        self.holder = None
