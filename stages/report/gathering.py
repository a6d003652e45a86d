"""What a report says, gathered from the lines of results.jsonl in one pass, with memory that does not grow. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, islice

from ..frames import Face
from .lines import DropEntry, Line
from .order import Cell
from .person import Moment, Person
from .tables import row_of
from .timeline import Scale, Strip

HOLD_S = 1.0  # an answer stands until the next frame, but for no longer
FIRST_S = 0.04  # how long the only frame of a video counts
BRIEF_S = 0.3  # a face seen for less is mostly a false detection: it is only counted
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
    scale: Scale = field(default_factory=Scale)
    frames: int = 0
    seconds: float = 0.0
    people: dict[int, Person] = field(default_factory=dict)
    faces: Strip = field(init=False)  # face-seconds, to draw how many there were
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
        return sorted(self.people.values(), key=lambda person: (person.first_s, person.number))

    def _longest(self, people: Iterable[Person]) -> list[Person]:
        return sorted(people, key=lambda person: (-person.seconds, person.number))

    def _let_go(self, people: Iterable[Person]) -> None:
        for person in people:
            del self.people[person.number]
            if person.seconds < BRIEF_S:
                self.brief += 1
            else:
                self.let_go, self.let_go_s = self.let_go + 1, self.let_go_s + person.seconds


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
    people: int = 0
    seconds: float = 0.0
    missing: Counter = field(default_factory=Counter)  # answers given up, by stage
    errors: Counter = field(default_factory=Counter)  # frames not analysed, by reason
    coloured: str | None = None  # the stage whose labels colour the timeline


def gather(lines: Iterable[Line], most_people: int) -> Gathered:
    """Everything of one source; `most_people` of a film are kept to be shown."""
    gathered = Gathered()
    for is_film, of_file in files(_counted(gathered, lines)):
        if not is_film:
            _add_still(gathered, next(of_file))
            continue
        film = _film(gathered, of_file, most_people)
        film.end(most_people)
        gathered.film_count += 1
        gathered.people += film.count
        gathered.seconds += film.seconds
        if len(gathered.films) < FILMS:
            gathered.films.append(film)
    return gathered


def files(lines: Iterable[Line]) -> Iterator[tuple[bool, Iterator[Line]]]:
    """The lines of each file of a source, and whether it is a film; to be read before the next is asked for."""
    for _, of_file in groupby(lines, key=lambda line: line.file):
        rest = iter(of_file)
        first = list(islice(rest, 2))
        is_still = len(first) == 1 and first[0].time == 0.0 and all(face.id is None for face in first[0].faces)
        yield not is_still, chain(first, rest)


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
        gathered.stills.append(Still(line.source, face, _moment(line, face, 0.0)))


def _film(gathered: Gathered, lines: Iterator[Line], most_people: int) -> Film:
    line = next(lines)
    film, begins_s, lasts_s = Film(line.file), line.time, FIRST_S
    while line is not None:
        now_s, following = max(0.0, line.time - begins_s), next(lines, None)
        if following is not None:
            gap_s = max(0.0, following.time - line.time)
            lasts_s = min(gap_s, HOLD_S)
            if following.frame > line.frame + 1:
                of_one_s = gap_s / (following.frame - line.frame)
                film.lost.add(now_s + of_one_s, now_s + gap_s, "dropped")
        _add_frame(film, gathered.coloured, line, now_s, now_s + lasts_s)
        if len(film.people) > CROWD:
            film.thin_out(most_people, now_s)
        line = following
    return film


def _add_frame(film: Film, coloured: str | None, line: Line, start_s: float, end_s: float) -> None:
    film.frames += 1
    film.seconds = max(film.seconds, end_s)
    film.scale.reach(end_s)
    if line.error is not None or line.missing:
        film.lost.add(start_s, end_s, "not analysed" if line.error is not None else "given up")
    if line.faces:
        film.faces.add(start_s, end_s, "", len(line.faces))
    for face in line.faces:
        number = UNFOLLOWED if face.id is None else face.id
        person = film.people.get(number)
        if person is None:
            person = film.people[number] = Person(number, Strip(film.scale), start_s)
        person.add(face, start_s, end_s, _moment(line, face, start_s), coloured)


def _moment(line: Line, face: Face, time_s: float) -> Moment:
    return Moment(line.frame, line.file, line.time, time_s, (line.width, line.height), face.box)


def losses_by_reason(losses: Iterable[DropEntry]) -> Counter[tuple[str, str, str]]:
    """Frames by what happened to them, at which stage and why; beyond `REASONS` the reasons are not told apart."""
    frames: Counter[tuple[str, str, str]] = Counter()
    for loss in losses:
        key = (loss.what, loss.stage, loss.reason)
        known = key in frames or len(frames) < REASONS
        frames[key if known else ("other", "", "")] += loss.last + 1 - loss.first
    return frames
