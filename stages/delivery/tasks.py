"""The frames between read and acknowledged, and which of their tasks are to be handed out. Pure.

A task is what one stage has to say about one frame. It is due where render is missing it and nobody has been given it,
or nobody who is still there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..protocol.generations import Attempt
from ..protocol.messages import FaceCrops
from .states import FRAME, FrameEvent, FrameState, after

DETECT, PICTURE = "detect", "picture"


@dataclass(slots=True)
class InFlight:
    """A frame between read and acknowledged."""

    size: int
    read_s: float
    attributes: tuple[str, ...]  # the stages that are asked about it
    parts: frozenset[str]  # all that render is to get
    state: FrameState = FrameState.QUEUED
    attempt: Attempt = 0  # how often it went to detect
    crops: FaceCrops | None = None  # the crops at hand
    cut_by: str = ""  # the connection of the detect that has cut them
    holders: dict[str, str] = field(default_factory=dict)  # stage -> connection that its task was last sent to
    given_up: dict[str, str] = field(default_factory=dict)  # stage -> reason
    distrusted: int = 0  # crops of no try up to this one are taken

    @property
    def is_cut(self) -> bool:
        """Whether detect has told capture what is in it."""
        return self.state in (FrameState.CROPPED, FrameState.FACELESS)

    def step(self, event: FrameEvent) -> None:
        """Go to the next state; raises `NoTransition`."""
        self.state = after(FRAME, self.state, event)

    def may_take(self, crops: FaceCrops) -> bool:
        """Whether these are newer than those at hand, and of a try that is believed."""
        if self.state is FrameState.UNANALYSED or not self.distrusted < crops.attempt <= self.attempt:
            return False
        return self.crops is None or self.crops.attempt < crops.attempt

    def forget_crops(self) -> None:
        """They are not to be believed."""
        self.step(FrameEvent.CROPS_REJECTED)
        self.distrusted, self.crops = self.crops.attempt, None


class Tasks:
    """What is under way of one source."""

    def __init__(self, attributes: Iterable[str]):
        self.attributes = tuple(attributes)
        self.stages = (DETECT, *self.attributes)
        self.frames: dict[int, InFlight] = {}  # ascending
        self.due: dict[str, set[int]] = {stage: set() for stage in self.stages}
        self.bytes = 0  # of pictures and crops
        self._ahead: set[int] = set()  # dropped when they were with render already: it will work on them all the same
        self._owed: set[str] = set()  # attribute stages of frames that were dropped: asked about the next one instead
        self._reported_missing: dict[int, frozenset[str]] = {}  # as render has said the last time

    def add(self, number: int, size: int, now_s: float, asked: tuple[str, ...] | None) -> None:
        """A picture was read. `asked`: the attribute stages that are asked about it; None: all."""
        attributes = self.attributes if asked is None else asked
        self.frames[number] = InFlight(size, now_s, attributes, frozenset((PICTURE, DETECT, *attributes)))
        self.bytes += size
        self.due[DETECT].add(number)

    @property
    def at_render(self) -> int:
        """Frames that render has, or has before it: one that was dropped meanwhile still lies in its queue."""
        return sum(frame.state is not FrameState.QUEUED for frame in self.frames.values()) + len(self._ahead)

    def ask_instead(self, number: int) -> tuple[str, ...] | None:
        """A frame that goes out for the first time is asked about what dropped ones were to be asked about; returns all
        stages that it is asked about, None if they are those that it was read with.

        Else of a camera that loses two frames of three, a stage that is asked about every third might not hear for as
        long as the two keep step.
        """
        frame, owed = self.frames[number], self._owed
        known, self._owed = frame.attributes, set()
        frame.attributes = tuple(s for s in self.attributes if s in known or s in owed)
        frame.parts |= owed
        return frame.attributes if frame.attributes != known else None

    def forget(self, number: int, event: FrameEvent) -> None:
        """A frame is acknowledged, dropped or withdrawn."""
        frame = self.frames.pop(number)
        if event is FrameEvent.DROP:
            self._owed.update(frame.attributes)
            if frame.state is not FrameState.QUEUED:
                self._ahead.add(number)
        frame.step(event)
        self.bytes -= frame.size
        self.not_due(number, self.stages)

    def acknowledge(self, acked_up_to: int) -> None:
        """Render is done with all frames below this one."""
        self._ahead = {number for number in self._ahead if number >= acked_up_to}

    def missing_parts(self, number: int) -> frozenset[str]:
        """What render has no part of; of a frame that it does not speak of it has none.

        Until it has the picture render does not know which stages are asked, and waits for all of them.
        """
        parts = self.frames[number].parts
        return parts & self._reported_missing[number] if number in self._reported_missing else parts

    def report_missing(self, missing: dict[int, frozenset[str]]) -> None:
        """Render has said what it is missing."""
        self._reported_missing = missing

    def contradicts(self, frame: InFlight, missing_parts: frozenset[str]) -> bool:
        """Whether a detect has told capture of no faces, and render of some."""
        return (
            frame.state is FrameState.FACELESS
            and DETECT not in missing_parts
            and not missing_parts.isdisjoint(self.attributes)
        )

    def make_due(self, number: int, stage: str) -> None:
        """Hand out a task again if its answer is still wanted."""
        frame = self.frames[number]
        if stage in frame.given_up or frame.state is FrameState.UNANALYSED:
            return
        missing_parts = self.missing_parts(number)
        if stage == DETECT:
            if frame.crops is None or frame.crops.attempt < frame.attempt or DETECT in missing_parts:
                self.due[DETECT].add(number)
        elif stage in missing_parts:
            # Its crops may be gone with the detect that cut them; then it is detect's task that is missing.
            if frame.state is FrameState.CROPPED:
                self.due[stage].add(number)
            elif frame.state is not FrameState.FACELESS and DETECT not in frame.holders:
                self.due[DETECT].add(number)

    def make_due_what_nobody_holds(self) -> None:
        """A part may be missing again: faces of an older try give way to newer answers, and who had found the newer
        ones may be dead by then."""
        for number, frame in self.frames.items():
            if frame.is_cut and number in self._reported_missing:
                for stage in self.missing_parts(number):
                    if stage in self.due and number not in self.due[stage] and stage not in frame.holders:
                        self.make_due(number, stage)

    def make_due_what_was_held_by(self, connection: str, stage: str) -> None:
        """A worker is gone: every task that it ever held and render is still missing is due again."""
        for number, frame in self.frames.items():
            if frame.holders.get(stage) == connection:
                del frame.holders[stage]
                self.make_due(number, stage)

    def not_due(self, number: int, stages: Iterable[str]) -> None:
        """These tasks are not to be handed out any more."""
        for stage in stages:
            self.due[stage].discard(number)

    def take_crops(self, connection: str, came: FaceCrops) -> FaceCrops | None:
        """These are the frame's crops now; returns those that they replace."""
        frame = self.frames[came.frame]
        frame.step(FrameEvent.CROPS if came.faces else FrameEvent.NO_FACES)
        known, frame.crops, frame.cut_by = frame.crops, came, connection
        added = came.size - (known.size if known is not None else 0)
        frame.size += added
        self.bytes += added
        return known

    def forget_crops_of(self, connection: str) -> None:
        """What this detect has cut is not believed, as far as something of it is still wanted."""
        for number, frame in self.frames.items():
            wanted = not self.missing_parts(number).isdisjoint(self.stages)
            if wanted and frame.is_cut and frame.cut_by == connection:
                frame.forget_crops()
                frame.holders[DETECT] = connection
                self.not_due(number, self.attributes)
