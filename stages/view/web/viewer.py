"""What one browser has asked for: what it looks at, and whether it has room for the next picture. Without a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from .encoded import EncodedFrame

MESSAGE_BYTES = 4096  # a longer one ends the connection
_FORGIVEN = 20  # messages that make no sense, before it does


class NotUnderstood(Exception):
    """A message of the browser that makes no sense; its text is what is counted."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a browser has of its source already: how many of each list."""

    samples: int = 0
    events: int = 0
    pictures: int = 0


@dataclass(slots=True)
class Viewer:
    """One browser. It gets one message at a time and says `ready` when it has drawn it."""

    source: str | None = None  # None: it has not said yet, or looks at all of them
    looks_at_all: bool = False
    blurred: bool = False
    paused: bool = False
    ready: bool = False
    saves: frozenset[str] | None = None  # it waits for the picture in its full size, without the labels of these stages
    records: bool | None = None  # it wants a recording to begin or end
    life: int = 0  # of render, whose lists `known` counts
    known: Known = field(default_factory=Known)
    version: object = None  # of what it was told about the run
    drawn: dict[str, tuple[int, bool]] = field(default_factory=dict)  # by source: the picture it has, and if blurred
    events: dict[str, int] = field(default_factory=dict)  # by source: how many it has, while it looks at all of them
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
            return newest(self.blurred)
        self.held = self.held or newest(True)
        return self.held

    def receive(self, message: str | bytes, stages: Collection[str], sources: Collection[str]) -> None:
        """Take a message:

            {"do": "look", "source": "demo", "blur": false, "paused": false, "life": 0, "known": [0, 0, 0]}
            {"do": "look", "source": null, "blur": false, "paused": false}    all sources, beside each other
            {"do": "ready"}
            {"do": "save", "hide": ["age"]}
            {"do": "record", "on": true}

        Raises `NotUnderstood`, and has changed nothing then.
        """
        try:
            asked = json.loads(message)
            match asked:
                case {"do": "ready"}:
                    self.ready = True
                    return
                case {"do": "save", "hide": list(hidden)} if all(isinstance(h, str) and h in stages for h in hidden):
                    self.saves = frozenset(hidden)
                    return
                case {"do": "record", "on": bool(on)}:
                    self.records = on
                    return
                case {"do": "look", "source": str() | None as source, "blur": bool(), "paused": bool()}:
                    if source is None or source in sources:
                        return self._look(source, asked)
        except (ValueError, RecursionError):  # No JSON, or no UTF-8; or nested without end.
            pass
        self.nonsense += 1
        raise NotUnderstood("a message that makes no sense")

    def _look(self, source: str | None, asked: dict) -> None:
        if source != self.source:
            self.known, self.held = Known(), None
            self.drawn, self.events = {}, {}
        match asked:
            case {"life": int(life), "known": [int(samples), int(events), int(pictures)]}:
                self.life, self.known = life, Known(samples, events, pictures)
        self.source, self.looks_at_all = source, source is None
        self.blurred, self.paused = asked["blur"], asked["paused"] and not self.looks_at_all
