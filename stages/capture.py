"""Reads the source and hands out all work: frames to detect, crops to the attribute stages, pictures to render."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path

from stages.capturing.account import Account
from stages.capturing.held import Given, Held
from stages.capturing.opening import opened, refuse_another_file
from stages.capturing.reader import Reader
from stages.capturing.rules import acked, rules
from stages.core import flow, limits
from stages.core.cadence import asked
from stages.core.errors import FacepipeError
from stages.core.flow import Flow
from stages.core.frames import Picture
from stages.core.grants import Grants
from stages.core.history import CAPTURE
from stages.core.messages import (
    FROM_RENDER,
    TO_CAPTURE,
    Ack,
    Beat,
    Crops,
    CutCrops,
    Drop,
    End,
    Failed,
    Finish,
    Frame,
    GivenUp,
    Message,
    Reserve,
    Reserved,
    SourceHello,
    Welcome,
    WorkerHello,
    WorkerRefused,
    kinds,
)
from stages.core.names import printable
from stages.core.supervision import FINISHING_S
from stages.runtime.chaos import disorder_of, links_with, meet
from stages.runtime.curve import security_of
from stages.runtime.link import Links
from stages.runtime.process import Launcher, Settings, run_stage
from stages.runtime.tape import Tape
from stages.sources import Source

TICK_S = 0.05  # how exactly deadlines are kept
HELLO_S = 0.05  # until render has answered
HELLO_AGAIN_S = 0.2
WAIT_TOLD_S = 5.0  # a person who starts stages by hand should not have to guess which one is missing
LEAVE_S = 0.5  # for the workers to hear that there is nothing more
PROGRESS_S = 0.5
NOT_GRANTED = "an answer to what its sender was not given"
USUAL_RATE = 25.0  # frames a second, of a live source that does not tell


def main(settings: Settings, launcher: Launcher) -> None:
    disorder = disorder_of(settings)
    source = opened(settings, launcher)
    if source is None:
        return
    source.reconnect_s, source.tell = settings.pipeline.reconnect_s, launcher.say
    links = links_with(disorder, security_of(settings), launcher.say)

    def met(frame: int) -> None:
        if settings.life:  # One that has died before names the frame that it may die at again.
            launcher.at(f"frame {frame} of {source.name}")
        meet(disorder, frame)

    try:
        reader = Reader(source, links.waker(), settings.source.paced, met)
        try:
            _Capture(settings, launcher, source, reader, links).run()
        finally:
            reader.close()
    finally:
        links.close()


class SourceTaken(FacepipeError):
    """Another capture reads a source of this name, for the same render."""


class _Capture:
    def __init__(self, settings: Settings, launcher: Launcher, source: Source, reader: Reader, links: Links):
        self._settings, self._launcher, self._links = settings, launcher, links
        self._source, self._reader = source, reader
        self._workers = links.bind(settings.binds, kinds(*TO_CAPTURE))
        self._render = links.connect(settings.render, kinds(*FROM_RENDER))
        self._rules = rules(settings, source.live)
        self._epoch = settings.incarnation or int(time.time() * 1000)
        self._run = ""  # named by render
        self._key = secrets.token_hex(16)
        self._held, self._every = Held(settings), settings.pipeline.every()
        self._told: set[str] = set()  # sentences about workers that are not taken
        self._gone: list[str] = []  # connections that a message could not be sent to
        self._finished = False
        self._patience_s = settings.pipeline.hang  # with the decoder; then this process falls silent
        self._must_go_back = not source.live  # to where render says that the outputs end
        self._leaving: set[str] = set()  # workers that have not answered `finish` yet
        self._leave_by_s = 0.0
        self._end_by_s: float | None = None  # whatever others do; only where no launcher sees to it
        self._account = Account(settings.pipeline.stages)
        who = f"capture-{settings.replica}/{settings.life}"
        self._tape = Tape(Path(settings.record), who, launcher.say, not settings.life) if settings.record else None
        self._flow = self._new_flow()
        self._wait_told_s = time.monotonic() + WAIT_TOLD_S
        self._said_hello_s = self._said_progress_s = float("-inf")
        self._said_complete = self._began = self._said_opened = False
        # Pictures of a live source that came before the stages were there, and that its opening took, so far as told.
        self._let_go = self._let_go_opening = 0
        self._results_end_s: float | None = None  # the time of the last frame in them, until a picture follows it

    def run(self) -> None:
        # A camera's times count on from its first opening, also when this process is not the one that did it.
        self._later_s = time.monotonic() - self._settings.opened_s if self._settings.opened_s else 0.0
        if self._source.frames != 0:
            self._say_opened()
        self._launcher.ready()
        # Opening the codec takes a tenth of a second: the first picture waits for the others.
        self._reader.read_from(0)
        while not self._is_over():
            self._links.wait(TICK_S)
            self._reader.clear_wakes()
            self._listen()
            self._read()
            self._step(flow.Tick())
            self._speak()
        if self._tape is not None:
            self._tape.close()
        report = self._account.report(self._source, self._flow.read)
        self._launcher.report({**report, "refused": dict(self._workers.refused)})

    def _say_opened(self) -> None:
        """What is read, for the person: where no frame is expected, only when there is one."""
        self._said_opened = True
        self._launcher.opened(
            source=self._source.name,
            description=self._source.description,
            chosen=self._source.chosen,
            frames=self._source.frames,
            live=self._source.live,
        )

    def _is_over(self) -> bool:
        if self._finished:
            return not self._leaving or time.monotonic() >= self._leave_by_s
        if self._settings.run or not self._launcher.stop_requested:
            return False
        # Stopped by hand, where nobody sees to it that it ends: others may be missing that it would wait for.
        self._end_by_s = self._end_by_s or time.monotonic() + FINISHING_S
        return not self._flow.started or time.monotonic() >= self._end_by_s

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
                    self._account.worked(message.worked)
                    if not self._flow.acknowledged:
                        self._results_end_s = message.time
                    done = self._flow.done
                    self._step(acked(message))
                    if self._flow.done > done:
                        self._launcher.finished()
        for gone in self._launcher.gone():
            worker = (gone["host"], gone["replica"])
            self._step(flow.WorkerEnded(gone["stage"], worker, gone["incarnation"], gone["cause"]))
        for connection, message in self._workers.receive():
            if self._run:  # Before it has a name nobody can be welcomed; workers beat again.
                self._hear(connection, message)
        for header, reason in self._workers.malformed():
            if header.get("kind") == CutCrops.kind and (task := self._grants.task(header.get("grant"))):
                self._step(flow.AnswerRefused(task.frame, task.stage, task.worker, f"is {reason}"))

    def _hear(self, connection: str, message: Message) -> None:
        match message:
            case Beat(run=run, room=room, finished=finished):
                if self._finished and not room:
                    self._leaving.discard(connection)
                # A beat for another run says only that somebody is there, and the flow greets whom it does not know.
                self._step(flow.WorkerBeat(connection, *((room, finished) if run == self._run else (0, 0))))
            case _ if message.run != self._run:
                pass
            case WorkerHello(stage=stage, host=host, replica=replica) if message.epoch == self._epoch:
                worker = (host, replica)
                said = (message.incarnation, message.card, message.account, tuple(map(tuple, message.ended)))
                self._step(flow.WorkerCame(connection, stage, worker, *said))
            case _ if (getattr(message, "epoch", None), getattr(message, "source", None)) != (
                self._epoch,
                self._source.name,
            ):
                pass
            case Reserved():
                self._step(flow.WorkerReserved(connection))
            case Failed(frame=frame, reason=reason):
                self._step(flow.WorkerFailed(connection, frame, reason))
            case CutCrops():
                self._hear_crops(connection, message)

    def _hear_crops(self, connection: str, message: CutCrops) -> None:
        if (task := self._grants.task(message.grant)) is None:
            self._workers.refused[NOT_GRANTED] += 1
        elif flaw := self._held.flaw(message, task):
            self._step(flow.AnswerRefused(task.frame, task.stage, task.worker, flaw))
        else:
            size = sum(array.nbytes for array in message.arrays)
            came = flow.CropsCame(connection, message.frame, message.attempt, message.boxes, message.faces, size)
            self._step(came, message)

    # --- Reading ---

    def _read(self) -> None:
        if self._launcher.stop_requested and not self._reader.ended:
            self._reader.stop()
            self._step(flow.Stop())
        if self._flow.ended:
            return
        if not self._flow.started:
            if self._source.live:
                # What a camera saw before everybody was there would be old, and in the way of what it sees now.
                self._let_go += self._reader.let_go()
            return
        if self._source.live:
            self._account_for_what_was_let_go()
        if not self._reader.is_reading or self._must_go_back:
            self._must_go_back = False
            refuse_another_file(self._settings)
            self._reader.read_from(self._flow.read)
        self._reader.forget(self._flow.done)
        while self._flow.may_read(self._reader.next_size) or self._source.live:
            if (picture := self._reader.take()) is None:
                break
            if self._source.live:
                picture = self._at_its_time(picture)
            about = asked(self._flow.read, picture.rate, self._every)
            self._held.add(self._flow.read, picture, about)
            self._account.read(self._flow.read)
            self._step(flow.Read(picture.pixels.nbytes, about))
        if self._reader.ended:
            if not self._source.live:
                refuse_another_file(self._settings)
            self._step(flow.ReadAll())

    def _account_for_what_was_let_go(self) -> None:
        if self._let_go:
            self._step(flow.LetGo(self._let_go, "stages not ready"))
            self._let_go = 0
        if opened := self._source.let_go - self._let_go_opening:
            self._step(flow.LetGo(opened, "opening"))
            self._let_go_opening += opened

    def _at_its_time(self, picture: Picture) -> Picture:
        """A live picture with a time that goes on from those in the results, whoever has read these, and when."""
        behind_s = picture.time + self._later_s
        if self._results_end_s is not None and behind_s <= self._results_end_s:
            self._later_s += self._results_end_s + 1 / (picture.rate or USUAL_RATE) - behind_s
        self._results_end_s = None
        return replace(picture, time=picture.time + self._later_s)

    # --- Doing what the flow decides ---

    def _step(self, event: flow.Event, crops: CutCrops | None = None) -> None:
        now_s = time.monotonic()
        actions = self._flow.step(event, now_s)
        if self._tape is not None:
            self._tape.heard("", event, actions, now_s)
        for action in actions:
            self._do(action, crops)
        while self._gone:  # Only now: the actions of one step belong together.
            self._step(flow.WorkerGone(self._gone.pop()))

    def _do(self, action: flow.Action, crops: CutCrops | None) -> None:
        match action:
            case flow.SendWelcome(connection, account):
                self._to_worker(connection, Welcome(account=account, room=self._rules.room, **self._id))
            case flow.SendFrame(connection, frame, seq, attempt, skip):
                beyond = self._workers.is_beyond(connection)
                given = self._given(connection)
                piece = self._held.for_detect(frame, seq, attempt, skip, beyond=beyond, given=given, about=self._id)
                self._hand_out(connection, "detect", piece)
            case flow.SendCrops(connection, stage, frame, seq):
                given = self._given(connection)
                self._hand_out(
                    connection, stage, self._held.for_attribute(stage, frame, seq, given=given, about=self._id)
                )
            case flow.KeepCrops(frame):
                self._held.crops[frame] = crops
                self._account.cut(frame, crops.faces)
            case flow.SendPicture(frame):
                self._render.send(self._held.for_render(frame, about=self._id))
            case flow.AskInstead(frame, stages):
                self._held.ask(frame, stages)
            case flow.SendPreview(frame):
                self._render.send(self._held.preview(frame, about=self._id))
            case flow.SayDrop(first, last, stage, reason):
                self._render.send(Drop(first=first, last=last, stage=stage, reason=reason, **self._id))
            case flow.SayGivenUp(frame, stage, reason):
                self._render.send(GivenUp(frame=frame, stage=stage, reason=reason, **self._id))
            case flow.SayEnd(frames):
                self._render.send(End(frames=frames, **self._id))
            case flow.SendReserve(connection):
                self._to_worker(connection, Reserve(**self._id))
            case flow.StartAnew():
                self._start_anew()
            case flow.Refuse(connection, reason):
                self._workers.send(connection, WorkerRefused(run=self._run, reason=reason))
                if not reason.startswith(flow.DISTRUSTED):  # That has a sentence of its own.
                    self._say_once(f"A worker was refused: {reason}.")
            case flow.Quarantine(_, stage, (host, replica), _, reason):
                self._say_once(f"{stage} {replica} on {printable(host)} is given no more work: {reason}.")
            case flow.Forget(frame, latency_s):
                self._held.forget(frame)
                self._account.forgotten(frame, latency_s)
            case flow.Finished():
                self._finish()

    def _say_once(self, sentence: str) -> None:
        """Whoever comes again and again must not fill the log."""
        if sentence not in self._told and len(self._told) < limits.SENTENCES:
            self._told.add(sentence)
            self._launcher.say(sentence)

    def _given(self, connection: str) -> Given:
        return Given(self._flow.number_of(connection), self._grants)

    def _start_anew(self) -> None:
        """Render has died: whatever it had and has not written is void, and so is what the workers hold."""
        self._epoch += 1
        self._held.clear()
        self._account.start_anew()
        first = self._flow.read if self._source.live else 0
        self._flow = self._new_flow(first, self._flow.quarantined, self._flow.answering)
        self._said_hello_s = float("-inf")
        self._must_go_back = not self._source.live

    def _new_flow(
        self,
        first_frame: int = 0,
        quarantined: tuple[flow.Life, ...] = (),
        answering: tuple[tuple[str, str], ...] = (),
    ) -> Flow:
        self._grants = Grants(self._key, self._epoch)
        if self._tape is not None:
            self._tape.began(CAPTURE, "", self._rules, first_frame, quarantined, answering)
        return Flow(self._rules, first_frame, quarantined, answering)

    def _hand_out(self, connection: str, stage: str, piece: Frame | Crops) -> None:
        self._account.handed_out(stage, piece.frame)
        if self._tape is not None:
            self._tape.keep(stage, piece)
        self._to_worker(connection, piece)

    def _to_worker(self, connection: str, message: Message) -> None:
        if not self._workers.send(connection, message):
            self._gone.append(connection)

    def _finish(self) -> None:
        # What a socket sends just before it closes is thrown away at the other end: stay until they have heard it.
        self._leaving, self._leave_by_s = set(self._flow.connections), time.monotonic() + LEAVE_S
        for connection in self._leaving:
            self._workers.send(connection, Finish(**self._id))
        self._render.send(Finish(**self._id))
        self._finished = True

    # --- Speaking ---

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
            self._launcher.beat()
        if not self._said_opened and self._has_begun():
            self._say_opened()
        # Later on it is what a render that is started again, or a connection that was made anew, knows this capture by,
        # and what shows that it is there.
        every_s = HELLO_AGAIN_S if self._flow.acknowledged else HELLO_S
        is_complete = self._flow.is_complete and self._has_begun()
        if now_s - self._said_hello_s >= every_s or is_complete != self._said_complete:
            self._said_hello_s, self._said_complete = now_s, is_complete
            what = {"live": self._source.live, "is_complete": self._said_complete, "latency": self._account.lately()}
            what["key"] = self._key
            self._render.send(SourceHello(**what, **self._id))
        if not self._flow.started and now_s >= self._wait_told_s:
            self._wait_told_s = float("inf")
            # Render has said which run this is, or it is not there; it is asked for more when all others are.
            awaited = [*([] if self._run else ["render"]), *self._flow.awaited] or ["render"]
            of_whom = "it" if len(awaited) == 1 else "them"
            self._launcher.say(f"still waiting for {', '.join(awaited)}: no process of {of_whom} has answered yet")
        if decodes and now_s - self._said_progress_s >= PROGRESS_S:
            self._said_progress_s = now_s
            self._launcher.progress(self._account.progress(self._source, self._flow))


if __name__ == "__main__":
    run_stage(main)
