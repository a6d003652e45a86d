"""What the files about one video are made of, gathered in one pass over its lines."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from ..reading.lines import Results, files
from ..results.jsonl import Line
from .spans import Chapter, Person, chapters_of, people_of
from .timecode import Rate, rate_of

SHORTEST_S = 5.0  # of a chapter


@dataclass(frozen=True)
class Film:
    """One video of a source, or what a camera saw."""

    source: str
    file: str | None
    size: tuple[int, int]  # width and height in pixels
    start_s: float  # when the first frame that was looked at is shown
    end_s: float  # when its last frame ends, in seconds from its first one
    people: list[Person]  # in the order in which they came
    rate: Rate  # at which its frames are counted; without drop frame
    is_steady: bool  # whether all frames are at whole numbers of it

    @property
    def name(self) -> str:
        """The name of its file, without folders."""
        return (self.file or self.source).rsplit("/", 1)[-1]

    @cached_property
    def chapters(self) -> list[Chapter]:
        """Its parts by who is there."""
        return chapters_of(self.people, self.start_s, self.end_s, SHORTEST_S)


def films_in(results: Results, coast_s: float) -> Iterator[Film]:
    """The videos of a source; pictures are left out. Raises `ResultsError`."""
    for is_film, lines in files(results):
        if is_film:
            yield _film(lines, coast_s)


def _film(lines: Iterator[Line], coast_s: float) -> Film:
    first, times = next(lines), array("d")

    def noted(lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            times.append(line.time)
            yield line

    people = people_of(noted(chain([first], lines)), coast_s)
    rate, is_steady = rate_of(times)
    size = first.width, first.height
    end_s = max(times) + float(1 / rate.exact)
    return Film(first.source, first.file, size, first.time, end_s, people, rate, is_steady)
