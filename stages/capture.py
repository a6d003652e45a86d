"""Reads the source and hands out all work: frames to detect, crops to the attribute stages, pictures to render."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator

import numpy as np

from stages.core import flow
from stages.core.flow import Flow
from stages.core.frames import CropGeometry, Picture
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
    Finish,
    Frame,
    FramePicture,
    GivenUp,
    Message,
    Preview,
    SourceHello,
    Welcome,
    WorkerHello,
    WorkerRefused,
    kinds,
)
from stages.core.placement import Placement
from stages.core.quantiles import Quantiles
from stages.detectors import settings_hash
from stages.runtime.curve import security_of
from stages.runtime.link import Links, Waker
from stages.runtime.pictures import encoded
from stages.runtime.process import Launcher, Settings, run_stage
from stages.sources import Source, open_source

TICK_S = 0.05  # how exactly deadlines are kept
HELLO_S = 0.05  # until render has answered
SILENT_S, HELLO_AGAIN_S = 1.0, 0.5  # render says something five times a second: here is a new connection, or none
CLOSE_S = 1.0
WAIT_TOLD_S = 5.0  # a person who starts stages by hand should not have to guess which one is missing
LEAVE_S = 0.5  # for the workers to hear that there is nothing more
PROGRESS_S = 0.5


def main(settings: Settings, launcher: Launcher) -> None:
    source = open_source(settings.source.spec, settings.source.name)
    links = Links(security_of(settings), launcher.say)
    try:
        reader = Reader(source, links.waker(), settings.source.paced)
        try:
            _Capture(settings, launcher, source, reader, links).run()
        finally:
            reader.close()
    finally:
        links.close()


class Reader:
    """Decodes on a thread of its own, one picture ahead of what the window takes."""

    def __init__(self, source: Source, waker: Waker, paced: bool):
        self.ended = False  # after the last picture was taken
        self._source, self._waker, self._paced = source, waker, paced
        self._came: deque[Picture | Exception | None] = deque()
        self._room = threading.Semaphore(1)  # for one picture
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        if not self._thread.ident:
            self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        self.ended = True

    def close(self) -> None:
        """Let go of the source, unless a camera's driver or a broken stream still holds the thread that reads it."""
        self.stop()
        if self._thread.ident:
            self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._source.close()

    def clear_wakes(self) -> None:
        """The owner of the loop is awake: only what is read from now on wakes it again."""
        self._waker.clear()

    def take(self) -> Picture | None:
        """The next picture if it is there; raises what the source raised."""
        if self.ended or not self._came:
            return None
        came = self._came.popleft()
        self._room.release()
        if isinstance(came, Exception):
            self.ended = True
            raise came
        self.ended = came is None
        return came

    @property
    def next_size(self) -> int:
        """Bytes of the picture that `take` would give; 0 where there is none."""
        # A snapshot: what the other thread adds meanwhile has woken us again.
        came = self._came[0] if self._came else None
        return came.pixels.nbytes if isinstance(came, Picture) else 0

    def let_go(self) -> None:
        """Throw away what has come; raises what the source raised."""
        while self.take() is not None:
            pass

    def _read(self) -> None:
        last: Exception | None = None
        try:
            for picture in self._at_its_pace(self._source.pictures()):
                if not self._put(picture):
                    return
        except Exception as error:  # Raised again by `take`, in the thread that owns the loop.
            last = error
        self._put(last)

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
        self._flow = Flow(rules(settings, source.live))
        self._epoch = int(time.time() * 1000)
        self._run = ""  # named by render
        self._encoding = FrameEncoding(settings)
        self._pictures: dict[int, Picture] = {}
        self._crops: dict[int, CutCrops] = {}
        self._gone: list[str] = []  # connections that a message could not be sent to
        self._finished = False
        self._leaving: set[str] = set()  # workers that have not answered `finish` yet
        self._leave_by_s = 0.0
        self._account = Account()
        self._wait_told_s = time.monotonic() + WAIT_TOLD_S
        self._said_hello_s = self._said_progress_s = self._heard_render_s = float("-inf")

    def run(self) -> None:
        self._launcher.opened(
            source=self._source.name,
            description=self._source.description,
            chosen=self._source.chosen,
            frames=self._source.frames,
            live=self._source.live,
        )
        self._launcher.ready()
        if self._source.live or not self._settings.source.paced:
            self._reader.start()  # Opening the codec takes a tenth of a second: the first picture waits for the others.
        while not self._finished or (self._leaving and time.monotonic() < self._leave_by_s):
            self._links.wait(TICK_S)
            self._reader.clear_wakes()
            self._listen()
            self._read()
            self._step(flow.Tick())
            self._speak()
        report = self._account.report(self._source, self._flow.read)
        self._launcher.report({**report, "refused": dict(self._workers.refused)})

    # --- Hearing ---

    def _listen(self) -> None:
        for message in self._render.receive():
            match message:
                case Welcome() if not self._run:
                    self._run = message.run
                case Ack() if (message.run, message.epoch, message.source) == (
                    self._run,
                    self._epoch,
                    self._source.name,
                ):
                    self._heard_render_s = time.monotonic()
                    self._account.worked(message.worked)
                    self._step(acked(message))
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
            case WorkerHello(stage=stage, host=host, replica=replica, incarnation=incarnation, card=card):
                self._step(flow.WorkerCame(connection, stage, (host, replica), incarnation, card))
            case CutCrops(frame=frame, attempt=attempt, boxes=boxes, faces=faces, epoch=epoch, source=source):
                if (epoch, source) == (self._epoch, self._source.name) and self._fits(message):
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
        self._reader.start()
        while self._flow.may_read(self._reader.next_size) or self._source.live:
            if (picture := self._reader.take()) is None:
                break
            self._pictures[self._flow.read] = picture
            self._step(flow.Read(picture.pixels.nbytes))
        if self._reader.ended:
            self._step(flow.ReadAll())

    # --- Doing what the flow decides ---

    def _step(self, event: flow.Event, crops: CutCrops | None = None) -> None:
        for action in self._flow.step(event, time.monotonic()):
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
                self._to_worker(connection, self._frame_message(connection, frame, seq, attempt, skip))
            case flow.SendCrops(connection, stage, frame, seq):
                self._to_worker(connection, self._crops_message(stage, frame, seq))
            case flow.KeepCrops(frame):
                self._crops[frame] = crops
                self._account.faces += crops.faces
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
            case flow.Refuse(connection, reason):
                self._workers.send(connection, WorkerRefused(run=self._run, reason=reason))
                self._launcher.say(f"A worker was refused: {reason}.")
            case flow.Forget(frame, latency_s):
                self._pictures.pop(frame, None)
                self._crops.pop(frame, None)
                self._account.forgotten(frame, latency_s)
            case flow.Finished():
                self._finish()

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
        self._launcher.beat()
        silent = now_s - self._heard_render_s > SILENT_S
        if silent and now_s - self._said_hello_s >= (HELLO_AGAIN_S if self._flow.acknowledged else HELLO_S):
            self._said_hello_s = now_s
            self._render.send(SourceHello(live=self._source.live, **self._id))
        if not self._flow.started and now_s >= self._wait_told_s:
            self._wait_told_s = float("inf")
            self._launcher.say(f"still waiting for {', '.join(self._flow.awaited)}: no process of it has answered yet")
        if now_s - self._said_progress_s >= PROGRESS_S:
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

    def __init__(self):
        self.faces = 0
        self._latency, self._added = Quantiles(), Quantiles()
        self._worked: dict[int, float] = {}  # frame -> seconds on its longest path, until it is acknowledged
        self._first_s: float | None = None
        self._last_s = 0.0
        self._finished = 0

    def worked(self, frames: list) -> None:
        self._worked = dict(frames)

    def forgotten(self, frame: int, latency_s: float | None) -> None:
        worked_s = self._worked.pop(frame, None)
        if latency_s is None:
            return
        self._finished += 1
        self._last_s = time.monotonic()
        if self._first_s is None:
            self._first_s = self._last_s - latency_s
        self._latency.add(latency_s)
        if worked_s is not None:
            self._added.add(max(0.0, latency_s - worked_s))

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
    return flow.Acked(ack.incarnation, ack.number, ack.done, lacks, ack.clean, ack.preview)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


if __name__ == "__main__":
    run_stage(main)
