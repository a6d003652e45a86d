"""What a person sees while a run goes on: sentences, and on a terminal a live line that says how far it is."""

from __future__ import annotations

import time
from typing import TextIO

from msgspec.structs import replace

from ..errors import reason
from ..protocol.control import SourceOpened
from ..protocol.stats import CaptureReport, RenderReport
from .live_line import LiveLine
from .progress import Pace, plain_line, progress_line

REDRAW_S = 0.2
LINE_S = 10.0  # between two lines where there is no terminal: a log, a pipe


class TerminalView:
    """Writes to `stream`, normally stderr; on a terminal a live line, else a line now and then; `quiet`: nothing."""

    def __init__(self, stream: TextIO, *, quiet: bool, detector: str, output: str):
        self._line, self.is_quiet = LiveLine(stream, quiet=quiet), quiet
        self._detector, self._output = detector, output
        self._is_live = self._line.is_live
        self._reports: dict[str, CaptureReport] = {}
        self._faces: dict[str, int] = {}  # by source, all that are in the results: a capture has those of its life
        self._pace = Pace()
        self._is_resting = False
        self._drawn_s = 0.0 if self._is_live else time.monotonic()

    def starts(self, processes: int) -> None:
        """Something to see until the first source is there: libraries and models take a while to load."""
        if self._is_live:
            self._line.draw(f"starting {processes} processes ..."[: self._line.columns])

    def opened(self, source: SourceOpened) -> None:
        """The line at the start, for each source."""
        if source.chosen:
            self.say(source.chosen)
        self.say(f"{source.source}, {source.description}, detector {self._detector} → {self._output}")

    def say(self, sentence: str) -> None:
        """A sentence of its own, above the live line."""
        self._line.say(sentence)

    def heard(self, label: str, is_ready: bool) -> None:
        """A person is told when there is something to see."""

    def progress(self, label: str, report: CaptureReport | RenderReport) -> None:
        """Say how far it is: on a terminal some times a second, elsewhere every ten seconds."""
        now_s = time.monotonic()
        if isinstance(report, CaptureReport):
            self._reports[label] = report
            self._pace.note(now_s, sum(said.done for said in self._reports.values()))
        else:
            self._faces |= {source: said.faces for source, said in report.sources.items()}
        if self.is_quiet or self._is_resting or not self._reports:
            return
        if now_s - self._drawn_s < (REDRAW_S if self._is_live else LINE_S):
            return
        self._drawn_s = now_s
        sources = [replace(said, faces=self._faces.get(said.source, said.faces)) for said in self._reports.values()]
        if self._is_live and any(source.done for source in sources):  # Before that it still says that it starts.
            shape = {"blocks": self._line.has_blocks, "colour": self._line.has_colour}
            self._line.draw(progress_line(sources, self._pace.frames_s(), self._line.columns, **shape))
        elif not self._is_live:
            self.say(plain_line(sources, self._pace.frames_s()))

    def started_again(self, label: str, stage: str) -> None:
        """A sentence of the supervision says so."""

    def ended(self, label: str) -> None:
        """A sentence says so."""

    def delivered(self, report: dict[str, dict]) -> None:
        """Sentences say what a person should know of it."""

    def rest(self) -> None:
        """All is done, and a person still looks at it: nothing is said of how far it is any more."""
        self._is_resting = True
        self._line.clear()

    def close(self) -> None:
        """Take the live line away."""
        self.rest()
        self._is_live = False


class Views:
    """The view of a run that its person has, and others beside it: one of these that fails is left out with a note."""

    def __init__(self, view, *others):
        self._view, self._others = view, list(others)

    def opened(self, source: SourceOpened) -> None:
        self._tell("opened", source)

    def say(self, sentence: str) -> None:
        self._tell("say", sentence)

    def heard(self, label: str, is_ready: bool) -> None:
        self._tell("heard", label, is_ready)

    def progress(self, label: str, report: CaptureReport | RenderReport) -> None:
        self._tell("progress", label, report)

    def started_again(self, label: str, stage: str) -> None:
        self._tell("started_again", label, stage)

    def ended(self, label: str) -> None:
        self._tell("ended", label)

    def delivered(self, report: dict[str, dict]) -> None:
        self._tell("delivered", report)

    def _tell(self, what: str, *said: object) -> None:
        getattr(self._view, what)(*said)
        for other in list(self._others):
            try:
                getattr(other, what)(*said)
            except Exception as error:
                self._others.remove(other)
                name = type(other).__name__.lower()
                self._view.say(f"{name} are left out from here on: {type(error).__name__}: {reason(error)}.")
