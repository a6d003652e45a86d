"""What one browser has asked for: its switches, and whether it has room for the next picture. Without a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from .encoded import EncodedFrame, Switches

MESSAGE_BYTES = 4096  # a longer one ends the connection
_FORGIVEN = 20  # messages that make no sense, before it does


class NotUnderstood(Exception):
    """A message of the browser that makes no sense; its text is what is counted."""


@dataclass(slots=True)
class Viewer:
    """One browser. It gets one message at a time and says `ready` when it has drawn it."""

    source: str | None = None  # None: it has not said yet
    switches: Switches = field(default_factory=Switches)
    paused: bool = False
    ready: bool = False
    saves: bool = False  # it waits for the picture in its full size
    known: tuple[int, int] = (0, 0)  # life of render, and how many of its samples this browser has
    version: object = None  # of what it was told about the run
    drawn: tuple[int, Switches] | None = None  # the picture that it has, and with which switches
    held: EncodedFrame | None = None  # the picture that stands there while it is paused
    sent_s: float = 0.0  # when it was sent something
    nonsense: int = 0

    @property
    def is_beyond_hope(self) -> bool:
        """Whether it has sent so many invalid messages that its connection is closed."""
        return self.nonsense > _FORGIVEN

    def choose(self, newest: Callable[[bool], EncodedFrame | None]) -> EncodedFrame | None:
        """The picture to be shown: the newest, or that which was it when the browser paused.

        newest: gives the newest one, for a viewer with faces hidden or not. Nothing is held for one that does not
        pause, however slow it is.
        """
        if not self.paused:
            self.held = None
            return newest(self.switches.blurred)
        self.held = self.held or newest(True)
        return self.held

    def receive(self, message: str | bytes, stages: Collection[str], sources: Collection[str]) -> None:
        """Take a message:

            {"do": "look", "source": "demo", "hide": ["age"], "blur": false, "paused": false, "known": [0, 0]}
            {"do": "ready"}
            {"do": "save"}

        Raises `NotUnderstood`, and has changed nothing then.
        """
        try:
            asked = json.loads(message)
            match asked:
                case {"do": "ready"}:
                    self.ready = True
                    return
                case {"do": "save"}:
                    self.saves = True
                    return
                case {"do": "look", "source": str(source), "hide": list(hidden), "blur": bool(), "paused": bool()}:
                    if source in sources and all(isinstance(h, str) and h in stages for h in hidden):
                        return self._look(source, frozenset(hidden), asked)
        except (ValueError, RecursionError):  # No JSON, or no UTF-8; or nested without end.
            pass
        self.nonsense += 1
        raise NotUnderstood("a message that makes no sense")

    def _look(self, source: str, hidden: frozenset[str], asked: dict) -> None:
        if source != self.source:
            self.known, self.held, self.drawn = (0, 0), None, None
        match asked.get("known"):
            case [int(life), int(count)]:
                self.known = life, count
        self.source, self.paused = source, asked["paused"]
        self.switches = Switches(hidden, asked["blur"])
