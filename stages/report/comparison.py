"""The page that shows two runs side by side, and face by face where both had the same source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

from ..answers import Answer
from ..names import printable
from ..reading.words import counted
from . import charts
from .compare import Comparison, Difference, Stage
from .document import document
from .gathering import Gathered
from .overview import Overview, age_rows
from .thumbnails import Pictures
from .words import NARROW, clock, image, percent, sentence

OTHER_SOURCE = "The two runs had different sources, or files that were changed, so their faces are not compared."


@dataclass(slots=True)
class Side:
    """One source of one run."""

    gathered: Gathered
    account: dict  # of this source, from summary.json; {} where there is none
    restarts: int | None = None  # of the run; None where nothing says so


@dataclass(slots=True)
class Pair:
    """One source of two runs."""

    first: Side
    second: Side
    comparison: Comparison | None = None  # None: it was not the same source
    pictures: Pictures = field(default_factory=dict)  # of the largest differences
    notes: list[str] = field(default_factory=list)  # sentences


def page(names: tuple[str, str], pairs: list[Pair], settings: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """The document, in parts. `names`: of the runs; `settings`: the inputs that are not the same, by name."""
    sources = ", ".join(dict.fromkeys(pair.first.gathered.source for pair in pairs))
    heads = [printable(name) for name in names]
    yield from document(f"{heads[0]} and {heads[1]}", escape(printable(sources)), _body(heads, pairs, settings))


def _body(heads: list[str], pairs: list[Pair], settings: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for pair in pairs:
        if len(pairs) > 1:
            yield f'<h2 class="source">{escape(printable(pair.first.gathered.source))}</h2>'
        for note in pair.notes:
            yield f'<p class="note">{escape(printable(note))}</p>'
        yield from _side_by_side(heads, pair)
        if pair.comparison is None:
            yield f'<p class="note">{OTHER_SOURCE}</p>'
        else:
            yield from _face_by_face(heads, pair)
    yield "<section><h3>Settings that differ</h3>"
    if settings:
        rows = ([name, *(printable(value) for value in values)] for name, values in settings.items())
        yield charts.table("Settings", ["setting", *heads], rows, is_open=True)
        yield "</section>"
    else:
        yield '<p class="quiet">None that the results depend on.</p></section>'


def _side_by_side(heads: list[str], pair: Pair) -> Iterator[str]:
    sides = pair.first, pair.second
    abouts = [Overview.of(side.gathered) for side in sides]
    yield "<section><h3>Side by side</h3>"
    told = [_facts(side, about) for side, about in zip(sides, abouts, strict=True)]
    names = dict.fromkeys(name for facts in told for name in facts)
    rows = ([name, *(facts.get(name, "–") for facts in told)] for name in names)
    yield charts.table("Numbers", ["", *heads], rows, is_open=True)
    yield '<div class="figures">'
    for head, side, about in zip(heads, sides, abouts, strict=True):
        yield f'<div class="moods"><p class="caption">{escape(head)}</p>'
        if about.moods:
            yield charts.shares(about.moods)
        if rows := age_rows(about.groups):
            of = counted(about.count, "person", "people") if side.gathered.films else "faces"
            yield charts.bars(f"Ages of {of}", "years", rows)
        yield "</div>"
    yield "</div></section>"


def _facts(side: Side, about: Overview) -> dict[str, str]:
    """What is known of a run, by name."""
    gathered, account = side.gathered, side.account
    facts = {"pictures and frames": f"{gathered.frames:,}", "faces": f"{gathered.faces:,}"}
    if gathered.films:
        facts["people, at most"] = f"{gathered.people:,}"
        facts["faces at once, at most"] = f"{max(film.most_at_once for film in gathered.films):,}"
    for labels in about.kinds.values():
        facts |= {label: f"{count:,}" for label, count in sorted(labels.items())}
    if about.ages:
        facts["mean age"] = f"{sum(about.ages) / len(about.ages):.1f}{NARROW}years"
    facts |= {label: percent(share) for label, share in sorted(about.moods)}
    if seconds := account.get("seconds"):
        facts["frames a second"] = f"{max(0, gathered.frames - account.get('before', 0)) / seconds:.1f}"
    for name, value in account.get("latency_ms", {}).items():
        facts[f"latency {name}"] = f"{value:,.0f}{NARROW}ms"
    facts["answers given up"] = f"{sum(gathered.missing.values()):,}"
    facts["frames not analysed"] = f"{sum(gathered.errors.values()):,}"
    if side.restarts is not None:
        facts["restarts"] = f"{side.restarts:,}"
    return facts


def _face_by_face(heads: list[str], pair: Pair) -> Iterator[str]:
    comparison = pair.comparison
    yield "<section><h3>Face by face</h3>"
    both, only = comparison.faces, comparison.faces_of_one
    rows = [
        ["frames", comparison.frames, *comparison.frames_of_one],
        ["faces in frames of both", both, *only],
    ]
    yield charts.table("Found by", ["", "both", *(f"only {head}" for head in heads)], rows, is_open=True)
    rows = [[name, stage.faces, _agreement(stage)] for name, stage in comparison.stages.items()]
    if rows:
        yield charts.table("Agreement about the faces of both", ["stage", "faces", "agreement"], rows, is_open=True)
    for name, stage in comparison.stages.items():
        others = [(*pair_of, count) for pair_of, count in stage.pairs.most_common() if pair_of[0] != pair_of[1]]
        if others:
            yield charts.table(f"{name}: different labels", [*heads, "faces"], others)
    yield "</section>"
    length_s = max((film.seconds for film in pair.first.gathered.films), default=0.0)
    for name, stage in comparison.stages.items():
        if stage.largest:
            yield f"<section><h3>Largest differences: {escape(name)}</h3>"
            yield f'<div class="gallery">{"".join(_article(name, heads, one, pair, length_s) for one in stage.largest)}'
            yield "</div></section>"


def _agreement(stage: Stage) -> str:
    if any(labels != ("", "") for labels in stage.pairs):
        return f"{percent(stage.same / stage.faces)} the same label"
    return f"{stage.apart / stage.faces:.2f} apart in the mean"


def _article(stage: str, heads: list[str], one: Difference, pair: Pair, length_s: float) -> str:
    where = f"#{one.number} at {clock(one.moment.time_s, length_s)}" if one.number is not None else ""
    where = ", ".join(filter(None, [where, printable(one.moment.file or "")]))
    look = image(pair.pictures, one.moment, where) or "<span>no picture</span>"
    told = "".join(_answer(stage, head, answer) for head, answer in zip(heads, (one.first, one.second), strict=True))
    return f'<article><div class="face">{look}</div>{told}<p class="quiet file">{escape(where)}</p></article>'


def _answer(stage: str, head: str, answer: Answer) -> str:
    return f'<p><span class="quiet">{escape(head)}</span><br>{sentence(stage, answer)}</p>'
