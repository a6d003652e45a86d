"""Who is in a video from when to when, and what is said of them for how long, from the lines of results.jsonl. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from ..answers import Age, Answer
from ..people.events import EventMachine
from ..people.presence import Presence
from ..results.jsonl import Line

BRIDGED_S = 1.0  # a person who is not found for less is taken to be there


@dataclass(slots=True)
class Span:
    """A label and how long it holds; seconds of the source."""

    start_s: float
    end_s: float
    label: str


@dataclass
class Person(Presence):
    """A person, with the spans in which they are in view, and of each stage those in which its label is the same."""

    in_view: list[Span] = field(default_factory=list)
    labels: dict[str, list[Span]] = field(default_factory=dict)  # by stage

    def hold(self, seconds: float) -> None:
        """As `Presence.hold`."""
        Presence.hold(self, seconds)
        start_s, end_s = self.seen.time, self.seen.time + seconds
        _add(self.in_view, start_s, end_s, self.name)
        for stage, answer in self.face.shown.items():
            _add(self.labels.setdefault(stage, []), start_s, end_s, label_of(stage, answer))

    def come_back(self, person: Person) -> None:
        """One who was given the same id later is the same person."""
        if person is not self:
            self.in_view += person.in_view
            for stage, spans in person.labels.items():
                self.labels.setdefault(stage, []).extend(spans)
            self.answers |= person.answers
            self.until_s = max(self.until_s, person.until_s)

    @property
    def name(self) -> str:
        """What they are called: a number of the tracker."""
        return f"#{self.id}"

    @property
    def said(self) -> dict[str, list[Span]]:
        """`labels` in the order of the configuration."""
        return {stage: self.labels[stage] for stage in self.answers if stage in self.labels}

    @property
    def summary(self) -> str:
        """What was said of them for longest, such as "woman, happy, 30-39"."""
        return ", ".join(_longest(spans) for spans in self.said.values())


def people_of(lines: Iterable[Line], coast_s: float) -> list[Person]:
    """Everybody in one video who was in view for long enough, in the order in which they came.

    `coast_s`: as in `EventMachine`. Faces without an id are nobody.
    """
    gone: dict[int, Person] = {}

    def left(person: Person) -> None:
        gone.setdefault(person.id, person).come_back(person)

    machine = EventMachine(coast_s, person=Person, left=left)
    for line in lines:
        machine.step(line)
    machine.end()
    return sorted(gone.values(), key=lambda person: (person.first.time, person.id))


def label_of(stage: str, answer: Answer) -> str:
    """What stands in a tier: the class, of an age its group; of a number the number."""
    if isinstance(answer, Age):
        return answer.group
    return answer.top[0] if answer.top else answer.brief(stage)


def _add(spans: list[Span], start_s: float, end_s: float, label: str) -> None:
    if spans and start_s - spans[-1].end_s < BRIDGED_S:
        if spans[-1].label == label:
            spans[-1].end_s = end_s
            return
        spans[-1].end_s = min(spans[-1].end_s, start_s)
    spans.append(Span(start_s, end_s, label))


def _longest(spans: list[Span]) -> str:
    seconds: dict[str, float] = {}
    for span in spans:
        seconds[span.label] = seconds.get(span.label, 0.0) + span.end_s - span.start_s
    return max(seconds, key=seconds.__getitem__)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a video in which the same people are there; seconds of the source."""

    start_s: float
    end_s: float
    people: tuple[Person, ...]

    @property
    def title(self) -> str:
        """Such as "#1 woman, happy, 30-39; #2 man, neutral, 40-49"."""
        return "; ".join(f"{person.name} {person.summary}".strip() for person in self.people) or "nobody"


def chapters_of(people: Iterable[Person], start_s: float, end_s: float, shortest_s: float) -> list[Chapter]:
    """From `start_s` to `end_s` without gaps. A new one begins where other people are there, none within `shortest_s`.

    `people` in the order in which they came.
    """
    people = list(people)
    changes = {edge for person in people for span in person.in_view for edge in (span.start_s, span.end_s)}
    starts = [start_s]
    for edge in sorted(changes):
        if edge - starts[-1] >= shortest_s and end_s - edge >= shortest_s:
            starts.append(edge)
    return list(_merged(_chapters(people, [*starts, end_s])))


def _chapters(people: list[Person], edges: list[float]) -> Iterator[Chapter]:
    coming, there = deque(people), []
    for start_s, end_s in pairwise(edges):
        while coming and coming[0].first.time < end_s:
            there.append(coming.popleft())
        there = [person for person in there if person.until_s > start_s]
        in_view = (person for person in there if any(_covers(span, start_s, end_s) for span in person.in_view))
        yield Chapter(start_s, end_s, tuple(in_view))


def _covers(span: Span, start_s: float, end_s: float) -> bool:
    """Whether they are there for half of this time, or half of that span is in it."""
    shared_s = min(span.end_s, end_s) - max(span.start_s, start_s)
    return shared_s > 0 and shared_s >= min(end_s - start_s, span.end_s - span.start_s) / 2


def _merged(chapters: Iterable[Chapter]) -> Iterator[Chapter]:
    last = None
    for chapter in chapters:
        if last is not None and chapter.people == last.people:
            last = Chapter(last.start_s, chapter.end_s, last.people)
            continue
        if last is not None:
            yield last
        last = chapter
    if last is not None:
        yield last
