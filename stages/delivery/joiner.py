"""Render's half of the delivery rules: joins what the stages say about a frame, in the order of the frames.

A pure object per source: `step(message) -> actions`. It takes the messages as they come, checked and with a grant that
is theirs. It never waits for a clock: what is late is capture's to decide, which says `Drop` or `GivenUp` and repeats
it until `next_frame` or `missing_parts` show that it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace

from ..protocol.generations import Epoch
from ..protocol.messages import Attribute, Drop, End, Faces, FramePicture, GivenUp, SourceHello

PICTURE, DETECT = "picture", "detect"

Event = SourceHello | FramePicture | Faces | Attribute | Drop | GivenUp | End


@dataclass(frozen=True, slots=True)
class Emit:
    """Write this frame to the outputs. Frames are emitted in ascending order, each once."""

    frame: int
    picture: FramePicture
    faces: Faces | None  # None: detect was given up
    answers: dict[str, Attribute]  # by stage; empty where there are no faces
    missing: tuple[str, ...]  # attribute stages that were given up
    error: str | None  # why the frame could not be analysed at all


@dataclass(frozen=True, slots=True)
class CloseOutputs:
    """The last frame has been emitted: nothing more comes from this source."""


@dataclass(frozen=True, slots=True)
class Contradicted:
    """The worker of these faces has said one thing in one try at a frame, and another thing in the same try."""

    faces: Faces


# `Drop`: these frames are not in the outputs and will not be. Ranges ascend, each frame is in one at most.
Action = Emit | Drop | CloseOutputs | Contradicted


Part = TypeVar("Part", Faces, Attribute)


@dataclass(slots=True)
class _Open:
    """A frame that render has heard of and not emitted yet."""

    picture: FramePicture | None = None
    faces: Faces | None = None
    answers: dict[str, Attribute] = field(default_factory=dict)
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
        self._drops: list[Drop] = []
        self._heard = 0
        self._frames: int | None = None  # how many there are, once capture has said so

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
            case SourceHello():
                self._start(event.epoch)
            case Drop():
                self._drop(event)
            case End():
                self._frames = event.frames
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

    def _drop(self, drop: Drop) -> None:
        self._heard = max(self._heard, drop.last + 1)
        if drop.last >= self.next_frame and drop not in self._drops:
            self._drops.append(drop)
            self._drops.sort(key=lambda d: (d.first, d.last))
            for frame in [f for f in self._open if drop.first <= f <= drop.last]:
                del self._open[frame]

    def _take(self, event: FramePicture | Faces | Attribute | GivenUp) -> list[Action]:
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
            case FramePicture():
                if frame.picture is None:
                    frame.picture = event
                else:
                    self.ignored["repeated"] += 1
            case Faces():
                if _contradict(event, frame.faces):
                    return self._contradicted(frame)
                frame.faces = self._newer(frame.faces, event)
            case Attribute(attempt=attempt, stage=stage):
                frame.answers[stage] = self._newer(frame.answers.get(stage), event)
                if frame.faces is not None and attempt > frame.faces.attempt and event.cut != frame.faces.cut:
                    frame.faces = None  # They are of an older try, and the newer ones were lost on the way.
                if _contradict(event, frame.faces):
                    return self._contradicted(frame)
            case GivenUp(stage=stage, reason=reason):
                frame.given_up.setdefault(stage, reason)
        return []

    def _contradicted(self, frame: _Open) -> list[Action]:
        """One of both is wrong, and nobody knows which: neither is taken."""
        faces, frame.faces = frame.faces, None
        return [Contradicted(faces)]

    def _newer(self, known: Part | None, came: Part) -> Part:
        """The first answer is joined, not its repeats; one along other boxes counts only if it is a newer try's."""
        if known is None or (came.cut != known.cut and came.attempt > known.attempt):
            return came
        self.ignored["repeated"] += 1
        if came.cut != known.cut or came.attempt <= known.attempt:
            return known
        # What a newer try says too is not of an older one.
        return replace(known, attempt=came.attempt, grant=came.grant)

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
        if frame.faces.boxes:
            wants += [s for s in self._asked(frame) if s not in frame.given_up and self._answer(frame, s) is None]
        return wants

    def _asked(self, frame: _Open) -> list[str]:
        """The stages that an answer is waited for from: all, as long as it is not known which are asked."""
        return [s for s in self._attributes if frame.picture is None or s in frame.picture.asked]

    def _answer(self, frame: _Open, stage: str) -> Attribute | None:
        answer = frame.answers.get(stage)
        return answer if answer is not None and answer.cut == frame.faces.cut else None

    def _advance(self) -> Iterator[Action]:
        while True:
            self._drops = [drop for drop in self._drops if drop.last >= self.next_frame]
            if self._drops and self._drops[0].first <= self.next_frame:
                drop = self._drops[0]
                self.dropped[drop.stage, drop.reason] += drop.last + 1 - self.next_frame
                yield replace(drop, first=self.next_frame)
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
        asked = self._asked(frame) if frame.faces.boxes else []
        found = {s: answer for s in asked if (answer := self._answer(frame, s)) is not None}
        missing = tuple(s for s in asked if s not in found)
        return Emit(number, frame.picture, frame.faces, found, missing, None)


def _contradict(came: Part, faces: Faces | None) -> bool:
    """Whether faces are along other boxes than something else of the same try, which one worker has made."""
    return faces is not None and came.attempt == faces.attempt and came.cut != faces.cut
