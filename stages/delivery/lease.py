"""The lease of a source: one capture holds it at a time, and its successor when it is gone. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ..protocol import limits

GONE_S = 1.0  # a capture says hello five times a second: one that has not for so long is gone


class LeaseState(Enum):
    """What a capture is told that asks for a lease."""

    GRANTED = "granted"
    PENDING = "pending"  # the previous owner may still be alive: ask again
    DENIED = "denied"  # the owner was heard after this one had come: there are two


@dataclass(slots=True)
class SourceLease:
    """The lease of one source at render."""

    holder: str | None = None  # the connection of its capture
    _heard_s: float = 0.0
    _rivals: dict[str, float] = field(default_factory=dict)  # other connections that say hello, and since when

    def hello(self, connection: str, now_s: float) -> LeaseState:
        """Whether this capture holds the lease: whoever asks first, or after its owner has been silent for a while."""
        if connection != self.holder and self.holder is not None and now_s - self._heard_s < GONE_S:
            if len(self._rivals) >= limits.GREETED:
                self._rivals.clear()
            came_s = self._rivals.setdefault(connection, now_s)
            return LeaseState.DENIED if self._heard_s > came_s else LeaseState.PENDING
        if connection != self.holder:
            self._rivals.clear()
        self.holder, self._heard_s = connection, now_s
        return LeaseState.GRANTED

    def lost(self) -> None:
        """The connection of its capture is gone: the next one need not wait."""
        self.holder = None
