"""Reads the source and hands out all work: frames to detect, crops to the attribute stages, pictures to render."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from .capturing.in_flight import Assignee, InFlightStore
from .capturing.opening import opened, refuse_another_file
from .capturing.reader import Reader
from .capturing.rules import rules
from .capturing.stats import CaptureStats
from .delivery import events
from .delivery.control_block import DISTRUSTED
from .delivery.dispatcher import Dispatcher
from .delivery.grants import Grants
from .delivery.rules import asked
from .errors import FacepipeError
from .frames import Picture
from .names import printable
from .program import run_stage
from .protocol import limits
from .protocol.messages import (
    FROM_RENDER,
    TO_CAPTURE,
    Ack,
    Crops,
    Drop,
    End,
    FaceCrops,
    Failed,
    Finish,
    Frame,
    GivenUp,
    Heartbeat,
    Isolate,
    Isolated,
    Message,
    SourceHello,
    Welcome,
    WorkerHello,
    WorkerRefused,
    kinds,
)
from .protocol.stats import CaptureReport
from .sources.base import Source
from .supervision.policy import FINISHING_S
from .supervision.stage import ControlChannel, Settings
from .trace.history import CAPTURE
from .trace.recorder import TraceRecorder
from .transport.curve import security_of
from .transport.faults import inject, injector_of, open_transport
from .transport.ring import Ring
from .transport.sockets import Transport

TICK_S = 0.05  # how exactly deadlines are kept
HELLO_S = 0.05  # until render has answered
HELLO_AGAIN_S = 0.2
WAIT_TOLD_S = 5.0  # a person who starts stages by hand should not have to guess which one is missing
LEAVE_S = 0.5  # for the workers to hear that there is nothing more
PROGRESS_S = 0.5
NOT_GRANTED = "an answer to what its sender was not given"
USUAL_RATE = 25.0  # frames a second, of a live source that does not tell


def main(settings: Settings, control: ControlChannel) -> None:
    injector = injector_of(settings)
    source = opened(settings, control)
    if source is None:
        return
    source.reconnect_s, source.tell = settings.pipeline.reconnect_s, control.say
    transport = open_transport(injector, security_of(settings), control.say)

    def on_frame(frame: int) -> None:
        if settings.life:  # One that has died before names the frame that it may die at again.
            control.report_position(f"frame {frame} of {source.name}")
        inject(injector, frame)

    try:
        reader = Reader(source, transport.waker(), settings.source.paced, on_frame)
        try:
            Capture(settings, control, source, reader, transport).run()
        finally:
            reader.close()
    finally:
        transport.close()


class SourceTaken(FacepipeError):
    """Another capture reads a source of this name, for the same render."""


class Capture:
    def __init__(
        self, settings: Settings, control: ControlChannel, source: Source, reader: Reader, transport: Transport
    ):
        self._settings, self._control, self._transport = settings, control, transport
        self._source, self._reader = source, reader
        self._workers = transport.bind(settings.binds, kinds(*TO_CAPTURE))
        self._render = transport.connect(settings.render, kinds(*FROM_RENDER))
        self._ring = Ring(settings.pipeline.window, settings.pipeline.window_memory)
        self._workers.share(self._ring)
        self._render.share(self._ring)
        self._rules = rules(settings, source.live)
        self._epoch = settings.incarnation or int(time.time() * 1000)
        self._run = ""  # named by render
        self._key = secrets.token_hex(16)
        self._in_flight, self._every = InFlightStore(settings), settings.pipeline.every()
        self._told: set[str] = set()  # sentences about workers that are not taken
        self._gone: list[str] = []  # connections that a message could not be sent to
        self._finished = self._has_stopped = False
        self._patience_s = settings.pipeline.hang  # with the decoder; then this process falls silent
        self._must_go_back = not source.live  # to where render says that the outputs end
        self._leaving: set[str] = set()  # workers that have not answered `finish` yet
        self._leave_by_s = 0.0
        self._end_by_s: float | None = None  # whatever others do; only where no launcher sees to it
        self._stats = CaptureStats(settings.pipeline.stages)
        who = f"capture-{settings.replica}/{settings.life}"
        self._trace = (
            TraceRecorder(Path(settings.record), who, control.say, not settings.life) if settings.record else None
        )
        self._dispatcher = self._new_dispatcher()
        self._wait_told_s = time.monotonic() + WAIT_TOLD_S
        self._said_hello_s = self._said_progress_s = float("-inf")
        self._said_complete = self._began = self._said_opened = False
        # Pictures of a live source that came before the stages were there, and that its opening took, so far as told.
        self._discarded = self._discarded_opening = 0
        self._results_end_s: float | None = None  # the time of the last frame in them, until a picture follows it

    def run(self) -> None:
        # A camera's times count on from its first opening, also when this process is not the one that did it.
        self._later_s = time.monotonic() - self._settings.opened_s if self._settings.opened_s else 0.0
        if self._source.frames != 0:
            self._say_opened()
        self._control.ready()
        # Opening the codec takes a tenth of a second: the first picture waits for the others.
        self._reader.read_from(0)
        while not self._is_over():
            self._transport.wait(TICK_S)
            self._reader.clear_wakes()
            self._listen()
            self._read()
            self._step(events.Tick())
            self._speak()
        if self._trace is not None:
            self._trace.close()
        self._control.report(self._report())

    def _say_opened(self) -> None:
        """What is read, for the person: where no frame is expected, only when there is one."""
        self._said_opened = True
        self._control.opened(
            source=self._source.name,
            description=self._source.description,
            chosen=self._source.chosen,
            frames=self._source.frames,
            live=self._source.live,
        )

    def _is_over(self) -> bool:
        if self._control.leave_requested and not self._dispatcher.in_flight:
            return True
        if self._finished:
            return not self._leaving or time.monotonic() >= self._leave_by_s
        if self._settings.run or not self._control.stop_requested:
            return False
        # Stopped by hand, where nobody sees to it that it ends: others may be missing that it would wait for.
        self._end_by_s = self._end_by_s or time.monotonic() + FINISHING_S
        return not self._dispatcher.started or time.monotonic() >= self._end_by_s

    # --- Hearing ---

    def _listen(self) -> None:
        for message in self._render.receive():
            match message:
                case WorkerRefused(reason=reason):
                    raise SourceTaken(reason)
                case Welcome():
                    self._run = self._run or message.run
                    self._said_hello_s = float("-inf")
                case Ack() if (message.run, message.epoch, message.source) == (
                    self._run,
                    self._epoch,
                    self._source.name,
                ):
                    self._stats.worked(message.worked)
                    if not self._dispatcher.acknowledged:
                        self._results_end_s = message.time
                    self._render.reads_ring(message.reads_ring)
                    acked_up_to = self._dispatcher.acked_up_to
                    self._step(message)
                    if self._dispatcher.acked_up_to > acked_up_to:
                        self._control.finished()
        for gone in self._control.gone():
            worker = (gone.host, gone.replica)
            self._step(events.WorkerExited(gone.stage, worker, gone.incarnation, gone.cause))
        for connection, message in self._workers.receive():
            if self._run:  # Before it has a name nobody can be welcomed; workers send heartbeats again.
                self._hear(connection, message)
        for header, reason in self._workers.malformed():
            if header.get("kind") == FaceCrops.kind and (assignment := self._grants.assignment(header.get("grant"))):
                self._step(events.AnswerRefused(assignment.frame, assignment.stage, assignment.worker, f"is {reason}"))

    def _hear(self, connection: str, message: Message) -> None:
        match message:
            case Heartbeat():
                if self._finished and not message.credit:
                    self._leaving.discard(connection)
                if message.run != self._run:
                    # It says only that somebody is there, and the dispatcher greets whom it does not know.
                    message = structs.replace(message, credit=0, finished=0)
                self._step(events.FromWorker(connection, message))
            case _ if message.run != self._run or getattr(message, "epoch", None) != self._epoch:
                pass
            case WorkerHello():
                self._workers.reads_ring(connection, message.reads_ring)
                self._step(events.FromWorker(connection, message))
            case _ if getattr(message, "source", None) != self._source.name:
                pass
            case Isolated() | Failed():
                self._step(events.FromWorker(connection, message))
            case FaceCrops():
                self._hear_crops(connection, message)

    def _hear_crops(self, connection: str, message: FaceCrops) -> None:
        if (assignment := self._grants.assignment(message.grant)) is None:
            self._workers.refused[NOT_GRANTED] += 1
        elif flaw := self._in_flight.flaw(message, assignment):
            self._step(events.AnswerRefused(assignment.frame, assignment.stage, assignment.worker, flaw))
        else:
            self._step(events.FromWorker(connection, message))

    # --- Reading ---

    def _read(self) -> None:
        if self._control.leave_requested:
            if not self._reader.ended:
                self._reader.stop()
            return  # What was read is finished. Of the end of the source nothing is said: the next capture goes on.
        if self._control.stop_requested and not self._reader.ended:
            self._has_stopped = True
            self._reader.stop()
            self._step(events.StopReading())
        if self._dispatcher.ended:
            return
        if not self._dispatcher.started:
            if self._source.live:
                # What a camera saw before everybody was there would be old, and in the way of what it sees now.
                self._discarded += self._reader.discard()
            return
        if self._source.live:
            self._account_for_discarded()
        if not self._reader.is_reading or self._must_go_back:
            self._must_go_back = False
            refuse_another_file(self._settings)
            self._reader.read_from(self._dispatcher.read)
        self._reader.forget(self._dispatcher.acked_up_to)
        while self._dispatcher.may_read(self._reader.next_size) or self._source.live:
            if (picture := self._reader.take()) is None:
                break
            if self._source.live:
                picture = self._at_its_time(picture)
            about = asked(self._dispatcher.read, picture.rate, self._every)
            self._in_flight.add(self._dispatcher.read, picture, about)
            self._stats.read(self._dispatcher.read)
            self._step(events.Read(picture.pixels.nbytes, about))
        if self._reader.ended:
            if not self._source.live:
                refuse_another_file(self._settings)
            self._step(events.ReadAll())

    def _account_for_discarded(self) -> None:
        if self._discarded:
            self._step(events.Discarded(self._discarded, "stages not ready"))
            self._discarded = 0
        if opened := self._source.discarded - self._discarded_opening:
            self._step(events.Discarded(opened, "opening"))
            self._discarded_opening += opened

    def _at_its_time(self, picture: Picture) -> Picture:
        """A live picture with a time that goes on from those in the results, whoever has read these, and when."""
        behind_s = picture.time + self._later_s
        if self._results_end_s is not None and behind_s <= self._results_end_s:
            self._later_s += self._results_end_s + 1 / (picture.rate or USUAL_RATE) - behind_s
        self._results_end_s = None
        return replace(picture, time=picture.time + self._later_s)

    # --- Doing what the dispatcher decides ---

    def _step(self, event: events.Event) -> None:
        now_s = time.monotonic()
        actions = self._dispatcher.step(event, now_s)
        if self._trace is not None:
            self._trace.record_step("", event, actions, now_s)
        for action in actions:
            self._do(action)
        while self._gone:  # Only now: the actions of one step belong together.
            self._step(events.WorkerDisconnected(self._gone.pop()))

    def _do(self, action: events.Action) -> None:
        match action:
            case events.SendWelcome(connection, session_id):
                what = {"session_id": session_id, "credit": self._rules.credit, "ring": self._ring.address}
                self._to_worker(connection, Welcome(**what, **self._id))
            case events.SendFrame(connection, frame, seq, attempt, skip):
                beyond = self._workers.is_beyond(connection)
                assignee = self._assignee(connection)
                task = self._in_flight.for_detect(
                    frame, seq, attempt, skip, beyond=beyond, assignee=assignee, about=self._id
                )
                self._hand_out(connection, "detect", task)
            case events.SendCrops(connection, stage, frame, seq):
                assignee = self._assignee(connection)
                self._hand_out(
                    connection,
                    stage,
                    self._in_flight.for_attribute(stage, frame, seq, assignee=assignee, about=self._id),
                )
            case events.KeepCrops(crops):
                self._in_flight.crops[crops.frame] = crops
                self._stats.cropped(crops.frame, crops.faces)
            case events.SendPicture(frame):
                self._render.send(self._in_flight.for_render(frame, about=self._id))
            case events.AskInstead(frame, stages):
                self._in_flight.ask(frame, stages)
            case events.SendPreview(frame):
                self._render.send(self._in_flight.preview(frame, about=self._id))
            case End():
                self._render.send(structs.replace(action, is_stopped=self._has_stopped))
            case Drop() | GivenUp():
                self._render.send(action)
            case events.SendIsolate(connection):
                self._to_worker(connection, Isolate(**self._id))
            case events.StartEpoch():
                self._start_anew()
            case events.Refuse(connection, reason):
                self._workers.send(connection, WorkerRefused(run=self._run, reason=reason))
                if not reason.startswith(DISTRUSTED):  # That has a sentence of its own.
                    self._say_once(f"A worker was refused: {reason}.")
            case events.Evict(_, stage, (host, replica), _, reason):
                self._say_once(f"{stage} {replica} on {printable(host)} is given no more work: {reason}.")
            case events.Forget(frame, latency_s):
                self._in_flight.forget(frame)
                self._stats.forgotten(frame, latency_s)
            case events.Finished():
                self._finish()

    def _say_once(self, sentence: str) -> None:
        """Whoever comes again and again must not fill the log."""
        if sentence not in self._told and len(self._told) < limits.SENTENCES:
            self._told.add(sentence)
            self._control.say(sentence)

    def _assignee(self, connection: str) -> Assignee:
        return Assignee(self._dispatcher.number_of(connection), self._grants)

    def _start_anew(self) -> None:
        """Render has died: whatever it had and has not written is void, and so is what the workers hold."""
        self._epoch += 1
        self._in_flight.clear()
        self._stats.start_anew()
        first = self._dispatcher.read if self._source.live else 0
        self._dispatcher = self._new_dispatcher(first, self._dispatcher.evicted, self._dispatcher.answering)
        self._said_hello_s = float("-inf")
        self._wait_told_s = time.monotonic() + WAIT_TOLD_S
        self._must_go_back = not self._source.live

    def _new_dispatcher(
        self,
        first_frame: int = 0,
        evicted: tuple[events.WorkerProcess, ...] = (),
        answering: tuple[tuple[str, str], ...] = (),
    ) -> Dispatcher:
        self._grants = Grants(self._key, self._epoch)
        if self._trace is not None:
            self._trace.record_start(CAPTURE, "", self._rules, first_frame, evicted, answering)
        return Dispatcher(self._rules, first_frame, evicted, answering)

    def _hand_out(self, connection: str, stage: str, task: Frame | Crops) -> None:
        self._stats.handed_out(stage, task.frame)
        if self._trace is not None:
            self._trace.record_message(stage, task)
        self._to_worker(connection, task)

    def _to_worker(self, connection: str, message: Message) -> None:
        if not self._workers.send(connection, message):
            self._gone.append(connection)

    def _finish(self) -> None:
        # What a socket sends just before it closes is thrown away at the other end: stay until they have heard it.
        self._leaving, self._leave_by_s = set(self._dispatcher.connections), time.monotonic() + LEAVE_S
        for connection in self._leaving:
            self._workers.send(connection, Finish(**self._id))
        self._render.send(Finish(**self._id))
        self._finished = True

    # --- Speaking ---

    def _report(self) -> CaptureReport:
        return self._stats.report(self._source, self._dispatcher, self._workers.refused)

    def _has_begun(self) -> bool:
        """Whether there is anything to read: for a part without a frame nothing of an earlier run is given up."""
        self._began = self._began or self._source.live or self._reader.has_first()
        return self._began

    @property
    def _id(self) -> dict:
        return {"run": self._run, "epoch": self._epoch, "source": self._source.name}

    def _speak(self) -> None:
        now_s = time.monotonic()
        # Where the decoder hangs, on its thread, this loop is well; a launcher that is told nothing takes it for hung.
        decodes = not self._reader.has_stood_still(self._patience_s)
        if decodes:
            self._control.heartbeat()
        if not self._said_opened and self._has_begun():
            self._say_opened()
        # Later on it is what a render that is started again, or a connection that was made anew, knows this capture by,
        # and what shows that it is there.
        every_s = HELLO_AGAIN_S if self._dispatcher.acknowledged else HELLO_S
        is_complete = self._dispatcher.is_complete and self._has_begun()
        if now_s - self._said_hello_s >= every_s or is_complete != self._said_complete:
            self._said_hello_s, self._said_complete = now_s, is_complete
            what = {"live": self._source.live, "is_complete": self._said_complete, "latency": self._stats.lately()}
            what |= {"key": self._key, "ring": self._ring.address}
            self._render.send(SourceHello(**what, **self._id))
        if not self._dispatcher.started and now_s >= self._wait_told_s:
            self._wait_told_s = float("inf")
            # Render has said which run this is, or it is not there; it is asked for more when all others are.
            awaited = [*([] if self._run else ["render"]), *self._dispatcher.awaited] or ["render"]
            of_whom = "it" if len(awaited) == 1 else "them"
            self._control.say(f"still waiting for {', '.join(awaited)}: no process of {of_whom} has answered yet")
        if decodes and now_s - self._said_progress_s >= PROGRESS_S:
            self._said_progress_s = now_s
            self._control.progress(self._report())


if __name__ == "__main__":
    run_stage(main)
