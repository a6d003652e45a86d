"""The outputs of render: run.json for the run; for each source its results, annotated videos and pictures, screens."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from .. import time_of_day
from ..frames import FinishedFrame
from ..layout import EVENTS, PIECE
from ..people.events import Event, EventMachine
from ..people.log import EventLog
from ..protocol.messages import SourceHello
from ..protocol.stats import StreamReport
from ..results.errors import REPLACE, DamagedState, cannot_write
from ..results.jsonl import as_line, lines_of
from ..results.manifest import Manifest
from ..results.output_folder import OutputFolder
from ..results.pieces import OF_FACES, OF_PEOPLE, Before, Extent, newest_of
from ..results.run_file import RunFile, refuse_unknown
from ..results.source_folder import SourceFolder
from ..sinks.encoders import refuse_encoder
from ..sinks.recorder import Recorder
from ..sinks.recovery import Survey, restore, survey
from ..sources.stamps import apart_in
from ..streams.destination import destinations
from ..streams.sending import SourceStreams
from ..supervision.stage import ControlChannel, Settings
from ..view.postprocess import PostProcessor
from .extra import Extra
from .portraits import PortraitFolder, keeps_portraits
from .rotation import Rotation
from .screens import Screens, SourceScreens

LARGE_BYTES = 30_000_000  # of a picture: ten megapixels


class RunOutputs:
    """The output folder of a run. Nothing in it is changed before the first source is there."""

    def __init__(self, settings: Settings, control: ControlChannel):
        """Look at what is there; raises `DamagedState` where it is unknown how that stands, or it is not whole.

        Raises `ConfigError` where the encoder of the videos does not work here.
        """
        if settings.pipeline.writes_annotated or settings.streams:
            refuse_encoder(settings.pipeline.render.encoder)
        self._settings, self._control = settings, control
        self._folder = OutputFolder.at(Path(settings.output), settings.pipeline.sources)
        before = self._before()
        self._continues = before is not None and self._is_ours(before)
        self._found = self._survey() if self._continues else {}
        self._left: set[str] = set()  # sources whose outputs were closed before the end of the run
        self.run = before.run if self._continues else settings.run or uuid.uuid4().hex[:12]
        last = before.incarnation if self._continues else 0
        self.incarnation = settings.incarnation or max(int(time.time() * 1000), last + 1)
        # The run that is gone on with was begun when it was; an older version did not say.
        self._started = before.started if self._continues else time_of_day.written()
        self._has_begun = False

    def open(self, hello: SourceHello, screens: Screens) -> SourceOutputs:
        """Open those of a source, cut back to where all of them are whole; raises a `FacepipeError`."""
        if not self._has_begun:
            self._has_begun = True
            self._begin()
        pipeline, place = self._settings.pipeline, self._place(hello.source)
        keep_alive, restored, before = self._control.run_with_heartbeat, None, Before()
        if self._continues or hello.source in self._left:
            self._left.discard(hello.source)
            found = self._found.pop(place.path, None)
            restored = keep_alive(lambda: restore(found or survey(self._newest(place)), hello.source, hello.live))
            before = restored.before
        rotation = Rotation.of(pipeline, place, hello.live)
        piece = place if rotation is None else rotation.piece
        specs = {source.name or hello.source: source.spec for source in self._settings.sources}
        open_recorder = partial(
            Recorder,
            spec=specs.get(hello.source),
            live=hello.live,
            subtitles=pipeline.render.subtitles,
            encoder=pipeline.render.encoder,
            run_with_heartbeat=keep_alive,
        )
        recorder = open_recorder(piece, restored)
        postprocessor = PostProcessor(pipeline, hello.source)
        machine = EventMachine(pipeline.render.coast, pipeline.areas_of(hello.source))
        _take_up(piece, before, postprocessor, machine)
        events = self._events(piece, machine, before.events)
        portraits = self._portraits(piece, hello.live)
        if restored is not None:
            self._say_where(hello.source, recorder)
            keep_alive(lambda: _replay(piece.results, postprocessor, events, portraits, rotation))
        previews = hello.live and pipeline.render.shows_latest
        return SourceOutputs(
            recorder,
            postprocessor,
            screens.of(hello.source, previews),
            events,
            self._streams(hello),
            keep_alive,
            portraits=portraits,
            rotation=rotation,
            open_recorder=open_recorder,
        )

    def _streams(self, hello: SourceHello) -> Extra[SourceStreams]:
        say, wanted = self._control.say, destinations(self._settings.streams, hello.source)
        return Extra("the stream", SourceStreams(wanted, self._settings.pipeline.render.encoder, say), say)

    def _events(self, piece: SourceFolder, machine: EventMachine, before: Extent) -> Extra[EventLog]:
        if not (self._settings.pipeline.render.events and self._settings.pipeline.render.track):
            return Extra(EVENTS, None)
        return Extra.opened(
            EVENTS,
            lambda: EventLog(piece.events, piece.manifest, machine, before),
            is_first=not self._settings.life,
            say=self._control.say,
        )

    def _portraits(self, piece: SourceFolder, live: bool) -> Extra[PortraitFolder]:
        return Extra.opened(
            "the folder portraits",
            lambda: PortraitFolder(piece) if keeps_portraits(self._settings.pipeline, live) else None,
            is_first=not self._settings.life,
            say=self._control.say,
        )

    def change(self, settings: Settings) -> None:
        """Other sources are read from now on; raises `OutputError`."""
        is_noted = settings.inputs == self._settings.inputs and settings.changes == self._settings.changes
        self._settings = settings
        self._folder = OutputFolder.at(self._folder.path, settings.pipeline.sources)
        if self._has_begun and not is_noted:
            self._write_run_file(RunFile.write)

    def left(self, source: str) -> None:
        """The outputs of a source were closed before the end of the run; it may come again."""
        self._left.add(source)

    def finish(self) -> None:
        """All is written: say so in run.json. Raises `OutputError`."""
        self._write_run_file(RunFile.write, ended="finished")

    def _before(self) -> RunFile | None:
        """What run.json says; raises `DamagedState` where that is unknown and there are results."""
        first_launched = self._settings.run and not self._settings.life
        try:
            before = RunFile.read(self._folder.path)
        except DamagedState:
            if first_launched:
                return None  # The launcher has read it too: it is to be replaced.
            raise
        if before is None and not first_launched:
            refuse_unknown(self._folder.path, self._folder.results)
        return before

    def _is_ours(self, before: RunFile) -> bool:
        """Whether to continue these results: a launcher names their run; by hand, the inputs must be equal."""
        if self._settings.run:
            return before.run == self._settings.run
        return before.ended != "finished" and before.difference(self._settings.inputs) is None

    def _survey(self) -> dict[Path, Survey]:
        """What is there of every source, by folder, before anything is changed; raises `DamagedState`."""
        # By hand, or after a death: others may have taken what was written, and wait for what comes.
        everything = bool(self._settings.run) and not self._settings.life
        names = self._settings.read if self._settings.has_folders else [None]
        places = [self._newest(self._place(name)) for name in names]
        keep_alive = self._control.run_with_heartbeat
        return {place.path: keep_alive(partial(survey, place, everything)) for place in places}

    def _place(self, source: str | None) -> SourceFolder:
        path = self._folder.path
        if self._settings.has_folders:
            path = path / str(source)
        apart = apart_in(self._settings.inputs, source)
        return SourceFolder(path, Manifest(self._folder.path), self._settings.pipeline.writes_annotated, apart)

    def _newest(self, place: SourceFolder) -> SourceFolder:
        return newest_of(place, self._settings.pipeline.render.rotate is not None)

    def _begin(self) -> None:
        """Make room for this run. Before its source was opened it could fail, and results be lost for nothing."""
        for sentence in () if self._continues else self._folder.set_aside():
            self._control.say(sentence)
        self._write_run_file(RunFile.prepare)  # What is in the way of it shows before anything is removed.
        if not self._continues and self._folder.clear():
            self._control.say(f"replacing the results of an earlier run in {self._folder.path}")
        self._write_run_file(RunFile.write)

    def _write_run_file(self, write: Callable[[RunFile, Path], None], ended: str | None = None) -> None:
        try:
            changes = self._settings.changes
            said = RunFile(self.run, self._settings.inputs, self.incarnation, ended, self._started, changes)
            write(said, self._folder.path)
        except OSError as error:
            raise cannot_write(self._folder.path, error) from error

    def _say_where(self, source: str, recorder: Recorder) -> None:
        if not self._settings.life:
            why = "".join(f"; {missing}" for missing in recorder.restored.missing)
            self._control.say(f"{source} continues at frame {recorder.restored.position}{why}")


class SourceOutputs:
    """What each finished frame of one source goes through: it is post-processed, drawn, written and shown."""

    def __init__(
        self,
        recorder: Recorder,
        postprocessor: PostProcessor,
        screens: SourceScreens,
        events: Extra[EventLog],
        streams: Extra[SourceStreams],
        run_with_heartbeat: Callable[[Callable[[], object]], object] = lambda work: work(),
        *,
        portraits: Extra[PortraitFolder] | None = None,
        rotation: Rotation | None = None,
        open_recorder: Callable[[SourceFolder], Recorder] = Recorder,
    ):
        """`run_with_heartbeat` runs what may take longer than a stage may be silent.

        `rotation`: what divides the outputs into pieces, if anything does; `open_recorder` opens that of another piece.
        """
        self.recorder, self.screens = recorder, screens
        self._postprocessor, self._events, self._streams = postprocessor, events, streams
        self._portraits = portraits or Extra("the folder portraits", None)
        self._run_with_heartbeat = run_with_heartbeat
        self._rotation, self._open_recorder = rotation, open_recorder

    def take(self, frame: FinishedFrame, all_known: bool, live: bool) -> FinishedFrame:
        """Write and show the next frame, and return it as it was written; raises `OutputError`.

        `all_known`: whether it has every face that was found in its picture.
        """
        if self._rotation is not None and self._rotation.is_border(frame):
            self._begin_piece(frame)
        frame = self._postprocessor.finish(frame, all_known)
        # Drawing and encoding a picture of a hundred megapixels takes longer than a stage may be silent.
        is_large = frame.picture.pixels.nbytes > LARGE_BYTES
        drawn = self._run_with_heartbeat(lambda: self._record(frame)) if is_large else self._record(frame)
        happened = self._events.do(lambda events: events.take(as_line(frame), plays=frame.picture.rate is not None), [])
        self._portraits.do(lambda portraits: portraits.take(frame))
        for event in happened:
            self.screens.happened(event.to_json(), _in_words(event), frame)
        if self._rotation is not None:
            self._rotation.step(frame)
        self._streams.do(lambda streams: streams.take(frame, drawn))
        self.screens.show(frame, drawn, lambda: self._postprocessor.to_anonymize(frame, all_known), live)
        return frame

    @property
    def people(self) -> int | None:
        """How many have appeared so far; None where no events are written, which know it."""
        return self._events.do(lambda events: events.people)

    def notes(self, source: str) -> list[str]:
        """What a person should know of it, in sentences."""
        left_out = [extra.note for extra in (self._events, self._portraits, self._streams) if extra.note]
        said = [f"{source}: {note}" for note in (*left_out, *self._streams.do(lambda streams: streams.notes, []))]
        return [note for note in (self._postprocessor.note(source), *said) if note]

    def streams(self) -> dict[str, StreamReport]:
        """How the streams stand, by their addresses."""
        return self._streams.do(lambda streams: streams.report(), {})

    def close(self, has_ended: bool = False) -> None:
        """Bring all outputs in order; `has_ended`: the source has, nothing follows. Raises `OutputError`."""
        self._events.do(lambda events: events.close(has_ended))
        self._run_with_heartbeat(self._portraits.close)
        self.screens.close()
        self._run_with_heartbeat(lambda: self._streams.do(lambda streams: streams.close(has_ended)))
        self.recorder.close()

    def _begin_piece(self, frame: FinishedFrame) -> None:
        """Complete the outputs, and begin the next piece of them with this frame; raises `OutputError`.

        The next piece is begun when all of this one is whole: killed before, render comes here again.
        """
        before = self.recorder
        self._events.do(lambda events: events.close())
        self._run_with_heartbeat(self._portraits.close)
        self.recorder.close()
        extent = self._events.do(lambda events: events.extent, Extent())
        state = {OF_FACES: self._postprocessor.to_json()}
        state |= self._events.do(lambda events: {OF_PEOPLE: events.known()}, {})
        piece = self._run_with_heartbeat(lambda: self._rotation.begin(frame, before.counts, extent, state))
        self._events.do(lambda events: events.go_on_in(piece.events))
        self._portraits.do(lambda portraits: portraits.go_on_in(piece))
        self.recorder = self._open_recorder(piece)
        self.recorder.counts.update(before.counts)
        self.recorder.notes += dict.fromkeys(before.notes)
        self.recorder.failures += before.failures

    def _record(self, frame: FinishedFrame) -> np.ndarray | None:
        """Write the frame to its outputs; return the annotated picture if anybody wants it."""
        wanted = self.recorder.draws or self.screens.wants_drawn
        wanted = wanted or self._streams.do(lambda streams: streams.wants_drawn, False)
        drawn = self._postprocessor.draw(frame) if wanted else None
        self.recorder.write(frame, drawn)
        return drawn


def _in_words(event: Event) -> str:
    """What is displayed about the person, such as "woman, happy, 31 years"."""
    return ", ".join(answer.brief(stage) for stage, answer in event.answers.items())


def _take_up(piece: SourceFolder, before: Before, postprocessor: PostProcessor, machine: EventMachine) -> None:
    """Let both remember what was known before a piece; raises `DamagedState`."""
    try:
        postprocessor.take_up(before.state.get(OF_FACES, {}))
        if OF_PEOPLE in before.state:
            machine.take_up(before.state[OF_PEOPLE])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedState(f"{piece.own / PIECE} is damaged; put it back, or {REPLACE}.") from error


def _replay(
    results: Path,
    postprocessor: PostProcessor,
    events: Extra[EventLog],
    portraits: Extra[PortraitFolder],
    rotation: Rotation | None,
) -> None:
    """Let all remember what the lines of a results.jsonl say of the frames; raises `OutputError` and `NotALine`."""
    try:
        for line in lines_of(results):
            postprocessor.replay(line)
            events.do(lambda log, line=line: log.replay(line))
            portraits.do(lambda folder, line=line: folder.replay(line))
            if rotation is not None:
                rotation.replay(line)
    except OSError as error:
        raise cannot_write(results, error) from error
