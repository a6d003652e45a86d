"""What the page begins with: how many people, their ages and moods, and the moments that show them best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from ..answers import Age, Answer
from ..answers.age import OLDEST_DECADE, age_group
from ..names import printable
from ..reading.over_time import Moment
from ..reading.words import counted
from . import charts
from .film import LEAST_SHARE
from .gathering import UNFOLLOWED, Gathered
from .thumbnails import Pictures
from .words import NARROW, clock, followed, image, percent

MOMENTS = 8
POOR = 0.4  # of the best moment: what is worth less shows hardly anything


@dataclass(slots=True)
class Overview:
    """What is said of people, or of the faces of pictures."""

    count: int = 0  # of those whose answers are counted
    kinds: dict[str, Counter[str]] = field(default_factory=dict)  # stage with two labels -> how many have which
    ages: list[float] = field(default_factory=list)  # years
    groups: dict[str, Counter[str]] = field(default_factory=dict)  # age group -> how many, by the first of `kinds`
    moods: list[tuple[str, float]] = field(default_factory=list)  # shares of time or faces, the largest first

    @classmethod
    def of(cls, gathered: Gathered) -> Overview:
        """Of all that the page shows of a source."""
        overview = cls()
        for film in gathered.films:
            for person in film.shown:
                if person.id != UNFOLLOWED:
                    overview._add({stage: said.mean for stage, said in person.over_time.items()})
        labels = sum((film.labels for film in gathered.films), Counter())
        for still in gathered.stills:
            overview._add(shown := still.face.shown)
            if (answer := shown.get(gathered.coloured)) is not None and answer.top:
                labels[answer.top[0]] += 1
        labels.pop("", None)
        if total := sum(labels.values()):
            overview.moods = [(label, seconds / total) for label, seconds in labels.most_common()]
        return overview

    def _add(self, answers: dict[str, Answer]) -> None:
        self.count += 1
        two = [(stage, answer.top[0]) for stage, answer in answers.items() if answer.top and len(answer.shares) == 2]
        for stage, label in two:
            self.kinds.setdefault(stage, Counter())[label] += 1
        for answer in answers.values():
            if isinstance(answer, Age) and answer.years == answer.years:
                self.ages.append(answer.years)
                self.groups.setdefault(answer.group, Counter())[two[0][1] if two else ""] += 1
                break


def age_rows(groups: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Every age group from the youngest to the oldest, those without anybody too."""
    every = [age_group(decade) for decade in range(0, OLDEST_DECADE + 1, 10)]
    there = [place for place, group in enumerate(every) if group in groups]
    return {group: groups.get(group, Counter()) for group in every[min(there) : max(there) + 1]} if there else {}


def overview(gathered: Gathered) -> Iterator[str]:
    """The first section of a source."""
    about = Overview.of(gathered)
    yield '<section class="people"><h3>People</h3>'
    yield f'<dl class="tiles">{"".join(_tiles(gathered, about))}</dl>'
    if gathered.people > 1:
        yield (
            '<p class="quiet">People are counted by the numbers under which they are followed: somebody who leaves and'
            " comes back, or is lost from view, gets another number and counts again.</p>"
        )
    figures = (
        [charts.bars(f"Ages of {_counted(gathered, about)}", "years", rows)] if (rows := age_rows(about.groups)) else []
    )
    if about.moods:
        of = "of the time" if gathered.films else "of the faces"
        title = f"{escape(gathered.coloured)}, share {of}".capitalize()
        figures.append(f'<div class="moods"><p class="caption">{title}</p>{charts.shares(about.moods)}</div>')
    yield f'<div class="figures">{"".join(figures)}</div></section>' if figures else "</section>"


def _counted(gathered: Gathered, about: Overview) -> str:
    return counted(about.count, "person", "people") if gathered.films else counted(about.count, "face", "faces")


def _tiles(gathered: Gathered, about: Overview) -> Iterator[str]:
    if gathered.films:
        most = max(film.most_at_once for film in gathered.films)
        yield tile("people" if gathered.people == 1 else "people, at most", f"{gathered.people:,}")
        yield tile("at once, at most", f"{most:,}")
    if gathered.still_count:
        yield tile("faces in pictures", f"{gathered.still_faces:,}")
    for labels in about.kinds.values():
        yield kinds_tile(labels)
    if about.ages:
        yield tile("age", age_range(min(about.ages), max(about.ages)))
    if about.moods:
        yield mostly_tile(*about.moods[0])


def kinds_tile(labels: Counter[str]) -> str:
    """How many have each of two labels."""
    return tile(" / ".join(sorted(labels)), _slashed(labels))


def mostly_tile(label: str, share: float) -> str:
    """The largest share of the moods."""
    return tile("mostly", f"{escape(label)} <small>{percent(share)}</small>")


def tile(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>"


def _slashed(labels: Counter[str]) -> str:
    return f"{NARROW}/{NARROW}".join(f"{labels[label]:,}" for label in sorted(labels))


def age_range(youngest: float, oldest: float) -> str:
    """From which age to which."""
    low, high = f"{max(0.0, youngest):.0f}", f"{max(0.0, oldest):.0f}"
    return low if low == high else f"{low} to {high}"


def in_short(gathered: Iterable[Gathered]) -> str:
    """How many people there were in some sources."""
    every = list(gathered)
    most = max((film.most_at_once for one in every for film in one.films), default=0)
    return followed(sum(one.people for one in every), most)


# --- The best moments ---


@dataclass(frozen=True, slots=True)
class Best:
    """A face at which a label was said with confidence."""

    label: str
    confidence: float
    moment: Moment
    who: str
    worth: float  # confidence times the quality of the face


def best_moments(gathered: Gathered) -> list[Best]:
    """Those of the strongest labels: of each one the surest, then those of other people, in the order of time.

    One at which a face can hardly be seen is left out, if there is a better one.
    """
    return sorted(chosen_of(_candidates(gathered), MOMENTS), key=lambda best: best.moment.frame)


def chosen_of(candidates: Iterable[Best], most: int) -> list[Best]:
    """At most so many of them, as `best_moments` chooses."""
    every = sorted(candidates, key=lambda best: -best.worth)
    every = [best for best in every if best.worth >= POOR * every[0].worth]
    chosen: list[Best] = []
    for of in (lambda best: best.label, lambda best: best.who, lambda best: (best.label, best.who)):
        seen = {of(best) for best in chosen}
        for best in every:
            if len(chosen) < most and of(best) not in seen and best.moment not in {one.moment for one in chosen}:
                seen.add(of(best))
                chosen.append(best)
    return chosen


def _candidates(gathered: Gathered) -> Iterator[Best]:
    for film in gathered.films:
        for person in film.shown:
            said = person.over_time.get(gathered.coloured)
            who = f"#{person.id}" if person.id != UNFOLLOWED else ""
            for label, share in said.shares if said else ():
                if share >= LEAST_SHARE and label in said.best:
                    yield Best(label, *said.best[label], who, said.worth[label])
    for still in gathered.stills:
        answer = still.face.shown.get(gathered.coloured)
        if answer is not None and answer.top and not still.face.says_unsure:
            quality = 1.0 if still.face.quality is None else still.face.quality
            yield Best(*answer.top, still.moment, printable(still.moment.file or ""), answer.top[1] * quality)


def moments_section(gathered: Gathered, pictures: Pictures, captions: Sequence[str]) -> Iterator[str]:
    """The best moments as pictures; `captions`: sentences about all pictures of the page."""
    lengths = {film.file: film.seconds for film in gathered.films}
    figures = [
        f"<figure>{look}<figcaption><b>{escape(best.label)}</b> {percent(best.confidence)}<br>{_where(best, lengths)}"
        f"{_brightened(pictures, best.moment)}</figcaption></figure>"
        for best in best_moments(gathered)
        if (look := image(pictures, best.moment, f"{best.label}, {best.who}"))
    ]
    if figures:
        yield f'<section><h3>Best moments</h3><div class="best">{"".join(figures)}</div>'
        yield f'<p class="quiet">{" ".join(map(escape, captions))}</p></section>' if captions else "</section>"


def _where(best: Best, lengths: dict[str | None, float]) -> str:
    if best.moment.file not in lengths:
        return escape(best.who)
    time = clock(best.moment.time_s, lengths[best.moment.file])
    file = f", {escape(printable(best.moment.file))}" if best.moment.file is not None and len(lengths) > 1 else ""
    return f"{best.who} at {time}{file}".strip()


def _brightened(pictures: Pictures, moment: Moment) -> str:
    return "<br>brightened" if pictures[moment].is_brightened else ""
