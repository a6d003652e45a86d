"""Render's half of the delivery rules: joins what the stages say about a frame, in the order of the frames.

A pure object per source: `step(event) -> actions`. What it joins is opaque to it. It never waits for a clock: what is
late is capture's to decide, which says `Dropped` or `GivenUp` and repeats it until `next_frame` or `missing_parts` show
that it came.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from ..protocol.generations import Attempt, Epoch

PICTURE, DETECT = "picture", "detect"


# --- Events ---


@dataclass(frozen=True, slots=True)
class SourceStarted:
    """Capture reads this source in this incarnation; whatever it had said in an older one is void."""

    epoch: Epoch


@dataclass(frozen=True, slots=True)
class PictureReceived:
    frame: int
    picture: object
    asked: tuple[str, ...] | None = None  # the attribute stages that are asked about it; None: all


@dataclass(frozen=True, slots=True)
class FacesReceived:
    frame: int
    attempt: Attempt
    boxes_hash: str  # hash of the boxes
    count: int  # how many faces; without any, no attribute is waited for
    faces: object
    worker: int = 0  # who has found them, by the grant


@dataclass(frozen=True, slots=True)
class AttributeReceived:
    frame: int
    attempt: Attempt
    boxes_hash: str  # hash of the boxes that the crops were cut along
    stage: str
    answers: object


@dataclass(frozen=True, slots=True)
class Dropped:
    first: int
    last: int  # included
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    frame: int
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceEnded:
    frames: int


Event = SourceStarted | PictureReceived | FacesReceived | AttributeReceived | Dropped | GivenUp | SourceEnded


# --- Actions ---


@dataclass(frozen=True, slots=True)
class Emit:
    """Write this frame to the outputs. Frames are emitted in ascending order, each once."""

    frame: int
    picture: object
    faces: object | None  # None: detect was given up
    answers: dict[str, object]  # by stage; empty where there are no faces
    missing: tuple[str, ...]  # attribute stages that were given up
    error: str | None  # why the frame could not be analysed at all


@dataclass(frozen=True, slots=True)
class Skipped:
    """These frames are not in the outputs and will not be. Ranges ascend, each frame is in one at most."""

    first: int
    last: int  # included
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class CloseOutputs:
    """The last frame has been emitted: nothing more comes from this source."""


@dataclass(frozen=True, slots=True)
class Contradicted:
    """This worker has said one thing in one try at a frame, and another thing in the same try."""

    frame: int
    stage: str
    worker: int


Action = Emit | Skipped | CloseOutputs | Contradicted


@dataclass(slots=True)
class _Part:
    """What one stage said about a frame, and along which boxes."""

    attempt: Attempt
    boxes_hash: str
    value: object
    worker: int = 0


@dataclass(slots=True)
class _Open:
    """A frame that render has heard of and not emitted yet."""

    picture: object | None = None
    asked: tuple[str, ...] | None = None  # the attribute stages that are asked, once the picture is here
    faces: _Part | None = None
    face_count: int = 0
    answers: dict[str, _Part] = field(default_factory=dict)
    given_up: dict[str, str] = field(default_factory=dict)  # stage -> reason


class Joiner:
    """Joins the parts of the frames of one source."""

    def __init__(self, attributes: tuple[str, ...], most_open: int = 10_000, next_frame: int = 0):
        """`attributes` are the stages waited for where there are faces, in the order of the answers given back.

        `next_frame`: the first frame that is not in the outputs, when render was started again.
        """
        self.next_frame = next_frame  # every frame below it has been emitted or dropped
        self.epoch: Epoch | None = None
        self.ended = False  # everything up to the last frame has been emitted
        self.emitted = 0
        self.dropped: Counter[tuple[str, str]] = Counter()  # frames by (stage, reason)
        self.ignored: Counter[str] = Counter()  # parts that changed nothing, by why
        self._attributes = attributes
        self._most_open = most_open
        self._open: dict[int, _Open] = {}
        self._drops: list[Dropped] = []
        self._heard = 0
        self._frames: int | None = None  # how many there are, once capture has said so

    @property
    def open_count(self) -> int:
        return len(self._open)

    @property
    def heard(self) -> int:
        """One more than the highest frame heard of in any epoch: a restarted live capture continues there."""
        return max(self.next_frame, self._heard)

    def missing_parts(self) -> list[tuple[int, list[str]]]:
        """Every frame heard of and not emitted, with what it wants; one that is not listed wants everything."""
        return [(frame, self._wants(self._open[frame])) for frame in sorted(self._open)]

    def step(self, event: Event) -> list[Action]:
        """Take one event; return the frames that it completed, oldest first, often none."""
        match event:
            case SourceStarted(epoch):
                self._start(epoch)
            case Dropped():
                self._drop(event)
            case SourceEnded(frames):
                self._frames = frames
            case _:
                return [*self._take(event), *self._advance()]
        return list(self._advance())

    def _start(self, epoch: Epoch) -> None:
        if self.epoch is not None and epoch <= self.epoch:
            return  # The hello is repeated until it is acknowledged.
        self.epoch = epoch
        self._open.clear()
        self._drops.clear()
        self._frames = None

    def _drop(self, drop: Dropped) -> None:
        self._heard = max(self._heard, drop.last + 1)
        if drop.last >= self.next_frame and drop not in self._drops:
            self._drops.append(drop)
            self._drops.sort(key=lambda d: (d.first, d.last))
            for frame in [f for f in self._open if drop.first <= f <= drop.last]:
                del self._open[frame]

    def _take(self, event: PictureReceived | FacesReceived | AttributeReceived | GivenUp) -> list[Action]:
        if event.frame < self.next_frame or any(d.first <= event.frame <= d.last for d in self._drops):
            self.ignored["after the frame was emitted or dropped"] += 1
            return []
        frame = self._open.get(event.frame)
        if frame is None:
            # Capture's window bounds what is open; this bounds what a peer that does not keep to it can cost.
            if len(self._open) >= self._most_open:
                self.ignored["beyond the frames that may be open"] += 1
                return []
            frame = self._open[event.frame] = _Open()
        self._heard = max(self._heard, event.frame + 1)
        match event:
            case PictureReceived(_, picture, asked):
                if frame.picture is None:
                    frame.picture, frame.asked = picture, self._attributes if asked is None else asked
                else:
                    self.ignored["repeated"] += 1
            case FacesReceived(number, attempt, boxes_hash, count, faces, worker):
                if self._is_other(frame.faces, attempt, boxes_hash):
                    return self._contradicted(number, frame)
                part = self._newer(frame.faces, _Part(attempt, boxes_hash, faces, worker))
                if part is not frame.faces:
                    frame.faces, frame.face_count = part, count
            case AttributeReceived(number, attempt, boxes_hash, stage, answers):
                frame.answers[stage] = self._newer(frame.answers.get(stage), _Part(attempt, boxes_hash, answers))
                if frame.faces is not None and attempt > frame.faces.attempt and boxes_hash != frame.faces.boxes_hash:
                    frame.faces = None  # They are of an older try, and the newer ones were lost on the way.
                if self._is_other(frame.faces, attempt, boxes_hash):
                    return self._contradicted(number, frame)
            case GivenUp(_, stage, reason):
                frame.given_up.setdefault(stage, reason)
        return []

    def _is_other(self, faces: _Part | None, attempt: Attempt, boxes_hash: str) -> bool:
        """Whether faces are along other boxes than something else of the same try, which one worker has made."""
        return faces is not None and attempt == faces.attempt and boxes_hash != faces.boxes_hash

    def _contradicted(self, number: int, frame: _Open) -> list[Action]:
        """One of both is wrong, and nobody knows which: neither is taken."""
        worker, frame.faces = frame.faces.worker, None
        return [Contradicted(number, DETECT, worker)]

    def _newer(self, known: _Part | None, came: _Part) -> _Part:
        """The first answer is joined, not its repeats; one along other boxes counts only if it is a newer try's."""
        if known is None or (came.boxes_hash != known.boxes_hash and came.attempt > known.attempt):
            return came
        self.ignored["repeated"] += 1
        if came.boxes_hash != known.boxes_hash or came.attempt <= known.attempt:
            return known
        # What a newer try says too is not of an older one.
        return replace(known, attempt=came.attempt, worker=came.worker)

    def _wants(self, frame: _Open) -> list[str]:
        wants = [] if frame.picture is not None else [PICTURE]
        if DETECT in frame.given_up:
            return wants
        if frame.faces is None:
            return [
                *wants,
                DETECT,
                *(s for s in self._asked(frame) if s not in frame.given_up and s not in frame.answers),
            ]
        if frame.face_count:
            wants += [s for s in self._asked(frame) if s not in frame.given_up and self._answer(frame, s) is None]
        return wants

    def _asked(self, frame: _Open) -> list[str]:
        """The stages that an answer is waited for from: all, as long as it is not known which are asked."""
        return [s for s in self._attributes if frame.asked is None or s in frame.asked]

    def _answer(self, frame: _Open, stage: str) -> _Part | None:
        part = frame.answers.get(stage)
        return part if part is not None and part.boxes_hash == frame.faces.boxes_hash else None

    def _advance(self):
        while True:
            self._drops = [drop for drop in self._drops if drop.last >= self.next_frame]
            if self._drops and self._drops[0].first <= self.next_frame:
                drop = self._drops[0]
                self.dropped[drop.stage, drop.reason] += drop.last + 1 - self.next_frame
                yield Skipped(self.next_frame, drop.last, drop.stage, drop.reason)
                self.next_frame = drop.last + 1
            elif (frame := self._open.get(self.next_frame)) is not None and not self._wants(frame):
                del self._open[self.next_frame]
                yield self._emit(self.next_frame, frame)
                self.next_frame += 1
                self.emitted += 1
            else:
                break
        if self._frames is not None and self.next_frame >= self._frames and not self.ended:
            self.ended = True
            yield CloseOutputs()

    def _emit(self, number: int, frame: _Open) -> Emit:
        if DETECT in frame.given_up:
            return Emit(number, frame.picture, None, {}, (), frame.given_up[DETECT])
        if not frame.face_count:
            return Emit(number, frame.picture, frame.faces.value, {}, (), None)
        asked = self._asked(frame)
        found = {s: part.value for s in asked if (part := self._answer(frame, s)) is not None}
        missing = tuple(s for s in asked if s not in found)
        return Emit(number, frame.picture, frame.faces.value, found, missing, None)
