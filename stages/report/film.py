"""The timeline of a video and a card for each person in it, as parts of the page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ..frames import UNSURE
from ..view.overlay.labels import css_colour, id_colour
from .gathering import UNFOLLOWED, Film
from .person import Moment, Person, StageAnswers
from .timeline import Strip
from .words import NARROW, Pictures, clock, colour_of, duration, image, part, percent, sentence

MOMENTS = 4  # thumbnails of a person with an expression each
LEAST_SHARE = 0.04  # of the time: rarer expressions have no picture of their own
NAMED = 4  # shares that are named; the rest is only drawn
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400)
TICKS = 7  # at most, along a timeline
WIDE = 1000  # of a lane, in its own units: it is drawn as wide as the page allows


# --- The timeline ---


def timeline(film: Film, people: list[Person], pictures: Pictures) -> Iterator[str]:
    """How many faces there were, and a lane for each person."""
    length_s = max(film.seconds, 0.001)
    yield f'<div class="timeline" data-seconds="{length_s:.3f}">'
    yield f'<div class="axis"><div></div><div class="ticks">{"".join(_ticks(length_s))}</div></div>'
    if film.faces is not None and (most := _most(film.faces)):
        title = f"faces at once, at most {most}"
        yield f'<div class="lane all"><div class="who">{title}</div>{_area(film.faces, most, length_s)}</div>'
    for person in people:
        yield f'<div class="lane"><div class="who">{_who(person, pictures)}</div>{_bar(person, length_s)}</div>'
    lost = list(film.lost.runs())
    if lost:
        runs = "".join(_rectangle(*run, length_s, "lost") for run in lost)
        yield f'<div class="lane"><div class="who">not complete</div>{_lane(runs)}</div>'
    yield '<div class="cursor" hidden><span></span></div></div>'
    yield _legend(people, bool(lost))


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


def _area(strip: Strip, most: int, length_s: float) -> str:
    """The number of faces as steps."""
    width = WIDE * strip.scale.width_s / length_s
    steps, end = [], None
    for number, held in strip.bins():
        high = 20 * sum(held.values()) / strip.scale.width_s / most
        if number != end:
            steps.append(f"{'' if end is None else 'V20Z'}M{number * width:.1f} 20")
        steps.append(f"V{20 - high:.1f}H{(number + 1) * width:.1f}")
        end = number + 1
    path = f'<path d="{"".join(steps)}V20Z"/>' if steps else ""
    return f'<svg class="area" viewBox="0 0 {WIDE} 20" preserveAspectRatio="none">{path}</svg>'


def _bar(person: Person, length_s: float) -> str:
    own = css_colour(id_colour(person.number)) if person.number != UNFOLLOWED else ""
    runs = (_rectangle(*run, length_s, own) for run in person.strip.runs())
    return _lane("".join(runs))


def _lane(runs: str) -> str:
    return f'<svg class="bar" viewBox="0 0 {WIDE} 10" preserveAspectRatio="none">{runs}</svg>'


def _rectangle(start_s: float, end_s: float, what: str, length_s: float, otherwise: str) -> str:
    """A run of a lane: in the colour of its label, or in another where it has none."""
    left, wide = WIDE * start_s / length_s, max(1.0, WIDE * (min(end_s, length_s) - start_s) / length_s)
    said = f"{clock(start_s, length_s)} – {clock(end_s, length_s)}" + (f", {escape(what)}" if what else "")
    place = f'x="{left:.1f}" width="{wide:.1f}" height="10"'
    fill = 'class="lost"' if otherwise == "lost" else f'fill="{colour_of(what) if what else otherwise}"'
    return f"<rect {place} {fill}><title>{said}</title></rect>"


def _who(person: Person, pictures: Pictures) -> str:
    if person.number == UNFOLLOWED:
        return "faces that were not followed"
    face = image(pictures, person.best[1] if person.best else None, f"face {person.number}")
    return f'{face}<b style="--id:{css_colour(id_colour(person.number))}">#{person.number}</b>'


def _legend(people: list[Person], lost: bool) -> str:
    labels = {what: None for person in people for _, _, what in person.strip.runs() if what}
    entries = [f'<span><i style="background:{colour_of(label)}"></i>{escape(label)}</span>' for label in labels]
    if lost:
        entries.append('<span><i class="lost"></i>dropped, or not every answer</span>')
    return f'<p class="legend">{"".join(entries)}</p>' if entries else ""


# --- The cards ---


def cards(film: Film, people: list[Person], coloured: str | None, pictures: Pictures) -> Iterator[str]:
    """What is known about each person."""
    yield '<div class="cards">'
    for person in people:
        yield "".join(_card(person, film.seconds, coloured, pictures))
    yield "</div>"


def _card(person: Person, length_s: float, coloured: str | None, pictures: Pictures) -> Iterator[str]:
    name = f"#{person.number}" if person.number != UNFOLLOWED else "Faces that were not followed"
    colour = css_colour(id_colour(person.number)) if person.number != UNFOLLOWED else "transparent"
    yield f'<article class="card" style="--id:{colour}">'
    face = image(pictures, person.best[1] if person.best else None, f"face {name}")
    yield f'<div class="face">{face or f"<span>{name}</span>"}</div><div class="about"><h4>{name}</h4>'
    for stage, said in person.answers.items():
        if stage != coloured and said.seconds:
            yield f"<p>{sentence(stage, said.mean)}</p>"
    if person.was_unsure and not any(said.seconds for said in person.answers.values()):
        yield f"<p>{UNSURE}</p>"
    when = f"{clock(person.first_s, length_s)} to {clock(person.last_s, length_s)}"
    yield f'<p class="quiet">in the picture for {duration(person.seconds)},<br>from {when}</p></div>'
    if coloured in person.answers and person.answers[coloured].seconds:
        yield "".join(_shares(person.answers[coloured], length_s, pictures))
    yield "</article>"


def _shares(said: StageAnswers, length_s: float, pictures: Pictures) -> Iterator[str]:
    """For which part of the time each label was the strongest, and how it looked."""
    shares = said.shares
    parts = (f'<i style="width:{100 * share:.2f}%;background:{colour_of(label)}"></i>' for label, share in shares)
    yield f'<div class="shares">{"".join(parts)}</div>'
    named = (f"<span>{escape(label)} <b>{part(share)}</b></span>" for label, share in shares[:NAMED] if share >= 0.005)
    yield f'<p class="named">{"".join(named)}</p>'
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
        if person.best:
            yield person.best[1]
        if coloured in person.answers:
            yield from (moment for _, _, moment in moments(person.answers[coloured]))
