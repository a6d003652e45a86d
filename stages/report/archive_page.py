"""The page over an archive: all films in a table, and what is said of all of them together. Pure.

Its size is bounded, however many films there are: `LISTED` of them are in the table, and `MOMENTS` have a picture.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest
from html import escape

from ..names import printable, without_folders
from ..reading.words import counted
from . import charts
from .digest import COUNTED, Digest
from .document import document
from .overview import Best, age_range, age_rows, chosen_of, kinds_tile, mostly_tile, tile
from .thumbnails import Thumbnail
from .words import NARROW, clock, duration, image, percent

LISTED = 5000  # films in the table: a page of 2 MB
MOMENTS = 12


@dataclass(frozen=True, slots=True)
class Film:
    """A film that was analysed."""

    name: str
    digest: Digest
    link: str | None = None  # to its own report, from the page

    @property
    def moods(self) -> list[tuple[str, float]]:
        """Shares, the largest first."""
        return _shares(self.digest.moods)


@dataclass(slots=True)
class Archive:
    """Everything that the page says; films are added one after the other."""

    name: str
    films: list[Film] = field(default_factory=list)  # those to list, at most twice `LISTED`
    count: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # name and reason
    open: int = 0  # films that are not analysed yet
    seconds: float = 0.0
    frames: int = 0
    faces: int = 0
    numbers: int = 0
    most_at_once: int = 0
    errors: int = 0
    core_s: float = 0.0  # seconds that one core was given to it, also while it waited; where it is known
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    ages: tuple[float, float] | None = None  # the lowest and the highest
    age_count: int = 0
    groups: dict[str, Counter[str]] = field(default_factory=dict)
    stage: str | None = None
    moods: Counter[str] = field(default_factory=Counter)
    moments: list[Best] = field(default_factory=list)  # candidates; `who` is the film

    def add(self, film: Film) -> None:
        """Count a film in."""
        digest = film.digest
        self.count += 1
        for name in ("seconds", "frames", "faces", "numbers", "errors", "age_count"):
            setattr(self, name, getattr(self, name) + getattr(digest, name))
        self.most_at_once = max(self.most_at_once, digest.at_once)
        for into, counts in ((self.kinds, digest.kinds), (self.groups, digest.groups)):
            for key, labels in counts.items():
                into.setdefault(key, Counter()).update(labels)
        if digest.ages is not None:
            low, _, high = digest.ages
            self.ages = (min(low, self.ages[0]), max(high, self.ages[1])) if self.ages else (low, high)
        self.stage = self.stage or digest.stage
        self.moods.update(digest.moods)
        self.moments += [replace(best, who=film.name) for best in digest.moments]
        self.films.append(film)
        if len(self.films) > 2 * LISTED:
            self._thin_out()

    def listed(self) -> list[Film]:
        """The films with the most people, at most `LISTED`, by name."""
        self._thin_out()
        return sorted(self.films, key=lambda film: film.name)

    def best_moments(self) -> list[Best]:
        """Those to show: different labels, then different films; of a film that is there twice only once."""
        return chosen_of(self.moments, MOMENTS)

    def _thin_out(self) -> None:
        self.films = nlargest(LISTED, self.films, key=lambda film: (film.digest.numbers, film.digest.seconds))
        self.moments = nlargest(LISTED, self.moments, key=lambda best: best.worth)


def archive_page(
    archive: Archive, day: str, pictures: Mapping[Best, Thumbnail], notes: Sequence[str] = ()
) -> Iterator[str]:
    """The document, in parts.

    `day`: when the page was made, for the reader. `pictures`: of the moments of `best_moments` those that could be had.
    `notes`: sentences about them.
    """
    about = [day, counted(archive.count, "film", "films")]
    if archive.seconds:
        about.append(f"{hours(archive.seconds)} of video")
    if archive.unreadable:
        about.append(f"{len(archive.unreadable):,} not analysed")
    yield from document(archive.name, " · ".join(about), _body(archive, pictures, notes))


def hours(seconds: float) -> str:
    """A length; of many hours the minutes are left out."""
    return f"{seconds / 3600:,.0f}{NARROW}h" if seconds >= 360_000 else duration(seconds)


def _body(archive: Archive, pictures: Mapping, notes: Sequence[str]) -> Iterator[str]:
    if archive.open:
        are, them = ("film is", "it") if archive.open == 1 else ("films are", "them")
        yield f'<p class="note">{archive.open:,} {are} not analysed yet; this page is made without {them}.</p>'
    if archive.count:
        yield from _people(archive)
        yield from _moments(archive, pictures, notes)
        yield from _films(archive)
    if archive.unreadable:
        rows = [
            (printable(name), printable(without_folders(reason, name))) for name, reason in sorted(archive.unreadable)
        ]
        yield "<section><h2>Films that were not analysed</h2>"
        yield charts.table("Films and reasons", ("film", "reason"), rows, "archive.json has all of them.", is_open=True)
        yield "</section>"
    if archive.count:
        yield from _engineering(archive)


def _people(archive: Archive) -> Iterator[str]:
    yield '<section class="people"><h2>All films together</h2><dl class="tiles">'
    yield tile("people, at most", f"{archive.numbers:,}")
    yield tile("at once, at most", f"{archive.most_at_once:,}")
    yield "".join(kinds_tile(labels) for labels in archive.kinds.values())
    if archive.ages:
        yield tile("age", age_range(*archive.ages))
    moods = _shares(archive.moods)
    if moods:
        yield mostly_tile(*moods[0])
    yield (
        '</dl><p class="quiet">People are counted by the numbers under which they are followed in each film. Nobody is'
        " recognised from film to film: somebody who is in several films, or leaves and comes back, counts again."
        f"{_uncounted(archive)}</p>"
    )
    figures = []
    if rows := age_rows(archive.groups):
        figures.append(charts.bars(f"Ages of {counted(archive.age_count, 'person', 'people')}", "years", rows))
    if moods:
        title = f"{escape(archive.stage or '')}, share of the time".capitalize()
        figures.append(f'<div class="moods"><p class="caption">{title}</p>{charts.shares(moods)}</div>')
    yield f'<div class="figures">{"".join(figures)}</div></section>' if figures else "</section>"


def _uncounted(archive: Archive) -> str:
    left_out = archive.numbers - max([labels.total() for labels in archive.kinds.values()] + [archive.age_count])
    if left_out <= 0 or not (archive.kinds or archive.ages):
        return ""
    return (
        f" Ages and labels are of {archive.numbers - left_out:,} of them: at most {COUNTED:,} of a film are counted,"
        " and only those of whom something was said."
    )


def _moments(archive: Archive, pictures: Mapping, notes: Sequence[str]) -> Iterator[str]:
    best = archive.best_moments()
    if not best:
        return
    links = {film.name: film.link for film in archive.films}
    lengths = {film.name: film.digest.seconds for film in archive.films}
    yield "<section><h2>Best moments</h2>"
    figures = [
        f"<figure>{image(pictures, one, f'{one.label}, {printable(one.who)}')}<figcaption><b>{escape(one.label)}</b>"
        f" {percent(one.confidence)}<br>{_linked(one.who, links.get(one.who))}"
        f" at {_at(one, lengths)}"
        "</figcaption></figure>"
        for one in best
        if one in pictures
    ]
    if figures:
        yield f'<div class="best">{"".join(figures)}</div>'
    if notes:
        yield f'<p class="quiet">{" ".join(map(escape, notes))}</p>'
    every = nlargest(charts.ROWS, archive.moments, key=lambda one: one.worth)
    rows = [(printable(one.who), f"{one.moment.time_s:.2f}", one.label, f"{one.confidence:.3f}") for one in every]
    yield charts.table("Moments", ("film", "seconds", archive.stage or "label", "confidence"), rows)
    yield "</section>"


def _at(best: Best, lengths: Mapping[str, float]) -> str:
    return clock(best.moment.time_s, lengths.get(best.who, best.moment.time_s))


def _linked(name: str, link: str | None) -> str:
    said = escape(printable(name))
    return f'<a href="{escape(link)}">{said}</a>' if link else said


def _films(archive: Archive) -> Iterator[str]:
    listed = archive.listed()
    if not listed:
        return
    labels = {stage: list(counts) for stage, counts in archive.kinds.items()}
    heads = ["film", "length", "people", "at once", "faces"]
    heads += [label for of_stage in labels.values() for label in sorted(of_stage)]
    heads += ["mean age"] * (archive.ages is not None) + ["mostly"] * bool(archive.moods)
    yield "<section><h2>Films</h2>"
    if archive.count > len(listed):
        yield (
            f'<p class="quiet">The {len(listed):,} films with the most people are listed;'
            f" {archive.count - len(listed):,} others are in the figures above, in archive.json and in the data set."
            "</p>"
        )
    yield (
        '<form class="finder rows" hidden><label>Find <input type="search" name="find"></label>'
        '<button type="button" class="copy">Copy as CSV</button><output></output></form>'
    )
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Films">'
    yield f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>'
    for film in listed:
        yield f"<tr>{''.join(_cells(film, labels, archive))}</tr>"
    yield '</tbody></table></div><button type="button" class="more" hidden>Show more</button>'
    if not any(film.link for film in listed):
        film, folder = (shlex.quote(printable(name)) for name in (f"{archive.name}/{listed[0].name}", archive.name))
        yield (
            '<p class="quiet">No film has a report of its own yet. To make one and link it here, run for example'
            f" <code>facepipe report {escape(film)} &amp;&amp; facepipe report {escape(folder)}</code> in the folder"
            " above this archive.</p>"
        )
    yield "</section>"


def _cells(film: Film, labels: Mapping[str, Iterable[str]], archive: Archive) -> Iterator[str]:
    """`data-value` is what a cell is sorted by and copied as, where that is not its text."""
    digest = film.digest
    yield f'<th scope="row">{_linked(film.name, film.link)}</th>'
    yield _cell(duration(digest.seconds), f"{digest.seconds:g}")
    for count in (digest.numbers, digest.at_once, digest.faces):
        yield _cell(f"{count:,}", count)
    for stage, of_stage in labels.items():
        for label in sorted(of_stage):
            count = digest.kinds.get(stage, {}).get(label, 0)
            yield _cell(f"{count:,}", count)
    if archive.ages is not None:
        yield _cell(f"{max(0.0, digest.ages[1]):.0f}", f"{digest.ages[1]:.1f}") if digest.ages else _cell("", "")
    if archive.moods:
        moods = film.moods
        label, share = moods[0] if moods else ("", 0.0)
        yield (
            _cell(f"{escape(label)} <small>{percent(share)}</small>", f"{label} {share:.2f}")
            if moods
            else _cell("", "")
        )


def _cell(said: str, value: object) -> str:
    return f'<td data-value="{escape(str(value))}">{said}</td>'


def _shares(moods: Mapping[str, float]) -> list[tuple[str, float]]:
    total = sum(moods.values())
    return [(label, seconds / total) for label, seconds in Counter(moods).most_common()] if total else []


def _engineering(archive: Archive) -> Iterator[str]:
    """Folded, and last."""
    of = "the film" if archive.count == 1 else f"the {archive.count:,} films"
    missing = f"{archive.errors:,} frames were not analysed" if archive.errors else f"every frame of {of} was analysed"
    yield f'<details class="engineering"><summary>How the analysis went <small>{missing}</small></summary>'
    tiles = [("frames", f"{archive.frames:,}"), ("faces", f"{archive.faces:,}")]
    tiles.append(("frames not analysed", f"{archive.errors:,}"))
    if archive.core_s:
        tiles.append(("time on one core", hours(archive.core_s)))
        if archive.seconds:
            tiles.append(("seconds of video a core second", f"{archive.seconds / archive.core_s:.2f}"))
    yield f'<dl class="tiles">{"".join(tile(*one) for one in tiles)}</dl></details>'
