"""How far an archive is: films, hours of video, speed as a multiple of real time, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

from ..view.live_line import LiveLine
from ..view.progress import bar_line, duration
from .ledger import FilmState

REDRAW_S = 0.5
LINE_S = 10.0  # between two lines where there is no terminal: a log, a pipe
SAME_S = 1e-3  # sums of the same parts in another order differ by less


@dataclass(frozen=True, slots=True)
class Progress:
    """How far all films are. Seconds are of video."""

    films: int
    finished: int
    failed: int
    done_s: float
    total_s: float | None  # estimated from their sizes, for films that were not looked through yet; None: none was
    speed: float | None  # seconds of video a second, in this start; None until there is something to say

    @classmethod
    def of(cls, states: Iterable[FilmState], speed: float | None) -> Progress:
        films = finished = failed = known_bytes = unknown_bytes = 0
        done_s = known_s = 0.0
        for state in states:
            films += 1
            finished += state.done is not None
            failed += state.failed is not None
            length_s = state.done.seconds if state.done else state.plan.seconds if state.plan else None
            if state.done is not None:
                done_s += length_s
            elif state.plan is not None and state.failed is None:
                done_s += sum(map(state.plan.seconds_of, state.parts))
            if length_s is not None:
                known_s, known_bytes = known_s + length_s * (state.failed is None), known_bytes + state.film.size
            elif state.failed is None:
                unknown_bytes += state.film.size
        total_s = known_s * (1 + unknown_bytes / known_bytes) if known_bytes else None
        return cls(films, finished, failed, done_s, total_s, speed)

    def texts(self) -> Iterator[str]:
        """What is said of it, the longest first."""
        films = f"{self.finished}/{self.films} films"
        failed = f"{self.failed} failed" if self.failed else ""
        hours = f"{duration(self.done_s)} of {duration(self.total_s)}" if self.total_s else ""
        speed = f"{self.speed:.3g} × real time" if self.speed else ""
        left = self._left()
        for parts in ((films, failed, hours, speed, left), (films, failed, speed, left), (films, failed, left)):
            yield "  ".join(filter(None, parts))
        yield left or films

    def _left(self) -> str:
        if self.total_s and self.total_s - self.done_s < SAME_S:
            return "finishing"  # The last films are joined.
        if not (self.total_s and self.speed):
            return ""
        return f"{duration(max(1.0, (self.total_s - self.done_s) / self.speed))} left"


class ArchiveView:
    """Writes to `stream`, normally stderr; on a terminal a live line, else a line now and then; `quiet`: nothing."""

    def __init__(self, stream: TextIO, *, quiet: bool):
        self._line, self.is_quiet = LiveLine(stream, quiet=quiet), quiet
        self._drawn_s, self._waited_s = time.monotonic(), None

    def say(self, sentence: str) -> None:
        """A sentence of its own, above the live line."""
        self._line.say(sentence)

    def waits(self, text: str) -> None:
        """Say what is done before there is something to count: live on a terminal, otherwise at once and every 10 s."""
        if self._line.is_live:
            self._line.draw(text[: self._line.columns])
            return
        now_s = time.monotonic()
        if not self._line.is_quiet and (self._waited_s is None or now_s - self._waited_s >= LINE_S):
            self._waited_s = now_s
            self._line.say(text)

    def show(self, progress: Callable[[], Progress]) -> None:
        """Say how far it is, if it is time to."""
        now_s = time.monotonic()
        if self._line.is_quiet or now_s - self._drawn_s < (REDRAW_S if self._line.is_live else LINE_S):
            return
        self._drawn_s, said = now_s, progress()
        texts = [*said.texts()]
        if not self._line.is_live:
            self._line.say(texts[0])
            return
        shape = {"blocks": self._line.has_blocks, "colour": self._line.has_colour}
        self._line.draw(bar_line(said.done_s, said.total_s, texts, self._line.columns, **shape))

    def close(self) -> None:
        """Take the live line away."""
        self._line.clear()
