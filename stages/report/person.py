"""One person of a video, as the page shows them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..frames import Face
from ..people import rows
from ..reading.over_time import StageAnswers
from ..results.jsonl import Line
from .timeline import Strip


@dataclass(kw_only=True, eq=False)
class Person(rows.Person):
    """A person with a lane of the timeline. Times of the page are seconds since the first frame of the video."""

    strip: Strip
    coloured: Callable[[], str | None]  # the stage whose labels colour the lane, as soon as it is known
    was_unsure: bool = False  # a picture of them was too poor for anything to be said

    def see(self, line: Line, face: Face) -> None:
        rows.Person.see(self, line, face)
        self.was_unsure |= face.says_unsure

    def hold(self, seconds: float) -> None:
        rows.Person.hold(self, seconds)
        start_s = max(0.0, self.seen.time - self.begins_s)
        self.strip.add(start_s, start_s + seconds, label_of(self.face, self.coloured()))

    @property
    def first_s(self) -> float:
        return max(0.0, self.first.time - self.begins_s)

    @property
    def last_s(self) -> float:
        return max(0.0, self.until_s - self.begins_s)

    @property
    def over_time(self) -> dict[str, StageAnswers]:
        """What was said over all the time, by stage; only where it was said at all."""
        return {stage: said for stage, said in self.said.stages.items() if said.seconds}


def label_of(face: Face, stage: str | None) -> str:
    """The strongest label of a stage about a face; "" where it says none."""
    answer = face.shown.get(stage)
    return answer.top[0] if answer and answer.top else ""
