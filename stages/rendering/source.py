"""One source at render: what has come of its frames becomes lines, pictures and what is shown."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

from msgspec.structs import replace

from ..config.settings import CardSettings
from ..delivery import joiner
from ..delivery.grants import Assignment, Grants, Refusals
from ..delivery.joiner import Joiner
from ..delivery.lease import LeaseState, SourceLease
from ..frames import NO_AREAS, Face, FinishedFrame, Picture
from ..protocol import limits
from ..protocol.generations import Incarnation, Run
from ..protocol.messages import (
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
from ..protocol.rates import Snapshot
from ..protocol.stats import SourceReport, StreamReport
from ..sinks.recorder import Recorder
from ..trace.history import RENDER
from ..trace.recorder import TraceRecorder
from ..transport.sockets import RouterSocket
from ..vision.faces import faces_of
from .flaws import flaw_of
from .outputs import SourceOutputs
from .stats import RenderStats

ACK_S = 0.2  # at least so often, besides after every emission
LOST_S = 60.0  # so long a capture on another machine is waited for after the end: its cable may be plugged in again


class RenderedSource:
    """One source at render: its joiner, its outputs, and what is said to its capture."""

    def __init__(
        self,
        name: str,
        run: Run,
        incarnation: Incarnation,
        cards: dict[str, CardSettings],
        outputs: SourceOutputs,
        peers: RouterSocket,
        *,
        on_frame: Callable[[int, str], None] = lambda frame, source: None,
        trace: TraceRecorder | None = None,
    ):
        """`on_frame` is called with each frame before it is drawn."""
        self._screens = outputs.screens
        self._outputs, self._on_frame, self._trace = outputs, on_frame, trace
        self._has_finished = False  # its capture has said that it has heard all
        self._lost_s: float | None = None  # since when its capture cannot be reached
        self._name, self._run, self._incarnation = name, run, incarnation
        self._cards, self._peers = cards, peers
        before = self.recorder.restored
        self._joiner = Joiner(tuple(cards), next_frame=before.position)
        if trace is not None:
            trace.record_start(RENDER, name, tuple(cards), before.position)
        self._stats = RenderStats(cards, before)
        self._lease = SourceLease()
        self._grants = Grants("", 0)
        self._refusals = Refusals()
        self._is_live = self._reads_ring = False
        self._clean = self._is_stopped = self._is_broken = False
        self._due, self._number, self._said_s = False, 0, 0.0
        self._preview_taken = 0
        # What the joiner has decided and was not done yet: a frame that waits for its turn, and what follows it.
        self._decided: deque[joiner.Emit | Drop | joiner.CloseOutputs] = deque()
        self._newest: FinishedFrame | None = None
        self._given_up: set[tuple[int, str]] = set()  # written down already
        self._said_up_to = before.position
        self._time = before.time  # of the last frame in the outputs

    @property
    def recorder(self) -> Recorder:
        """What writes its results: another one for each piece of them."""
        return self._outputs.recorder

    def start(self, connection: str, hello: SourceHello) -> str | None:
        """Take a capture's hello; returns why it is refused: another one holds its lease."""
        if hello.epoch == self._joiner.epoch:
            self._lease.lost()  # It is the same one, on a connection that was made anew.
        match self._lease.hello(connection, time.monotonic()):
            case LeaseState.PENDING:
                return None
            case LeaseState.DENIED:
                return f"{self._name} is already read by another capture"
        self._is_live = hello.live
        self._reads_ring = self._peers.open_ring(connection, hello.ring)
        if hello.latency is not None:
            self._stats.told(hello.latency)
        if self._joiner.epoch is None or hello.epoch > self._joiner.epoch:
            self._grants, self._refusals = Grants(hello.key, hello.epoch), Refusals()
        if hello.epoch > (self._joiner.epoch or 0):
            self._emit_all()  # The next capture is told of what is in the outputs.
        if hello.epoch >= (self._joiner.epoch or 0):
            self._step(replace(hello, key="", ring=None))  # No trace has the key.
            self._due = True
        return None

    def hear(self, message: Message) -> None:
        if message.epoch != self._joiner.epoch:
            self._stats.ignored()
            return
        match message:
            case Faces() | Attribute():
                self._hear_answer(message)
            case Finish():
                self._has_finished = self._clean
            case Preview():
                self._preview(message)
            case _:
                self._note(message)
                self._step(message)

    def _note(self, message: FramePicture | Drop | GivenUp | End) -> None:
        match message:
            case FramePicture():
                self._stats.came()
            case GivenUp(frame=frame, stage=stage):
                if frame >= self._joiner.next_frame and (frame, stage) not in self._given_up:
                    self._given_up.add((frame, stage))
                    self.recorder.drop_log.given_up(frame, stage, message.reason)
            case End():
                self._stats.frames, self._is_stopped = message.frames, message.is_stopped

    def _hear_answer(self, message: Faces | Attribute) -> None:
        if (assignment := self._grants.assignment(message.grant)) is None:
            self._stats.ignored()
        elif flaw := flaw_of(message, assignment, self._cards):
            self._refuse(assignment, flaw)
        else:
            if self._trace is not None:
                self._trace.record_message(assignment.stage, message)
            self._step(message)

    def malformed(self, header: dict, reason: str) -> None:
        """An answer was refused before it was read: its header, and why."""
        if assignment := self._grants.assignment(header.get("grant")):
            self._refuse(assignment, f"is {reason}")

    def _refuse(self, assignment: Assignment, reason: str) -> None:
        """Tell capture, which gave the task, that the answer is refused."""
        self._stats.ignored()
        self._due = self._refusals.add(assignment, reason) or self._due

    @property
    def is_left(self) -> bool:
        """Whether its capture has heard that all is closed, or cannot be told any more."""
        lost_s = 0.0 if self._lost_s is None else time.monotonic() - self._lost_s
        return self._has_finished or (self._clean and lost_s > LOST_S)

    def acknowledge(self) -> bool:
        """Say what is in the outputs and what is missing: after every change, and now and then in any case.

        Returns whether there is more in them than the last time.
        """
        now_s = time.monotonic()
        if self._lease.holder is None or not (self._due or now_s - self._said_s >= ACK_S):
            return False
        self.recorder.check()
        has_moved, self._said_up_to = self._done_up_to > self._said_up_to, self._done_up_to
        self._due, self._said_s = False, now_s
        self._number += 1
        acked_up_to = self._acked_up_to
        ack = Ack(
            run=self._run,
            source=self._name,
            epoch=self._joiner.epoch,
            incarnation=self._incarnation,
            number=self._number,
            acked_up_to=acked_up_to,
            missing_parts=_oldest(
                [(frame, []) for frame in range(acked_up_to, self._joiner.next_frame)] + self._joiner.missing_parts()
            ),
            clean=self._clean and not self.is_looked_at,
            preview=self._preview_taken if self._screens.wants_previews else None,
            heard=self._joiner.heard,
            refused=self._refusals.listed(),
            time=self._time,
            worked=self._stats.worked(),
            reads_ring=self._reads_ring,
        )
        if self._peers.send(self._lease.holder, ack):
            self._lost_s = None
        else:
            self._lost_s = self._lost_s or now_s
            self._lease.lost()
        return has_moved

    @property
    def _acked_up_to(self) -> int:
        """What is acknowledged. A picture that waits for its turn in the window counts as under way, so that no more of
        them than `window` and `window_memory` wait, and the source is read as fast as a person looks.
        """
        unseen = self._screens.unseen
        return self._done_up_to if unseen is None else min(unseen, self._done_up_to)

    @property
    def _done_up_to(self) -> int:
        """Every frame below it is in the outputs, or dropped."""
        return self._decided[0].frame if self._decided else self._joiner.next_frame

    @property
    def is_behind(self) -> bool:
        """Whether a frame that is complete waits to be written."""
        return bool(self._decided)

    def emit(self) -> None:
        """Write, draw and show the next frame; raises `OutputError`."""
        self._is_broken = True  # If this raises, nothing may be written behind it.
        self._emit(self._decided.popleft())
        self._is_broken, self._due = False, True
        self._do_what_needs_no_turn()

    def _emit_all(self) -> None:
        while self.is_behind and not self._is_broken:
            self.emit()

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
        self._emit_all()
        self._outputs.close()

    @property
    def notes(self) -> list[str]:
        """What a person should know of what was written."""
        return notes_of(self._name, self._outputs, self.failures, self._stats.capped)

    @property
    def failures(self) -> list[str]:
        """What was written and is not there any more."""
        again = "it cannot be seen again" if self._is_live else "--resume makes it again"
        return [f"{self._name}: {failure}; {again}" for failure in self.recorder.failures]

    @property
    def streams(self) -> dict[str, StreamReport]:
        """How its streams stand, by their addresses."""
        return self._outputs.streams()

    def snapshot(self, now_s: float) -> Snapshot:
        """How this source goes at the moment."""
        return self._stats.snapshot(now_s, self._joiner)

    @property
    def dropped(self) -> Counter[tuple[str, str]]:
        """The frames that are not in the outputs and will not be, by stage and reason."""
        return self._stats.dropped(self._joiner)

    def report(self) -> SourceReport:
        """The account so far."""
        report = self._stats.report(self._joiner)
        waiting = sum(isinstance(action, joiner.Emit) for action in self._decided)
        return replace(report, rendered=report.rendered - waiting, people=self._outputs.people)

    def _step(self, event: joiner.Event) -> None:
        acked_up_to = self._joiner.next_frame
        actions = self._joiner.step(event)
        if self._trace is not None:
            self._trace.record_step(self._name, event, actions, None)
        if self._joiner.next_frame != acked_up_to:
            self._due = True
            self._given_up = {(frame, stage) for frame, stage in self._given_up if frame >= self._joiner.next_frame}
        for action in actions:
            if isinstance(action, joiner.Contradicted):
                assignment = self._grants.assignment(action.faces.grant)
                self._refuse(assignment, "names other boxes than its crops, or before")
            else:
                self._decided.append(action)
            self._due = True
        self._do_what_needs_no_turn()

    def _do_what_needs_no_turn(self) -> None:
        """What was decided before the next frame: it costs nothing."""
        while self._decided and not isinstance(self._decided[0], joiner.Emit):
            match self._decided.popleft():
                case Drop() as drop:
                    self.recorder.drop_log.dropped(drop.first, drop.last, drop.stage, drop.reason)
                case joiner.CloseOutputs():
                    self._outputs.close(has_ended=not self._is_stopped)
                    self._clean = True

    def _emit(self, emit: joiner.Emit) -> None:
        self._on_frame(emit.frame, self._name)
        started_s = time.perf_counter()
        all_known = emit.faces is not None and not emit.faces.capped
        frame = self._outputs.take(finished(self._name, emit, self._cards), all_known, self._is_live)
        self._newest, self._time = frame, frame.picture.time
        self._stats.finished(emit, frame, time.perf_counter() - started_s)

    def _preview(self, message: Preview) -> None:
        """Show the newest picture with the boxes and labels of the newest frame that has been analysed."""
        self._preview_taken, self._due = max(self._preview_taken, message.frame + 1), True
        if self._screens.previews:
            picture = Picture(message.arrays[0], 0.0, None)
            faces, areas = (self._newest.faces, self._newest.areas) if self._newest else ([], NO_AREAS)
            self._screens.preview(FinishedFrame(self._name, message.frame, picture, faces, areas=areas))


def notes_of(source: str, outputs: SourceOutputs, failures: list[str], capped: int) -> list[str]:
    """What a person should know of what was written of a source; `capped`: faces that were left out."""
    beyond = f"{source}: {capped} faces beyond {limits.FACES} in a frame were left out, the least certain first"
    notes = [*outputs.recorder.notes, *failures, *([beyond] if capped else [])]
    return list(dict.fromkeys(notes + outputs.notes(source)))


def _oldest(missing_parts: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """What fits into an acknowledgement: a frame that is not listed is taken to be missing as a whole."""
    kept, size = [], 0
    for frame, wants in missing_parts[: limits.MISSING_FRAMES]:
        size += 16 + sum(len(stage) + 2 for stage in wants)
        if size > limits.HEADER_BYTES // 2:
            break
        kept.append((frame, wants))
    return kept


def finished(source: str, emit: joiner.Emit, cards: dict[str, CardSettings]) -> FinishedFrame:
    """A joined frame in the form that the outputs take: numbers become labels by the cards."""
    said = emit.picture
    picture = Picture(said.arrays[0], said.time, said.rate, said.file, said.cut, said.clock)
    doubtful = [] if emit.faces is None else [tuple(box) for box in emit.faces.doubtful]
    faces = _faces(emit, cards)
    return FinishedFrame(source, emit.frame, picture, faces, list(emit.missing), emit.error, doubtful=doubtful)


def _faces(emit: joiner.Emit, cards: dict[str, CardSettings]) -> list[Face]:
    if emit.faces is None:
        return []
    marks = list(zip(emit.faces.landmarks, emit.faces.poses, emit.faces.qualities, strict=True))
    rows = {stage: message.answers for stage, message in emit.answers.items()}
    return faces_of(emit.faces.boxes, emit.faces.scores, marks, rows, cards)
