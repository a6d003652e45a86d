"""Joins what the stages say about each frame, in order, and draws, shows and writes it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from .errors import FacepipeError
from .layout import RESULTS
from .protocol import limits
from .protocol.messages import TO_RENDER, Attribute, Faces, Message, SourceHello, Welcome, WorkerRefused, kinds
from .rendering.screens import open_screens
from .rendering.source import RenderedSource
from .results.errors import OutputError, cannot_write
from .results.found import found_in
from .results.manifest import Manifest
from .results.output_folder import OutputFolder
from .results.reading import DamagedState
from .results.recorder import Recorder
from .results.recovery import Survey, survey
from .results.run_file import RunFile, refuse_unknown
from .sources.stamps import apart_in
from .supervision.stage import ControlChannel, Settings, run_stage
from .trace.recorder import TraceRecorder
from .transport.curve import security_of
from .transport.faults import inject, injector_of, open_transport
from .transport.sockets import RouterSocket, Transport
from .view.postprocess import PostProcessor

WAIT_S = 0.05
PROGRESS_S = 0.5
WINDOW_WAIT_S = 0.01  # how soon a key is noticed


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
        self._folder = Path(settings.output)
        before = self._before()
        self._continuing = before is not None and self._is_ours(before)
        self._found = self._survey() if self._continuing else {}
        self._run = before.run if self._continuing else settings.run or uuid.uuid4().hex[:12]
        last = before.incarnation if self._continuing else 0
        self._incarnation = settings.incarnation or max(int(time.time() * 1000), last + 1)
        self._sources: dict[str, RenderedSource] = {}
        self._cards = settings.cards
        self._remarks: list[str] = []  # to be made when the first source is there: mistakes come before them
        self._screens = open_screens(settings, self._cards, self._incarnation, control, self._remark)
        self._peers: RouterSocket = transport.bind(settings.binds, kinds(*TO_RENDER))
        self._welcomed: set[str] = set()
        self._said_progress_s, self._said_finished = float("-inf"), False
        self._said_answer = False
        who = f"render/{settings.life}"
        self._trace = (
            TraceRecorder(Path(settings.record), who, control.say, not settings.life) if settings.record else None
        )

    def _is_ours(self, before: RunFile) -> bool:
        """Whether the results in the folder are to be gone on with: a launcher names the run, by hand they must fit."""
        if self._settings.run:
            return before.run == self._settings.run
        return before.ended != "finished" and before.difference(self._settings.inputs) is None

    def _before(self) -> RunFile | None:
        """What run.json says; raises `DamagedState` where that is unknown and there are results."""
        first_launched = self._settings.run and not self._settings.life
        try:
            before = RunFile.read(self._folder)
        except DamagedState:
            if first_launched:
                return None  # The launcher has read it too: it is to be replaced.
            raise
        if before is None and not first_launched:
            refuse_unknown(self._folder, OutputFolder.at(self._folder, self._settings.pipeline.sources).results)
        return before

    def _survey(self) -> dict[Path, Survey]:
        """What is there of every source, before anything is changed; raises `DamagedState`."""
        names = [source.name for source in self._settings.sources]
        folders = [self._folder] if len(self._settings.captures) <= 1 else [self._folder / str(name) for name in names]
        # By hand, or after a death: others may have taken what was written, and wait for what comes.
        everything = bool(self._settings.run) and not self._settings.life
        annotated, manifest = self._settings.pipeline.writes_annotated, Manifest(self._folder)
        return {
            folder: self._control.run_with_heartbeat(
                partial(survey, folder, annotated, manifest, everything, apart_in(self._settings.inputs, folder.name))
            )
            for folder in folders
        }

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
        failures += [OutputError(f"{said}.") for source in self._sources.values() for said in source.failures]
        if failures:
            raise failures[0]

    def _turn(self) -> None:
        self._transport.wait(WINDOW_WAIT_S if self._screens.has_keys else WAIT_S)
        for connection, message in self._peers.receive():
            self._welcome(connection, message.run)
            self._hear(connection, message)
        for header, reason in self._peers.malformed():
            # Values of a header that was refused may be anything, what cannot be looked up too.
            for name, source in self._sources.items():
                if header.get("source") == name and header.get("kind") in (Faces.kind, Attribute.kind):
                    source.malformed(header, reason)
        self._screens.turn(self._sources, self._control)
        if self._is_clean and not self._said_answer:
            self._said_answer = True
            self._say_what_is_waited_for()
        for source in self._sources.values():
            if source.acknowledge():
                self._control.finished()
        self._speak()

    def _say_what_is_waited_for(self) -> None:
        """A run that waits for a person says so, and what it has found, which is said at its end otherwise."""
        if any(source.is_looked_at for source in self._sources.values()):
            for sentence in (*found_in(Path(self._settings.output) / RESULTS), self._screens.finish()):
                self._control.say(sentence)

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
            self._write_run_file(ended="finished")

    @property
    def _is_clean(self) -> bool:
        everything = len(self._sources) == len(self._settings.captures)
        return everything and all(source.is_clean for source in self._sources.values())

    def _write_run_file(self, write: Callable[[RunFile, Path], None] = RunFile.write, ended: str | None = None) -> None:
        try:
            write(RunFile(self._run, self._settings.inputs, self._incarnation, ended), self._folder)
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    @property
    def _is_over(self) -> bool:
        """Whether every capture has heard that its outputs are closed."""
        everybody = len(self._sources) == len(self._settings.captures)
        return everybody and all(source.is_left for source in self._sources.values())

    def _welcome(self, connection: str, run: str) -> None:
        """Who does not know the run yet, or knows another one, is told again: a welcome may be lost."""
        if connection not in self._welcomed or run != self._run:
            if len(self._welcomed) >= limits.GREETED:
                self._welcomed.clear()
            self._welcomed.add(connection)
            self._peers.send(connection, Welcome(run=self._run, incarnation=self._incarnation))

    def _hear(self, connection: str, message: Message) -> None:
        if isinstance(message, SourceHello):
            self._hello(connection, message)
        elif message.run == self._run and (source := self._sources.get(getattr(message, "source", None))):
            source.hear(message)

    def _hello(self, connection: str, hello: SourceHello) -> None:
        source = self._sources.get(hello.source)
        if source is None:
            if not hello.is_complete:
                return  # A person who gives up waiting for the other machines has lost nothing.
            if len(self._sources) >= len(self._settings.captures):
                return  # A capture that this run does not know; it says hello again, and is never answered.
            source = self._sources[hello.source] = self._new_source(hello)
        if reason := source.start(connection, hello):
            self._peers.send(connection, WorkerRefused(run=hello.run, reason=reason))

    def _new_source(self, hello: SourceHello) -> RenderedSource:
        settings = self._settings.pipeline
        folder = Path(self._settings.output)
        while self._remarks:
            self._control.say(self._remarks.pop(0))
        if not self._sources:
            # Only now: before its source was opened the run could fail, and what an earlier one left be lost for
            # nothing.
            results = OutputFolder.at(folder, settings.sources)
            for sentence in () if self._continuing else results.set_aside():
                self._control.say(sentence)
            self._write_run_file(RunFile.prepare)  # What is in the way of it shows before anything is removed.
            if not self._continuing and results.clear():
                self._control.say(f"replacing the results of an earlier run in {folder}")
            self._write_run_file()
        if len(self._settings.captures) > 1:
            folder = folder / hello.source
        specs = {s.name or hello.source: s.spec for s in self._settings.sources}
        spec = specs.get(hello.source)
        recorder = Recorder(
            folder,
            spec,
            settings.writes_annotated,
            self._control.run_with_heartbeat,
            self._continuing,
            settings.render.subtitles,
            Manifest(self._folder),
            source=hello.source,
            live=hello.live,
            found=self._found.pop(folder, None),
            apart=apart_in(self._settings.inputs, hello.source),
        )
        postprocessor = PostProcessor(settings)
        if self._continuing and not self._settings.life:
            why = "".join(f"; {missing}" for missing in recorder.restored.missing)
            self._control.say(f"{hello.source} goes on at frame {recorder.restored.position}{why}")
        if self._continuing:
            self._control.run_with_heartbeat(lambda: postprocessor.replay(folder / RESULTS))
        previews = hello.live and settings.render.shows_latest
        return RenderedSource(
            hello.source,
            self._run,
            self._incarnation,
            self._cards,
            recorder,
            postprocessor,
            self._screens.of(hello.source, previews),
            self._peers,
            self._control.run_with_heartbeat,
            on_frame=self._on_frame,
            trace=self._trace,
        )

    def _report(self) -> dict:
        reports = {name: source.report() for name, source in self._sources.items()}
        outputs = [str(path) for source in self._sources.values() for path in source.recorder.paths]
        notes = [note for source in self._sources.values() for note in source.notes] + self._screens.notes
        refused = self._peers.refused + self._screens.refused
        return {"sources": reports, "outputs": outputs, "notes": notes, "refused": dict(refused)}


@contextmanager
def _noted(failures: list[FacepipeError]) -> Iterator[None]:
    try:
        yield
    except FacepipeError as error:
        failures.append(error)


if __name__ == "__main__":
    run_stage(main)
