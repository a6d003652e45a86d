"""The timeline of a video and a card for each person in it, as parts of the page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ..areas import Areas
from ..frames import UNSURE
from ..names import printable
from ..people.rows import columns_of
from ..reading.over_time import Moment, StageAnswers
from ..reading.words import counted
from ..view.overlay.labels import css_colour, id_colour
from . import charts
from .gathering import UNFOLLOWED, Film
from .person import Person
from .thumbnails import Pictures
from .timeline import Strip
from .words import NARROW, clock, colour_of, duration, image, percent, sentence

MOMENTS = 4  # thumbnails of a person with an expression each
LEAST_SHARE = 0.04  # of the time: rarer expressions have no picture of their own
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400)
TICKS = 7  # at most, along a timeline
REST = "The command people writes all of them."


# --- The timeline ---


def timeline(film: Film, people: list[Person], coloured: str | None, pictures: Pictures) -> Iterator[str]:
    """How many faces there were, with which label, and a lane for each person."""
    length_s = max(film.seconds, 0.001)
    yield f'<div class="timeline" data-seconds="{length_s:.3f}">'
    slider = (
        'tabindex="0" role="slider" aria-label="Time" aria-valuemin="0" aria-valuenow="0"'
        f' aria-valuemax="{length_s:.3f}" aria-valuetext="arrow keys move along the time"'
    )
    yield f'<div class="axis"><div></div><div class="ticks" {slider}>{"".join(_ticks(length_s))}</div></div>'
    if most := _most(film.faces):
        yield _lane("all", f"faces at once, up to {most}", charts.areas(film.faces, most, length_s))
    for person in people:
        own = css_colour(id_colour(person.id)) if person.id != UNFOLLOWED else "var(--quiet)"
        yield _lane("", _who(person, coloured, pictures), charts.lane(person.strip.runs(), length_s, own))
    lost = list(film.lost.runs())
    if lost:
        yield _lane("", "not complete", charts.lane(lost, length_s, "lost"))
    yield '<div class="cursor" hidden><span></span></div></div>'
    yield _legend(film, bool(lost))


def timeline_tables(film: Film, people: list[Person], coloured: str | None) -> Iterator[str]:
    """The same as tables."""
    yield _faces_table(film, coloured or "faces")
    runs = [(name_of(person), *map(_seconds, run[:2]), run[2]) for person in people for run in person.strip.runs()]
    yield charts.table("Who was there, and when", ["number", "from", "to", coloured or "label"], runs, REST)


def _lane(kind: str, who: str, chart: str) -> str:
    return f'<div class="lane {kind}"><div class="who">{who}</div>{chart}</div>'


def _faces_table(film: Film, coloured: str) -> str:
    columns = list(film.faces.columns(charts.COLUMNS, film.seconds))
    labels = sorted({label for _, _, held in columns for label in held if label})
    rows = [
        [
            _seconds(start_s),
            _seconds(end_s),
            f"{sum(held.values()):.2f}",
            *(f"{held.get(one, 0):.2f}" for one in labels),
        ]
        for start_s, end_s, held in columns
    ]
    return charts.table(f"Mean number of faces at once, by {coloured}", ["from", "to", "faces", *labels], rows)


def _seconds(at_s: float) -> str:
    return f"{at_s:.3f}"


def _ticks(length_s: float) -> Iterator[str]:
    step_s = next((step for step in STEPS_S if length_s / step <= TICKS), STEPS_S[-1] * max(1, length_s // 500_000))
    number = 0
    while number * step_s <= length_s:
        at_s = number * step_s
        said = f"{at_s:g}{NARROW}s" if length_s < 60 else clock(at_s, length_s)
        end = ' class="end"' if at_s > 0.96 * length_s else ""
        yield f'<i style="left:{100 * at_s / length_s:.2f}%"{end}>{said}</i>'
        number += 1


def _most(strip: Strip) -> int:
    return max((round(sum(held.values()) / strip.scale.width_s) for _, held in strip.bins()), default=0)


def _who(person: Person, coloured: str | None, pictures: Pictures) -> str:
    if person.id == UNFOLLOWED:
        return "faces that were not followed"
    face = _face(person, coloured, pictures)
    return f'{face}<b style="--id:{css_colour(id_colour(person.id))}">#{person.id}</b>'


def _legend(film: Film, lost: bool) -> str:
    labels = film.labels
    entries = [
        f'<span><i style="background:{colour_of(label)}"></i>{escape(label)}</span>'
        for label in sorted(labels)
        if label
    ]
    if entries and labels[""]:
        entries.append('<span><i class="none"></i>no answer</span>')
    if lost:
        entries.append('<span><i class="lost"></i>dropped, or not every answer</span>')
    return f'<p class="legend">{"".join(entries)}</p>' if entries else ""


# --- The cards ---


def name_of(person: Person) -> str:
    return f"#{person.id}" if person.id != UNFOLLOWED else "not followed"


def cards(film: Film, people: list[Person], coloured: str | None, pictures: Pictures) -> Iterator[str]:
    """What is known about each person."""
    yield '<div class="cards">'
    for person in people:
        yield "".join(_card(person, film.seconds, coloured, pictures))
    yield "</div>"


def _card(person: Person, length_s: float, coloured: str | None, pictures: Pictures) -> Iterator[str]:
    name = name_of(person) if person.id != UNFOLLOWED else "Faces that were not followed"
    colour = css_colour(id_colour(person.id)) if person.id != UNFOLLOWED else "transparent"
    yield f'<article class="card" style="--id:{colour}">'
    face = _face(person, coloured, pictures)
    yield f'<div class="face">{face or f"<span>{name}</span>"}</div><div class="about"><h4>{name}</h4>'
    for stage, said in person.over_time.items():
        if stage != coloured:
            yield f"<p>{sentence(stage, said.mean)}</p>"
    if person.was_unsure and not person.over_time:
        yield f"<p>{UNSURE}</p>"
    yield f'<p class="quiet">in the picture for {duration(person.seconds)},<br>{_when(person, length_s)}</p>'
    yield "".join(f'<p class="quiet">{said}</p>' for said in _behaviour(person))
    yield "</div>"
    if coloured in person.over_time:
        yield "".join(_looks(person.over_time[coloured], length_s, pictures))
    yield "</article>"


def _face(person: Person, coloured: str | None, pictures: Pictures) -> str:
    """Their best picture, or another one of them where that cannot be had: a run under way has not written it yet."""
    images = (image(pictures, moment, f"face {name_of(person)}") for moment in wanted([person], coloured))
    return next(filter(None, images), "")


def _when(person: Person, length_s: float) -> str:
    """By the clock where there is one, as of a camera."""
    if person.first.clock and person.seen.clock:
        day, _, first = person.first.clock.partition("T")
        return f"{escape(day)}, {escape(first[:8])} to {escape(person.seen.clock.partition('T')[2][:8])}"
    return f"from {clock(person.first_s, length_s)} to {clock(person.last_s, length_s)}"


def _behaviour(person: Person) -> Iterator[str]:
    """Where they looked, stayed and went."""
    if person.said.facing is not None:
        yield f"facing the camera {percent(person.said.facing)}"
    for zone, stay in person.zones.items():
        if stay.visits:
            yield f"in {escape(printable(zone))} for {duration(stay.seconds)}"
    for (line, way), count in sorted(person.crossings.items()):
        yield f"crossed {escape(printable(line))}, {way}, {counted(count, 'time', 'times')}"


def _looks(said: StageAnswers, length_s: float, pictures: Pictures) -> Iterator[str]:
    """For which part of the time each label was the strongest, and how it looked."""
    yield charts.shares(said.shares)
    looks = [
        f"<figure>{look}<figcaption><b>{escape(label)}</b> {percent(sure)}<br>at {clock(moment.time_s, length_s)}"
        "</figcaption></figure>"
        for label, sure, moment in moments(said)
        if (look := image(pictures, moment, label))
    ]
    if len(looks) > 1:  # One alone is the picture that is there already.
        yield f'<div class="moments">{"".join(looks)}</div>'


def moments(said: StageAnswers) -> list[tuple[str, float, Moment]]:
    """Where each of the commonest labels was surest."""
    common = [label for label, share in said.shares[:MOMENTS] if share >= LEAST_SHARE and label in said.best]
    return [(label, *said.best[label]) for label in common]


def wanted(people: list[Person], coloured: str | None) -> Iterator[Moment]:
    """The faces that the timeline and the cards show."""
    for person in people:
        yield person.best_moment
        if coloured in person.over_time:
            yield from (moment for _, _, moment in moments(person.over_time[coloured]))


def people_table(people: list[Person], areas: Areas) -> str:
    """The people that are shown, as `python -m stages.people` writes them."""
    rows = [person.row(areas, lambda line: None) for person in people if person.id != UNFOLLOWED]
    columns = [name for name in columns_of(rows) if name != "best_picture"]
    return charts.table("Each of them", columns, ([row.get(name) for name in columns] for row in rows), REST)
