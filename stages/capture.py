"""Reads the source and hands out all work: frames to detect, crops to the attribute stages, pictures to render."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np

from stages.core import flow
from stages.core.errors import FacepipeError
from stages.core.flow import Flow
from stages.core.frames import CropGeometry, Picture
from stages.core.histogram import Histogram
from stages.core.history import CAPTURE
from stages.core.messages import (
    FROM_RENDER,
    TO_CAPTURE,
    Ack,
    Beat,
    Crops,
    CutCrops,
    Drop,
    Encoded,
    End,
    Failed,
    Finish,
    Frame,
    FramePicture,
    GivenUp,
    Message,
    Preview,
    Reserve,
    Reserved,
    SourceHello,
    Welcome,
    WorkerHello,
    WorkerRefused,
    kinds,
)
from stages.core.placement import Placement
from stages.core.quantiles import Quantiles
from stages.detectors import settings_hash
from stages.runtime.chaos import disorder_of, links_with, meet
from stages.runtime.curve import security_of
from stages.runtime.link import Links, Waker
from stages.runtime.pictures import encoded
from stages.runtime.process import Launcher, Settings, run_stage
from stages.runtime.settings import stamp
from stages.runtime.tape import Tape
from stages.sources import Part, Source, SourceError, open_source

TICK_S = 0.05  # how exactly deadlines are kept
HELLO_S = 0.05  # until render has answered
HELLO_AGAIN_S = 0.2
OPEN_AGAIN_S = 0.5
CLOSE_S = 1.0
KEPT = 2  # pictures of frames that are done: of a render that dies the video lacks one or two that have a line
WAIT_TOLD_S = 5.0  # a person who starts stages by hand should not have to guess which one is missing
LEAVE_S = 0.5  # for the workers to hear that there is nothing more
PROGRESS_S = 0.5


def main(settings: Settings, launcher: Launcher) -> None:
    disorder = disorder_of(settings)
    source = opened(settings, launcher)
    source.reconnect_s, source.tell = settings.pipeline.reconnect, launcher.say
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


def opened(settings: Settings, launcher: Launcher) -> Source:
    """Open the source; in a later life the same as in the first, and a live one as soon as it is there again."""
    spec, name, was = settings.source.spec, settings.source.name, settings.opened_as
    if was and spec == "auto" and name is None:
        spec = int(was.removeprefix("camera")) if was.startswith("camera") else was
    is_live = isinstance(spec, int) or "://" in spec or spec.startswith("/dev/")
    until_s = time.monotonic() + (settings.pipeline.reconnect if was and is_live else 0.0)
    played = settings.pipeline.capture
    while True:
        try:
            return open_source(spec, name, Part(*played.part), played.loop)
        except SourceError:
            if time.monotonic() >= until_s:
                raise
            launcher.beat()
            time.sleep(OPEN_AGAIN_S)


class SourceTaken(FacepipeError):
    """Another capture reads a source of this name, for the same render."""


class SourceChanged(FacepipeError):
    """The source is another one than that which the run was begun with."""


class Reader:
    """Decodes on a thread of its own, one picture ahead of what the window takes; can go back to an earlier frame."""

    def __init__(self, source: Source, waker: Waker, paced: bool, met: Callable[[int], None] = lambda frame: None):
        """`met` is called, on that thread, with the frame that is read next."""
        self.ended = False  # after the last picture was taken
        source.passed = self._goes_on
        self._source, self._waker, self._paced, self._met = source, waker, paced, met
        self._reading: _Reading | None = None
        self._next = 0  # the frame that the next picture is
        self._given: dict[int, Picture] = {}  # the last ones: what is in flight, and KEPT more
        self._exhausted_at: int | None = None  # how many frames there are, once that is known
        self._stopped = False

    @property
    def is_reading(self) -> bool:
        return self._reading is not None

    def has_stood_still(self, for_s: float) -> bool:
        """Whether the decoder has been at one picture for longer.

        A live source may be silent for as long as it likes: it finds out itself whether it is lost.
        """
        since_s = self._reading.decoding_since_s if self._reading is not None and not self._source.live else None
        return since_s is not None and time.monotonic() - since_s > for_s

    def read_from(self, frame: int) -> None:
        """Give `frame` next: what was given lately is given again, anything else is decoded anew."""
        if self._stopped:
            return
        wanted = range(frame, self._next)
        if self._reading is None or frame > self._next or not all(number in self._given for number in wanted):
            self._end_reading()
            self._given.clear()
            self._exhausted_at = None
            self._reading = _Reading(self._source, self._waker, self._paced, frame, self._met)
        self._next = frame
        self.ended = self._next == self._exhausted_at

    def stop(self) -> None:
        """Read no more."""
        self._stopped = self.ended = True
        if self._reading is not None:
            self._reading.stop()

    def close(self) -> None:
        """Let go of the source, unless a camera's driver or a broken stream still holds the thread that reads it."""
        self.stop()
        if self._end_reading():
            self._source.close()

    def clear_wakes(self) -> None:
        """The owner of the loop is awake: only what is read from now on wakes it again."""
        self._waker.clear()

    def take(self) -> Picture | None:
        """The next picture if it is there; raises what the source raised."""
        if self.ended or self._reading is None:
            return None
        picture = self._given.get(self._next)
        if picture is None:
            picture = self._reading.take()
            if self._reading.ended:
                self.ended, self._exhausted_at = True, self._next
            if picture is None:
                return None
            if not self._source.live:
                self._given[self._next] = picture
        self._next += 1
        self.ended = self._next == self._exhausted_at
        return picture

    @property
    def next_size(self) -> int:
        """Bytes of the picture that `take` would give; 0 where there is none."""
        if (picture := self._given.get(self._next)) is not None:
            return picture.pixels.nbytes
        return self._reading.next_size if self._reading is not None else 0

    def let_go(self) -> None:
        """Throw away what has come; raises what the source raised."""
        while self.take() is not None:
            pass

    def forget(self, done: int) -> None:
        """Frames below `done` are written; the last of them can still be cut off again when render dies."""
        for number in [n for n in self._given if n < done - KEPT]:
            del self._given[number]

    def _goes_on(self) -> None:
        if self._reading is not None:
            self._reading.decoding_since_s = time.monotonic()

    def _end_reading(self) -> bool:
        """Whether the thread that reads has ended."""
        reading, self._reading = self._reading, None
        return reading is None or reading.close()


class _Reading:
    """One reading of the source, from a certain frame on."""

    def __init__(self, source: Source, waker: Waker, paced: bool, start: int, met: Callable[[int], None]):
        self.ended, self._met = False, met
        self.decoding_since_s: float | None = None  # since when the thread is at one picture; None: it waits for room
        self._source, self._waker, self._paced, self._start = source, waker, paced, start
        self._came: deque[Picture | Exception | None] = deque()
        self._room = threading.Semaphore(1)  # for one picture
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self.ended = True

    def close(self) -> bool:
        self.stop()
        self._thread.join(CLOSE_S)
        return not self._thread.is_alive()

    def take(self) -> Picture | None:
        if self.ended or not self._came:
            return None
        came = self._came.popleft()
        self._room.release()
        self.ended = came is None or isinstance(came, Exception)
        if isinstance(came, Exception):
            raise came
        return came

    @property
    def next_size(self) -> int:
        # A snapshot: what the other thread adds meanwhile has woken us again.
        came = self._came[0] if self._came else None
        return came.pixels.nbytes if isinstance(came, Picture) else 0

    def _read(self) -> None:
        last: Exception | None = None
        try:
            for picture in self._at_its_pace(self._decoded()):
                if not self._put(picture):
                    return
        except Exception as error:  # Raised again by `take`, in the thread that owns the loop.
            last = error
        self._put(last)

    def _decoded(self) -> Iterator[Picture]:
        pictures = self._source.pictures(self._start)
        for number in count(self._start):
            self.decoding_since_s = time.monotonic()
            self._met(number)
            picture = next(pictures, None)
            self.decoding_since_s = None
            if picture is None:
                return
            yield picture

    def _at_its_pace(self, pictures: Iterator[Picture]) -> Iterator[Picture]:
        """The pictures of each video when their time has come, if that is asked for; a live source has its own pace."""
        file, started_s = None, None
        for picture in pictures:
            if self._paced and picture.rate and not self._source.live:
                if started_s is None or picture.file != file:
                    file, started_s = picture.file, time.monotonic() - picture.time
                self._stopped.wait(max(0.0, started_s + picture.time - time.monotonic()))
            yield picture

    def _put(self, came: Picture | Exception | None) -> bool:
        while not self._stopped.is_set():
            if self._room.acquire(timeout=0.1):
                self._came.append(came)
                self._waker.wake()
                return True
        return False


class _Capture:
    def __init__(self, settings: Settings, launcher: Launcher, source: Source, reader: Reader, links: Links):
        self._settings, self._launcher, self._links = settings, launcher, links
        self._source, self._reader = source, reader
        self._workers = links.bind(settings.binds, kinds(*TO_CAPTURE))
        self._render = links.connect(settings.render, kinds(*FROM_RENDER))
        self._geometries = asked_for(settings.geometries)
        self._rules = rules(settings, source.live)
        self._epoch = settings.incarnation or int(time.time() * 1000)
        self._run = ""  # named by render
        self._encoding = FrameEncoding(settings)
        self._pictures: dict[int, Picture] = {}
        self._crops: dict[int, CutCrops] = {}
        self._gone: list[str] = []  # connections that a message could not be sent to
        self._finished = False
        self._patience_s = settings.pipeline.hang  # with the decoder; then this process falls silent
        self._must_go_back = not source.live  # to where render says that the outputs end
        self._leaving: set[str] = set()  # workers that have not answered `finish` yet
        self._leave_by_s = 0.0
        self._account = Account(settings.pipeline.stages)
        who = f"capture-{settings.replica}/{settings.life}"
        self._tape = Tape(Path(settings.record), who) if settings.record else None
        self._flow = self._new_flow()
        self._wait_told_s = time.monotonic() + WAIT_TOLD_S
        self._said_hello_s = self._said_progress_s = float("-inf")
        self._said_complete = False

    def run(self) -> None:
        # A camera's times count on from its first opening, also when this process is not the one that did it.
        self._later_s = time.monotonic() - self._settings.opened_s if self._settings.opened_s else 0.0
        self._launcher.opened(
            source=self._source.name,
            description=self._source.description,
            chosen=self._source.chosen,
            frames=self._source.frames,
            live=self._source.live,
        )
        self._launcher.ready()
        if self._source.live or not self._settings.source.paced:
            # Opening the codec takes a tenth of a second: the first picture waits for the others.
            self._reader.read_from(0)
        while not self._finished or (self._leaving and time.monotonic() < self._leave_by_s):
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
            case CutCrops(frame=frame, attempt=attempt, boxes=boxes, faces=faces):
                if self._fits(message):
                    size = sum(array.nbytes for array in message.arrays)
                    self._step(flow.CropsCame(connection, frame, attempt, boxes, faces, size), message)

    def _fits(self, crops: CutCrops) -> bool:
        """Whether these are the crops that were asked for."""
        asked = [(crops.faces, g.height, g.width, g.channels) for g in self._geometries] if crops.faces else []
        return [array.shape for array in crops.arrays] == asked

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
                self._reader.let_go()
            return
        if not self._reader.is_reading or self._must_go_back:
            self._must_go_back = False
            self._refuse_another_file()
            self._reader.read_from(self._flow.read)
        self._reader.forget(self._flow.done)
        while self._flow.may_read(self._reader.next_size) or self._source.live:
            if (picture := self._reader.take()) is None:
                break
            if self._source.live and self._later_s:
                picture = replace(picture, time=picture.time + self._later_s)
            self._pictures[self._flow.read] = picture
            self._account.read(self._flow.read)
            self._step(flow.Read(picture.pixels.nbytes))
        if self._reader.ended:
            if not self._source.live:
                self._refuse_another_file()
            self._step(flow.ReadAll())

    def _refuse_another_file(self) -> None:
        """Half of the results from one file and half from another would be those of neither."""
        source = self._settings.source
        begun_with = self._settings.inputs.get(f"source {source.name or source.spec}")
        if begun_with and begun_with[1] != stamp(source.spec):
            raise SourceChanged(
                f"{source.spec} was changed while it was read: what is written so far is of the file that it was;"
                " --fresh begins anew."
            )

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
                self._to_worker(
                    connection, Welcome(source=self._source.name, account=account, run=self._run, epoch=self._epoch)
                )
            case flow.SendFrame(connection, frame, seq, attempt, skip):
                self._hand_out(connection, "detect", self._frame_message(connection, frame, seq, attempt, skip))
            case flow.SendCrops(connection, stage, frame, seq):
                self._hand_out(connection, stage, self._crops_message(stage, frame, seq))
            case flow.KeepCrops(frame):
                self._crops[frame] = crops
                self._account.cut(frame, crops.faces)
            case flow.SendPicture(frame):
                self._render.send(self._picture_message(frame))
            case flow.SendPreview(frame):
                self._render.send(Preview(frame=frame, arrays=(self._for_render(frame),), **self._id))
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
                self._launcher.say(f"A worker was refused: {reason}.")
            case flow.Forget(frame, latency_s):
                self._pictures.pop(frame, None)
                self._crops.pop(frame, None)
                self._account.forgotten(frame, latency_s)
            case flow.Finished():
                self._finish()

    def _start_anew(self) -> None:
        """Render has died: whatever it had and has not written is void, and so is what the workers hold."""
        self._epoch += 1
        self._pictures.clear()
        self._crops.clear()
        self._account.start_anew()
        self._flow = self._new_flow(self._flow.read if self._source.live else 0)
        self._said_hello_s = float("-inf")
        self._must_go_back = not self._source.live

    def _new_flow(self, first_frame: int = 0) -> Flow:
        if self._tape is not None:
            self._tape.began(CAPTURE, "", self._rules, first_frame)
        return Flow(self._rules, first_frame)

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

    @property
    def _id(self) -> dict:
        return {"run": self._run, "epoch": self._epoch, "source": self._source.name}

    def _speak(self) -> None:
        now_s = time.monotonic()
        # Where the decoder hangs, on its thread, this loop is well; a launcher that is told nothing takes it for hung.
        decodes = not self._reader.has_stood_still(self._patience_s)
        if decodes:
            self._launcher.beat()
        # Later on it is what a render that is started again, or a connection that was made anew, knows this capture by,
        # and what shows that it is there.
        every_s = HELLO_AGAIN_S if self._flow.acknowledged else HELLO_S
        if now_s - self._said_hello_s >= every_s or self._flow.is_complete != self._said_complete:
            self._said_hello_s, self._said_complete = now_s, self._flow.is_complete
            what = {"live": self._source.live, "is_complete": self._said_complete, "latency": self._account.lately()}
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

    def _for_render(self, frame: int) -> np.ndarray | Encoded:
        return self._encoding.to_render(frame, self._pictures[frame].pixels)

    def _frame_message(self, connection: str, frame: int, seq: int, attempt: int, skip: tuple[str, ...]) -> Frame:
        geometries = [[g.width, g.height, g.channels, g.scale, stages] for g, stages in self._geometries.items()]
        beyond = self._workers.is_beyond(connection)
        array = self._encoding.to_detect(frame, self._pictures[frame].pixels, beyond)
        return Frame(
            frame=frame, seq=seq, attempt=attempt, skip=list(skip), geometries=geometries, arrays=(array,), **self._id
        )

    def _crops_message(self, stage: str, frame: int, seq: int) -> Crops:
        cut = self._crops[frame]
        array = cut.arrays[[stage in stages for stages in self._geometries.values()].index(True)]
        return Crops(
            frame=frame, seq=seq, attempt=cut.attempt, boxes=cut.boxes, spent=cut.spent, arrays=(array,), **self._id
        )

    def _picture_message(self, frame: int) -> FramePicture:
        picture = self._pictures[frame]
        return FramePicture(
            frame=frame,
            file=picture.file,
            time=picture.time,
            rate=picture.rate,
            arrays=(self._for_render(frame),),
            **self._id,
        )


class FrameEncoding:
    """In which form detect and render are given the pictures: raw within a machine, as configured beyond it."""

    def __init__(self, settings: Settings):
        placed, self._frames = Placement.of(settings.pipeline), settings.pipeline.frames
        here = placed.captures[settings.replica]
        beyond = self._frames.encoding != "raw"
        self._render = beyond and placed.render != here
        # What a JPEG loses must not depend on who is given a frame: if one detect gets JPEGs, all do.
        self._every_detect = beyond and self._frames.encoding == "jpeg" and placed.detects_beyond(settings.replica)
        self._some_detects = beyond
        self._last: tuple[int, Encoded] | None = None  # Render and detect are given a picture in one go.

    def to_detect(self, frame: int, pixels: np.ndarray, beyond: bool) -> np.ndarray | Encoded:
        """`beyond`: whether this detect is on another machine."""
        return self._encoded(frame, pixels) if self._every_detect or (beyond and self._some_detects) else pixels

    def to_render(self, frame: int, pixels: np.ndarray) -> np.ndarray | Encoded:
        return self._encoded(frame, pixels) if self._render else pixels

    def _encoded(self, frame: int, pixels: np.ndarray) -> Encoded:
        if self._last is None or self._last[0] != frame:
            self._last = frame, encoded(pixels, self._frames.encoding, self._frames.quality)
        return self._last[1]


class Account:
    """What is told about the run: how many frames, how fast, how late."""

    def __init__(self, stages: Iterable[str] = ()):
        self.faces = 0
        self._latencies = Histogram()
        self._queues = {stage: Histogram() for stage in stages}
        # frame -> when its work was there, of detect and then of the attribute stages; and who has been given theirs
        self._due: dict[int, tuple[float, set[str]]] = {}
        self._latency, self._added = Quantiles(), Quantiles()
        self._lately: list[float] = []  # latencies that nobody has asked for yet
        self._worked: dict[int, float] = {}  # frame -> seconds on its longest path, until it is acknowledged
        self._first_s: float | None = None
        self._last_s = 0.0
        self._finished = 0

    def worked(self, frames: list) -> None:
        self._worked = dict(frames)

    def read(self, frame: int) -> None:
        """A frame waits for detect."""
        self._due[frame] = time.monotonic(), set()

    def cut(self, frame: int, faces: int) -> None:
        """Its faces wait for the attribute stages."""
        self.faces += faces
        self._due[frame] = time.monotonic(), {"detect"}

    def handed_out(self, stage: str, frame: int) -> None:
        """Somebody has the work; what is handed out again has waited for other reasons."""
        due_s, given = self._due.get(frame, (0.0, {stage}))
        if stage not in given:
            given.add(stage)
            self._queues[stage].add(time.monotonic() - due_s)

    def start_anew(self) -> None:
        """All that was under way is void."""
        self._due.clear()

    def forgotten(self, frame: int, latency_s: float | None) -> None:
        worked_s = self._worked.pop(frame, None)
        self._due.pop(frame, None)
        if latency_s is None:
            return
        self._finished += 1
        self._last_s = time.monotonic()
        if self._first_s is None:
            self._first_s = self._last_s - latency_s
        self._latency.add(latency_s)
        self._lately.append(latency_s)
        self._latencies.add(latency_s)
        if worked_s is not None:
            self._added.add(max(0.0, latency_s - worked_s))

    def lately(self) -> float | None:
        """The latency in the middle since this was asked last."""
        latencies, self._lately = self._lately, []
        return median(latencies) if latencies else None

    @property
    def _seconds(self) -> float:
        return self._last_s - self._first_s if self._first_s is not None else 0.0

    def progress(self, source: Source, state: Flow) -> dict:
        """Where the work is, for the live line; and the account so far, should this process be killed."""
        return {
            **self.report(source, state.read),
            "done": state.done,
            "frames": source.frames,
            "faces": self.faces,
            "fps": self._finished / self._seconds if self._seconds else 0.0,
            "waiting": state.waiting,
            "latencies": self._latencies.to_json(),
            "queues": {stage: queue.to_json() for stage, queue in self._queues.items()},
        }

    def report(self, source: Source, captured: int) -> dict:
        """The account of the whole run."""
        return {
            "source": source.name,
            "captured": captured,
            "seconds": round(self._seconds, 3),
            "latency_ms_p50": _ms(self._latency.at(0.5)),
            "latency_ms_p95": _ms(self._latency.at(0.95)),
            "added_latency_ms_p50": _ms(self._added.at(0.5)),
            "added_latency_ms_p95": _ms(self._added.at(0.95)),
            "skipped": source.skipped,
            "cut_short": int(source.cut_short),
            "notes": list(source.notes),
        }


def rules(settings: Settings, live: bool) -> flow.Rules:
    """What the configuration says about the flow of this source."""
    pipeline = settings.pipeline
    return flow.Rules(
        attributes=tuple(settings.cards),
        cards={"detect": settings_hash(**settings.detector)} | {s: card.hash for s, card in settings.cards.items()},
        window=pipeline.window,
        window_bytes=pipeline.window_memory,
        live=live,
        deadline_s=pipeline.deadline,
        give_up_after_s=pipeline.give_up_after,
        resend_after_s=pipeline.resend_after,
        tries=pipeline.tries,
        hang_s={stage: pipeline.hang_s(stage) for stage in pipeline.stages},
    )


def asked_for(geometries: dict[str, CropGeometry]) -> dict[CropGeometry, list[str]]:
    """Which crops detect is to cut, and for which stages: equal ones are cut and sent once."""
    asked: dict[CropGeometry, list[str]] = {}
    for stage, geometry in geometries.items():
        asked.setdefault(geometry, []).append(stage)
    return asked


def acked(ack: Ack) -> flow.Acked:
    """An `ack` as an event of the flow."""
    lacks = {frame: frozenset(wants) for frame, wants in ack.lacks}
    return flow.Acked(ack.incarnation, ack.number, ack.done, lacks, ack.clean, ack.preview, ack.heard)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


if __name__ == "__main__":
    run_stage(main)
