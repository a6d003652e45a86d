"""Joins what the stages say about each frame, in order, and draws, shows and writes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2  # noqa: F401  (first: once PyAV's X libraries are loaded, OpenCV's window hangs as it opens)
from msgspec import structs

from .delivery.turns import Turns
from .errors import FacepipeError
from .program import run_stage
from .protocol import limits
from .protocol.messages import TO_RENDER, Attribute, Faces, Message, SourceHello, Welcome, WorkerRefused, kinds
from .protocol.stats import RenderReport
from .rendering.outputs import RunOutputs
from .rendering.screens import open_screens
from .rendering.source import RenderedSource
from .results.errors import OutputError
from .supervision.stage import ControlChannel, Settings
from .trace.recorder import TraceRecorder
from .transport.curve import security_of
from .transport.faults import inject, injector_of, open_transport
from .transport.sockets import RouterSocket, Transport

WAIT_S = 0.05
PROGRESS_S = 0.5
WINDOW_WAIT_S = 0.01  # how soon a key is noticed
EMIT_S = 0.05  # in a turn: what has come meanwhile is heard after that


def main(settings: Settings, control: ControlChannel) -> None:
    injector = injector_of(settings)
    transport = open_transport(injector, security_of(settings), control.say)

    def on_frame(frame: int, source: str) -> None:
        if settings.life:  # One that has died before names the frame that it may die at again.
            control.report_position(f"frame {frame} of {source}")
        inject(injector, frame)

    try:
        _Render(settings, control, transport, on_frame).run()
    finally:
        transport.close()


class _Render:
    def __init__(
        self, settings: Settings, control: ControlChannel, transport: Transport, on_frame: Callable[[int, str], None]
    ):
        self._settings, self._control, self._transport, self._on_frame = settings, control, transport, on_frame
        self._outputs = RunOutputs(settings, control)
        self._sources: dict[str, RenderedSource] = {}
        self._left = RenderReport()  # of sources that are not read any more
        self._left_failures: list[str] = []  # and what was written of them and is not there any more
        self._cards = settings.cards
        self._remarks: list[str] = []  # to be made when the first source is there: mistakes come before them
        self._screens = open_screens(
            settings, self._cards, self._outputs.run, self._outputs.incarnation, control, self._remark
        )
        self._peers: RouterSocket = transport.bind(settings.binds, kinds(*TO_RENDER))
        self._turns: Turns[RenderedSource] = Turns()
        self._welcomed: set[str] = set()
        self._said_progress_s, self._said_finished = float("-inf"), False
        self._said_answer = False
        who = f"render/{settings.life}"
        self._trace = (
            TraceRecorder(Path(settings.record), who, control.say, not settings.life) if settings.record else None
        )

    def _remark(self, sentence: str) -> None:
        if self._sources:
            self._control.say(sentence)
        else:
            self._remarks.append(sentence)

    def run(self) -> None:
        self._control.ready()
        failures: list[FacepipeError] = []  # The first one is the reason for those that follow it.
        with ExitStack() as opened:  # Closes all of them, also when one cannot be closed.
            opened.callback(self._screens.close)
            opened.callback(self._close_sources, failures)
            with _noted(failures):
                while not self._control.stop_requested and not (self._settings.once and self._is_over):
                    self._turn()
        if self._trace is not None:
            self._trace.close()
        self._control.report(self._report())
        said = [failure for source in self._sources.values() for failure in source.failures]
        failures += [OutputError(f"{sentence}.") for sentence in (*said, *self._left_failures)]
        if failures:
            raise failures[0]

    def _turn(self) -> None:
        if (changed := self._control.changed_settings()) is not None:
            self._change(changed)
        is_behind = any(source.is_behind for source in self._sources.values())
        self._transport.wait(0.0 if is_behind else WINDOW_WAIT_S if self._screens.has_keys else WAIT_S)
        for connection, message in self._peers.receive():
            self._welcome(connection, message.run)
            self._hear(connection, message)
        for header, reason in self._peers.malformed():
            # Values of a header that was refused may be anything, what cannot be looked up too.
            for name, source in self._sources.items():
                if header.get("source") == name and header.get("kind") in (Faces.kind, Attribute.kind):
                    source.malformed(header, reason)
        self._emit()
        self._screens.turn(self._sources, self._control)
        if self._is_clean and not self._said_answer:
            self._said_answer = True
            self._say_what_is_waited_for()
        for source in self._sources.values():
            if source.acknowledge():
                self._control.finished()
        self._speak()

    def _emit(self) -> None:
        """Write, draw and show what is complete, one frame of each source in turn."""
        until_s = time.monotonic() + EMIT_S
        while (source := self._turns.next(lambda source: source.is_behind)) and time.monotonic() < until_s:
            source.emit()

    def _say_what_is_waited_for(self) -> None:
        """A run that waits for a person says so: its answer is told now, and not when the person has left."""
        if any(source.is_looked_at for source in self._sources.values()):
            self._control.waiting(self._screens.finish(), self._report())

    def _close_sources(self, failures: list[FacepipeError]) -> None:
        with ExitStack() as sources:
            for source in self._sources.values():
                sources.callback(self._close_source, source, failures)

    def _close_source(self, source: RenderedSource, failures: list[FacepipeError]) -> None:
        with _noted(failures):
            source.close()

    def _speak(self) -> None:
        self._control.heartbeat()
        now_s = time.monotonic()
        if self._sources and now_s - self._said_progress_s >= PROGRESS_S:
            self._said_progress_s = now_s
            self._control.progress(self._report())  # The account so far, should this process be killed.
        # A launcher knows better whether it is the end, or a person who has asked for it.
        if not self._settings.run and not self._said_finished and self._is_clean:
            self._said_finished = True
            self._outputs.finish()

    @property
    def _is_clean(self) -> bool:
        everything = len(self._sources) == len(self._settings.read)
        return everything and all(source.is_clean for source in self._sources.values())

    @property
    def _is_over(self) -> bool:
        """Whether every capture has heard that its outputs are closed."""
        everybody = len(self._sources) == len(self._settings.read)
        return everybody and all(source.is_left for source in self._sources.values())

    def _welcome(self, connection: str, run: str) -> None:
        """Send a welcome to a peer that has had none, or that names another run: a welcome may be lost."""
        if connection not in self._welcomed or run != self._outputs.run:
            if len(self._welcomed) >= limits.GREETED:
                self._welcomed.clear()
            self._welcomed.add(connection)
            self._peers.send(connection, Welcome(run=self._outputs.run, incarnation=self._outputs.incarnation))

    def _hear(self, connection: str, message: Message) -> None:
        if isinstance(message, SourceHello):
            self._hello(connection, message)
        elif message.run == self._outputs.run and (source := self._sources.get(getattr(message, "source", None))):
            source.hear(message)

    def _hello(self, connection: str, hello: SourceHello) -> None:
        source = self._sources.get(hello.source)
        if source is None:
            if not hello.is_complete:
                return  # Until all machines are there nothing is replaced: a person may give up waiting.
            if not self._is_known(hello.source):
                return  # A capture that this run does not know; it says hello again, and is never answered.
            source = self._sources[hello.source] = self._new_source(hello)
            self._turns.add(source)
        if reason := source.start(connection, hello):
            self._peers.send(connection, WorkerRefused(run=hello.run, reason=reason))

    def _is_known(self, name: str) -> bool:
        """Whether a source of this name is to be read; of one that has no name it gets it by being opened."""
        read = self._settings.read
        return name in read or (len(self._sources) < len(read) and None in read)

    # --- Sources come and go ---

    def _change(self, settings: Settings) -> None:
        """Read other sources from now on: the outputs of one that has gone are closed, and the others go on."""
        self._settings = settings
        for name in [name for name in self._sources if not self._is_known(name)]:
            source = self._sources.pop(name)
            self._turns.remove(source)
            self._control.run_with_heartbeat(source.close)
            self._left = _merged(_report_of({name: source}), self._left)
            self._left_failures += source.failures
            self._outputs.left(name)
        for name in [name for name in self._left.sources if name not in settings.pipeline.sources]:
            self._screens.forget(name)
        self._outputs.change(settings)

    def _new_source(self, hello: SourceHello) -> RenderedSource:
        while self._remarks:
            self._control.say(self._remarks.pop(0))
        return RenderedSource(
            hello.source,
            self._outputs.run,
            self._outputs.incarnation,
            self._cards,
            self._outputs.open(hello, self._screens),
            self._peers,
            on_frame=self._on_frame,
            trace=self._trace,
        )

    def _report(self) -> RenderReport:
        refused = self._peers.refused + self._screens.refused
        report = _merged(_report_of(self._sources), self._left)
        return structs.replace(report, notes=report.notes + self._screens.notes, refused=dict(refused))


def _report_of(sources: dict[str, RenderedSource]) -> RenderReport:
    return RenderReport(
        sources={name: source.report() for name, source in sources.items()},
        outputs=[str(path) for source in sources.values() for path in source.recorder.paths],
        notes=[note for source in sources.values() for note in source.notes],
        streams={address: told for source in sources.values() for address, told in source.streams.items()},
    )


def _merged(newer: RenderReport, older: RenderReport) -> RenderReport:
    """Of a source that came again the newer report counts on from the older one."""
    return RenderReport(
        sources=older.sources | newer.sources,
        outputs=list(dict.fromkeys(older.outputs + newer.outputs)),
        notes=list(dict.fromkeys(older.notes + newer.notes)),
        streams=older.streams | newer.streams,
    )


@contextmanager
def _noted(failures: list[FacepipeError]) -> Iterator[None]:
    try:
        yield
    except FacepipeError as error:
        failures.append(error)


if __name__ == "__main__":
    run_stage(main)
