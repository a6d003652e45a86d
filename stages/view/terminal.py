"""What a person sees while a run goes on: sentences, and how far it is, on a terminal in one line that lives."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import time
from typing import TextIO

from msgspec.structs import replace

from ..errors import reason
from ..names import printable
from ..protocol.control import SourceOpened
from ..protocol.stats import CaptureReport, RenderReport

REDRAW_S = 0.2
LINE_S = 10.0  # between two lines where there is no terminal: a log, a pipe
AT_ONCE = 1000  # characters: a pipe that takes anything takes so many
UNTOLD_CHARACTERS = 100_000  # kept for a terminal that takes nothing at the moment
BARS = "▁▂▃▄▅▆▇█"


def takes(stream: TextIO, within_s: float | None = 0.0) -> bool:
    """Whether a stream takes `AT_ONCE` characters without holding up the writer; `within_s`: None waits for ever."""
    try:
        return os.name != "posix" or bool(select.select([], [stream.fileno()], [], within_s)[1])
    except (OSError, ValueError):
        return True  # No file, or one that select does not know: writing says what is wrong with it.


class TerminalView:
    """Writes to `stream`, normally stderr; on a terminal a live line, else a line now and then; `quiet`: nothing."""

    def __init__(self, stream: TextIO, *, quiet: bool, detector: str, output: str, window: int):
        self._stream, self.is_quiet = stream, quiet
        self._detector, self._output, self._window = detector, output, window
        self._is_live = not quiet and stream.isatty()
        self._has_bars = "utf" in (stream.encoding or "").lower()
        self._reports: dict[str, CaptureReport] = {}
        self._faces: dict[str, int] = {}  # by source, all that are in the results: a capture has those of its life
        self._shown = self._untold = ""
        self._drawn_s = 0.0 if self._is_live else time.monotonic()

    def opened(self, source: SourceOpened) -> None:
        """The line at the start, for each source."""
        if source.chosen:
            self.say(source.chosen)
        self.say(f"{source.source}, {source.description}, detector {self._detector} → {self._output}")

    def say(self, sentence: str) -> None:
        """A sentence of its own, above the live line."""
        if not self.is_quiet:
            self._write(self._cleared() + f"facepipe: {printable(sentence)}\n" + self._shown)

    def progress(self, label: str, report: CaptureReport | RenderReport) -> None:
        """Say how far it is: on a terminal some times a second, elsewhere every ten seconds."""
        if isinstance(report, CaptureReport):
            self._reports[label] = report
        else:
            self._faces |= {source: said.faces for source, said in report.sources.items()}
        now_s = time.monotonic()
        if self.is_quiet or not self._reports or now_s - self._drawn_s < (REDRAW_S if self._is_live else LINE_S):
            return
        self._drawn_s = now_s
        sources = [replace(said, faces=self._faces.get(said.source, said.faces)) for said in self._reports.values()]
        if not self._is_live:
            self.say(live_line(sources, None).strip())
            return
        line = printable(live_line(sources, self._window if self._has_bars else None))
        cleared = self._cleared()
        self._shown = line[: shutil.get_terminal_size().columns - 1]
        self._write(cleared + self._shown)

    def started_again(self, label: str, stage: str) -> None:
        """A sentence of the supervision says so."""

    def delivered(self, report: dict[str, dict]) -> None:
        """Sentences say what a person should know of it."""

    def close(self) -> None:
        """Take the live line away."""
        self._write(self._cleared())
        self._shown = ""
        self._is_live = False

    def _cleared(self) -> str:
        return "\r\x1b[K" if self._shown else ""

    def _write(self, text: str) -> None:
        # A terminal that was closed must not end the run: its results are on the disk. One that takes nothing for a
        # while, because a pager holds it, must not hold up who watches over the stages: it is told later.
        self._untold = (self._untold + text)[-UNTOLD_CHARACTERS:]
        with contextlib.suppress(OSError, ValueError):
            while self._untold and takes(self._stream):
                part, self._untold = self._untold[:AT_ONCE], self._untold[AT_ONCE:]
                self._stream.write(part)
                self._stream.flush()


class Views:
    """The view of a run that its person has, and others beside it: one of these that fails is left out with a note."""

    def __init__(self, view, *others):
        self._view, self._others = view, list(others)

    def opened(self, source: SourceOpened) -> None:
        self._tell("opened", source)

    def say(self, sentence: str) -> None:
        self._tell("say", sentence)

    def progress(self, label: str, report: CaptureReport | RenderReport) -> None:
        self._tell("progress", label, report)

    def started_again(self, label: str, stage: str) -> None:
        self._tell("started_again", label, stage)

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


def live_line(sources: list[CaptureReport], window: int | None) -> str:
    """Where the captures are, in one line; `window`: how much waiting work makes a full bar, None for no bars."""
    if len(sources) > 1:
        return " " + "   ".join(f"{s.source} {_count(s)}  {s.fps:.1f} fps" for s in sources)
    [source] = sources
    parts = [f" {_count(source)} frames", f"{source.faces} faces", f"{source.fps:.1f} fps"]
    if source.frames and source.fps:
        parts.append(f"{_duration(max(0, source.frames - source.done) / source.fps)} left")
    if source.latency_ms_p50 is not None:
        parts.append(f"latency p50 {source.latency_ms_p50:.0f} ms  p95 {source.latency_ms_p95:.0f} ms")
    if window and source.waiting:
        parts.append(_bars(source.waiting, window))
    return "   ".join(parts)


def _count(source: CaptureReport) -> str:
    return f"{source.done}/{source.frames}" if source.frames else str(source.done)


def _bars(waiting: dict[str, int], window: int) -> str:
    """How much work waits for each stage, as in `age ▂  emotion ▇ slowest`."""
    slowest = max(waiting, key=waiting.get) if any(waiting.values()) else None
    bars = []
    for stage, tasks in sorted(waiting.items()):
        height = min(len(BARS) - 1, tasks * len(BARS) // (window + 1))
        bars.append(f"{stage} {BARS[height]}" + (" slowest" if stage == slowest else ""))
    return "  ".join(bars)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
