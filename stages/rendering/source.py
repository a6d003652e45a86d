"""One source at render: what has come of its frames becomes lines, pictures and what is shown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from stages.core import join, limits
from stages.core.claim import Claim
from stages.core.frames import Face, FinishedFrame, Picture, marked
from stages.core.grants import Grants, Task
from stages.core.history import RENDER
from stages.core.join import Join
from stages.core.messages import (
    Ack,
    Attribute,
    Drop,
    End,
    Faces,
    Finish,
    FramePicture,
    GivenUp,
    Message,
    Preview,
    SourceHello,
)
from stages.core.pulse import Beat
from stages.core.refusals import Refusals
from stages.inference.card import Card, answer
from stages.outputs.jsonl import last_time
from stages.outputs.look import Look
from stages.outputs.recorder import Recorder
from stages.rendering.account import Account
from stages.rendering.flaws import flaw_of
from stages.rendering.screens import SourceScreens
from stages.runtime.link import Bound
from stages.runtime.tape import Tape

LARGE_BYTES = 30_000_000  # of a picture: ten megapixels
ACK_S = 0.2  # at least so often, besides after every emission
LOST_S = 60.0  # so long a capture on another machine is waited for after the end: its cable may be plugged in again


class Source:
    """One source at render: its join, its outputs, and what is said to its capture."""

    def __init__(
        self,
        name: str,
        run: str,
        incarnation: int,
        cards: dict[str, Card],
        recorder: Recorder,
        look: Look,
        screens: SourceScreens,
        peers: Bound,
        patiently: Callable[[Callable[[], object]], object],
        *,
        met: Callable[[int, str], None] = lambda frame, source: None,
        tape: Tape | None = None,
    ):
        """`met` is told of every frame before it is drawn; work that may take long is given to `patiently`."""
        self.recorder, self._look, self._met = recorder, look, met
        self._tape, self._screens = tape, screens
        self._patiently = patiently
        self._has_finished = False  # its capture has said that it has heard all
        self._lost_s: float | None = None  # since when its capture cannot be reached
        self._name, self._run, self._incarnation = name, run, incarnation
        self._cards, self._peers = cards, peers
        before = recorder.restored
        self._join = Join(tuple(cards), done=before.position)
        if tape is not None:
            tape.began(RENDER, name, tuple(cards), before.position)
        self._account = Account(cards, before)
        self._claim = Claim()
        self._grants = Grants("", 0)
        self._refusals = Refusals()
        self._is_live = False
        self._clean = False
        self._due, self._number, self._said_s = False, 0, 0.0
        self._preview_taken = 0
        self._newest: FinishedFrame | None = None
        self._given_up: set[tuple[int, str]] = set()  # written down already
        self._said_done = before.position
        self._time = last_time(recorder.paths[0]) if before.position else None  # of the last frame in the outputs

    def start(self, connection: str, hello: SourceHello) -> str | None:
        """Take a capture's hello; returns why it is refused: another one has this name and still beats."""
        if hello.epoch == self._join.epoch:
            self._claim.lost()  # It is the same one, on a connection that was made anew.
        has_name = self._claim.hello(connection, time.monotonic())
        if not has_name:
            return None if has_name is None else f"{self._name} is already read by another capture"
        self._is_live = hello.live
        if hello.latency is not None:
            self._account.told(hello.latency)
        if self._join.epoch is None or hello.epoch > self._join.epoch:
            self._grants, self._refusals = Grants(hello.key, hello.epoch), Refusals()
        if hello.epoch >= (self._join.epoch or 0):
            self._step(join.SourceStarted(hello.epoch))
            self._due = True
        return None

    def hear(self, message: Message) -> None:
        if message.epoch != self._join.epoch:
            self._account.ignored()
            return
        match message:
            case FramePicture(frame=frame, time=seconds, rate=rate, file=file, asked=asked):
                self._account.came()
                self._step(join.PictureCame(frame, Picture(message.arrays[0], seconds, rate, file), tuple(asked)))
            case Faces() | Attribute():
                self._hear_answer(message)
            case Drop(first=first, last=last, stage=stage, reason=reason):
                self._step(join.Dropped(first, last, stage, reason))
            case GivenUp(frame=frame, stage=stage, reason=reason):
                if frame >= self._join.done and (frame, stage) not in self._given_up:
                    self._given_up.add((frame, stage))
                    self.recorder.losses.given_up(frame, stage, reason)
                self._step(join.GivenUp(frame, stage, reason))
            case End(frames=frames):
                self._account.frames = frames
                self._step(join.SourceEnded(frames))
            case Finish():
                self._has_finished = self._clean
            case Preview(frame=frame):
                self._preview(frame, message)

    def _hear_answer(self, message: Faces | Attribute) -> None:
        if (task := self._grants.task(message.grant)) is None:
            self._account.ignored()
        elif flaw := flaw_of(message, task, self._cards):
            self._refuse(task, flaw)
        else:
            self._take_answer(message, task)

    def _take_answer(self, message: Faces | Attribute, task: Task) -> None:
        if self._tape is not None:
            self._tape.keep(task.stage, message)
        if isinstance(message, Faces):
            count = len(message.rectangles)
            boxes = _boxes(message, count)
            self._step(join.FacesCame(message.frame, message.attempt, boxes, count, message, task.worker))
        else:
            boxes = _boxes(message, len(message.answers))
            self._step(join.AttributeCame(message.frame, message.attempt, boxes, message.stage, message))

    def malformed(self, header: dict, reason: str) -> None:
        """An answer was refused before it was read: its header, and why."""
        if task := self._grants.task(header.get("grant")):
            self._refuse(task, f"is {reason}")

    def _refuse(self, task: Task, reason: str) -> None:
        """Capture, who has given the task to somebody, is told that the answer is not taken."""
        self._account.ignored()
        self._due = self._refusals.add(task, reason) or self._due

    @property
    def is_left(self) -> bool:
        """Whether its capture has heard that all is closed, or cannot be told any more."""
        lost_s = 0.0 if self._lost_s is None else time.monotonic() - self._lost_s
        return self._has_finished or (self._clean and lost_s > LOST_S)

    def acknowledge(self) -> bool:
        """Say what is in the outputs and what is lacking: after every change, and now and then in any case.

        Returns whether there is more in them than the last time.
        """
        now_s = time.monotonic()
        if self._claim.holder is None or not (self._due or now_s - self._said_s >= ACK_S):
            return False
        self.recorder.check()
        has_moved, self._said_done = self._join.done > self._said_done, self._join.done
        self._due, self._said_s = False, now_s
        self._number += 1
        done = self._done
        ack = Ack(
            run=self._run,
            source=self._name,
            epoch=self._join.epoch,
            incarnation=self._incarnation,
            number=self._number,
            done=done,
            lacks=_oldest([(frame, []) for frame in range(done, self._join.done)] + self._join.lacks()),
            clean=self._clean and not self.is_looked_at,
            preview=self._preview_taken if self._screens.wants_previews else None,
            heard=self._join.heard,
            refused=self._refusals.listed(),
            time=self._time,
            worked=self._account.worked(),
        )
        if self._peers.send(self._claim.holder, ack):
            self._lost_s = None
        else:
            self._lost_s = self._lost_s or now_s
            self._claim.lost()
        return has_moved

    @property
    def _done(self) -> int:
        """What is acknowledged. A picture that waits for its turn in the window counts as under way, so that no more of
        them than `window` and `window_memory` wait, and the source is read as fast as a person looks.
        """
        unseen = self._screens.unseen
        return self._join.done if unseen is None else min(unseen, self._join.done)

    @property
    def is_looked_at(self) -> bool:
        """Whether a person still has its last picture before them."""
        return self._screens.is_looked_at

    @property
    def is_clean(self) -> bool:
        """Whether the source has ended and its outputs are closed."""
        return self._clean

    def close(self) -> None:
        """Bring the outputs in order, whether or not the source has ended."""
        self.recorder.close()

    @property
    def notes(self) -> list[str]:
        """What a person should know of what was written."""
        capped = self._account.capped
        beyond = f"{self._name}: {capped} faces beyond {limits.FACES} in a frame were left out, the least certain first"
        notes = [*self.recorder.notes, *self.failures, *([beyond] if capped else [])]
        if note := self._look.note(self._name):
            notes.append(note)
        return notes

    @property
    def failures(self) -> list[str]:
        """What was written and is not there any more."""
        again = "it cannot be seen again" if self._is_live else "--resume makes it again"
        return [f"{self._name}: {failure}; {again}" for failure in self.recorder.failures]

    def beat(self, now_s: float) -> Beat:
        """How this source goes at the moment."""
        return self._account.beat(now_s, self._join)

    @property
    def dropped(self) -> Counter[tuple[str, str]]:
        """The frames that are not in the outputs and will not be, by stage and reason."""
        return self._account.dropped(self._join)

    def report(self) -> dict:
        """The account so far."""
        return self._account.report(self._join)

    def _step(self, event: join.Event) -> None:
        done = self._join.done
        actions = self._join.step(event)
        if self._tape is not None:
            self._tape.heard(self._name, event, actions, None, _named)
        if self._join.done != done:
            self._due = True
            self._given_up = {(frame, stage) for frame, stage in self._given_up if frame >= self._join.done}
        for action in actions:
            match action:
                case join.Emit():
                    self._emit(action)
                case join.Skipped(first, last, stage, reason):
                    self.recorder.losses.dropped(first, last, stage, reason)
                case join.Contradicted(frame, stage, worker):
                    self._refuse(Task(worker, frame, 1, 0, "", stage), "names other boxes than its crops, or before")
                case join.CloseOutputs():
                    self.recorder.close()
                    self._clean = True
            self._due = True

    def _emit(self, emit: join.Emit) -> None:
        self._met(emit.frame, self._name)
        started_s = time.perf_counter()
        all_known = emit.faces is not None and not emit.faces.capped
        frame = self._look.finish(finished(self._name, emit, self._cards), all_known)
        # Drawing and encoding a picture of a hundred megapixels takes longer than a stage may be silent.
        is_large = frame.picture.pixels.nbytes > LARGE_BYTES
        drawn = self._patiently(lambda: self._record(frame)) if is_large else self._record(frame)
        self._newest, self._time = frame, frame.picture.time
        self._screens.show(frame, drawn, lambda: self._look.to_hide(frame, all_known), self._is_live)
        self._account.finished(emit, frame, time.perf_counter() - started_s)

    def _record(self, frame: FinishedFrame) -> np.ndarray | None:
        """Write the frame to its outputs; return the annotated picture if anybody wants it."""
        drawn = self._look.draw(frame) if self.recorder.draws or self._screens.draws else None
        self.recorder.write(frame, drawn)
        return drawn

    def _preview(self, frame: int, message: Preview) -> None:
        """Show the newest picture with the boxes and labels of the newest frame that has been analysed."""
        self._preview_taken, self._due = max(self._preview_taken, frame + 1), True
        if self._screens.previews:
            faces = self._newest.faces if self._newest else []
            self._screens.preview(FinishedFrame(self._name, frame, Picture(message.arrays[0], 0.0, None), faces))


def _named(payload: Picture | Faces | Attribute) -> str:
    """What stands in a record for a payload of the join: enough to tell it from another one of the same frame."""
    if isinstance(payload, Picture):
        return f"the picture at {payload.time} s"
    return f"{payload.kind} by {payload.replica}/{payload.incarnation}, try {payload.attempt}, boxes {payload.boxes}"


def _oldest(lacks: list[tuple[int, list[str]]]) -> list[list]:
    """What fits into an acknowledgement: a frame that is not listed is taken to lack everything."""
    kept, size = [], 0
    for frame, wants in lacks[: limits.LACKS]:
        size += 16 + sum(len(stage) + 2 for stage in wants)
        if size > limits.HEADER_BYTES // 2:
            break
        kept.append([frame, wants])
    return kept


def _boxes(message: Faces | Attribute, count: int) -> str:
    """What answers are joined by: the hash of the boxes and their number, so that there is an answer for each."""
    return f"{message.boxes}/{count}"


def finished(source: str, emit: join.Emit, cards: dict[str, Card]) -> FinishedFrame:
    """A joined frame in the form that the outputs take: numbers become labels by the cards."""
    return FinishedFrame(source, emit.frame, emit.picture, _faces(emit, cards), list(emit.missing), emit.error)


def _faces(emit: join.Emit, cards: dict[str, Card]) -> list[Face]:
    if emit.faces is None:
        return []
    faces = []
    for place, (box, score) in enumerate(zip(emit.faces.rectangles, emit.faces.scores, strict=True)):
        answers = {s: answer(cards[s], message.answers[place]) for s, message in emit.answers.items()}
        faces.append(Face(tuple(box), score, answers))
    marks = list(zip(emit.faces.landmarks, emit.faces.poses, emit.faces.qualities, strict=True))
    return [marked(face, *mark) for face, mark in zip(faces, marks, strict=True)] if marks else faces
