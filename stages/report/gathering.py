"""What a report says, gathered from the lines of results.jsonl in one pass, with memory that does not grow. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..areas import Areas
from ..frames import Face
from ..people.events import EventMachine
from ..people.presence import BRIEF_S, FIRST_S, HOLD_S
from ..people.rows import moment_of
from ..reading.lines import DropEntry, Line, files
from ..reading.order import Cell
from ..reading.over_time import Moment
from ..reading.tables import row_of
from .person import Person
from .timeline import Scale, Strip

GONE_S = 61.0  # after so long no face comes back under the same number: `render.coast` is at most 60
CROWD = 2048  # people kept before those who are gone and were seen least are dropped
FILMS = 24  # of a folder, shown in full
FACES = 20_000  # of pictures, shown: a page of 60 MB
UNFOLLOWED = 0  # the number under which all faces go that have none: `render.track: false`
REASONS = 50  # kinds of losses that are counted apart


@dataclass(slots=True)
class Film:
    """A video, or what a camera saw."""

    file: str | None
    begins_s: float = 0.0  # the time of its first frame
    coloured: Callable[[], str | None] = lambda: None  # the stage whose labels colour the timeline
    scale: Scale = field(default_factory=Scale)
    frames: int = 0
    seconds: float = 0.0
    people: dict[int, Person] = field(default_factory=dict)
    faces: Strip = field(init=False)  # face-seconds by label; whole after `end`, without the brief
    at_once: Counter[int] = field(default_factory=Counter)  # seconds by number of faces
    lost: Strip = field(init=False)  # "dropped", "not analysed", "given up"
    let_go: int = 0  # people who are only counted: there for less long than those who are kept
    let_go_s: float = 0.0
    brief: int = 0  # let go too: faces that were seen for less than `BRIEF_S`

    def __post_init__(self) -> None:
        self.faces, self.lost = Strip(self.scale), Strip(self.scale)

    def end(self, most: int) -> None:
        """Keep only the people to show, at most `most`."""
        if any(person.seconds >= BRIEF_S for person in self.people.values()):
            self._let_go([person for person in self.people.values() if person.seconds < BRIEF_S])
        self._let_go(self._longest(self.people.values())[most:])
        for person in self.people.values():
            self.faces.include(person.strip)

    def thin_out(self, most: int, now_s: float) -> None:
        """Drop people who will not be shown, when there are too many to keep."""
        gone = [person for person in self.people.values() if now_s - person.last_s > GONE_S]
        self._let_go(self._longest(gone)[most:])

    @property
    def count(self) -> int:
        """How many people there were, as far as following tells."""
        return len(self.people.keys() - {UNFOLLOWED}) + self.let_go

    @property
    def shown(self) -> list[Person]:
        """The people who were there longest, in the order in which they came."""
        return sorted(self.people.values(), key=lambda person: (person.first_s, person.id))

    @property
    def most_at_once(self) -> int:
        """How many faces there were at the same time, for `BRIEF_S` at least: fewer people there were not."""
        seconds = 0.0
        for number in sorted(self.at_once, reverse=True):
            seconds += self.at_once[number]
            if seconds >= BRIEF_S:
                return number
        return max(self.at_once, default=0)

    @property
    def labels(self) -> Counter[str]:
        """For how many seconds faces had each label of the stage that colours the timeline."""
        seconds: Counter[str] = Counter()
        for _, held in self.faces.bins():
            seconds.update(held)
        return seconds

    def person(self, number: int, line: Line) -> Person:
        """The one with this number, who may be new in this frame."""
        if number not in self.people:
            self.people[number] = Person(
                number, line, begins_s=self.begins_s, strip=Strip(self.scale), coloured=self.coloured
            )
        return self.people[number]

    def _longest(self, people: Iterable[Person]) -> list[Person]:
        return sorted(people, key=lambda person: (-person.seconds, person.id))

    def _let_go(self, people: Iterable[Person]) -> None:
        for person in people:
            del self.people[person.id]
            if person.seconds < BRIEF_S:
                self.brief += 1
            else:
                self.let_go, self.let_go_s = self.let_go + 1, self.let_go_s + person.seconds
                self.faces.include(person.strip)


@dataclass(frozen=True, slots=True)
class Still:
    """A face in a picture."""

    source: str
    face: Face
    moment: Moment

    @property
    def cells(self) -> dict[str, Cell]:
        """What it is sorted by: its row in a table, with the answers that are displayed."""
        moment, shown = self.moment, replace(self.face, answers=self.face.shown, smoothed={})
        return row_of(self.source, moment.file, moment.frame, moment.time, shown)


@dataclass(slots=True)
class Gathered:
    """All that is to be told about one source."""

    source: str = ""
    frames: int = 0
    faces: int = 0
    films: list[Film] = field(default_factory=list)
    stills: list[Still] = field(default_factory=list)  # at most `FACES`
    film_count: int = 0
    still_count: int = 0  # pictures
    still_faces: int = 0
    empty_stills: int = 0  # pictures without a face
    areas: Areas = field(default_factory=Areas)  # zones and lines
    people: int = 0
    seconds: float = 0.0
    missing: Counter = field(default_factory=Counter)  # answers given up, by stage
    errors: Counter = field(default_factory=Counter)  # frames not analysed, by reason
    coloured: str | None = None  # the stage whose labels colour the timeline


def gather(lines: Iterable[Line], most_people: int, coast_s: float = 1.0, areas: Areas | None = None) -> Gathered:
    """Everything of one source; `most_people` of a film are kept to be shown.

    `coast_s`, `areas`: as in `EventMachine`, which says how long people were in view, in which zones and over which
    lines they went.
    """
    gathered = Gathered(areas=areas or Areas())
    for is_film, of_file in files(_counted(gathered, lines)):
        if not is_film:
            _add_still(gathered, next(of_file))
            continue
        film = _film(gathered, of_file, most_people, coast_s, gathered.areas)
        film.end(most_people)
        gathered.film_count += 1
        gathered.people += film.count
        gathered.seconds += film.seconds
        if len(gathered.films) < FILMS:
            gathered.films.append(film)
    return gathered


def _counted(gathered: Gathered, lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        _count(gathered, line)
        yield line


def _count(gathered: Gathered, line: Line) -> None:
    gathered.source = line.source
    gathered.frames += 1
    gathered.faces += len(line.faces)
    gathered.missing.update(line.missing)
    if line.error is not None:
        known = line.error in gathered.errors or len(gathered.errors) < REASONS
        gathered.errors[line.error if known else "other reasons"] += 1
    if gathered.coloured is None:
        gathered.coloured = _stage_with_colours(line.faces)


def _stage_with_colours(faces: list[Face]) -> str | None:
    """The first whose answers have more than two classes: two do not change while one looks on."""
    several = (stage for face in faces for stage, answer in face.shown.items() if len(answer.shares) > 2)
    return next(several, None)


def _add_still(gathered: Gathered, line: Line) -> None:
    gathered.still_count += 1
    gathered.empty_stills += not line.faces
    gathered.still_faces += len(line.faces)
    for face in line.faces[: max(0, FACES - len(gathered.stills))]:
        gathered.stills.append(Still(line.source, face, moment_of(line, face, line.time)))


def _film(gathered: Gathered, lines: Iterator[Line], most_people: int, coast_s: float, areas: Areas) -> Film:
    line = next(lines)
    film, lasts_s = Film(line.file, line.time, lambda: gathered.coloured), FIRST_S
    machine = EventMachine(coast_s, areas, film.person)
    while line is not None:
        now_s, following = max(0.0, line.time - film.begins_s), next(lines, None)
        if following is not None:
            gap_s = max(0.0, following.time - line.time)
            lasts_s = min(gap_s, HOLD_S)
            if following.frame > line.frame + 1:
                of_one_s = gap_s / (following.frame - line.frame)
                film.lost.add(now_s + of_one_s, now_s + gap_s, "dropped")
        _add_frame(film, line, now_s, now_s + lasts_s)
        machine.step(line)
        if len(film.people) > CROWD:
            film.thin_out(most_people, now_s)
        line = following
    machine.end()
    return film


def _add_frame(film: Film, line: Line, start_s: float, end_s: float) -> None:
    film.frames += 1
    film.seconds = max(film.seconds, end_s)
    film.scale.reach(end_s)
    if line.error is not None or line.missing:
        film.lost.add(start_s, end_s, "not analysed" if line.error is not None else "given up")
    if line.faces:
        film.at_once[len(line.faces)] += end_s - start_s
    for face in line.faces:
        if face.id is None:  # Nobody follows it, so it stands for this frame alone.
            unfollowed = film.person(UNFOLLOWED, line)
            unfollowed.see(line, face)
            unfollowed.hold(end_s - start_s)


def losses_by_reason(losses: Iterable[DropEntry]) -> Counter[tuple[str, str, str]]:
    """Frames by what happened to them, at which stage and why; beyond `REASONS` the reasons are not told apart."""
    frames: Counter[tuple[str, str, str]] = Counter()
    for loss in losses:
        key = (loss.what, loss.stage, loss.reason)
        known = key in frames or len(frames) < REASONS
        frames[key if known else ("other", "", "")] += loss.last + 1 - loss.first
    return frames
