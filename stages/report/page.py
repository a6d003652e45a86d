"""The report as one page of HTML that needs nothing else: style, script and pictures are in it.

Without a template engine: most of the page is charts and tables that are computed.
Whatever stands in the results passes `escape`; `tests/report/test_page.py` reads pages of hostile names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

from ..names import printable
from ..people.presence import BRIEF_S
from ..reading.words import counted
from .document import document
from .film import cards, people_table, timeline, timeline_tables
from .gallery import gallery
from .gathering import FILMS, Film, Gathered
from .overview import in_short, moments_section, overview
from .thumbnails import Pictures
from .words import NARROW, duration, percent

PLACES = {"capture": 0, "detect": 1, "render": 3}  # in the pipeline; attributes are between, in their own order


@dataclass(slots=True)
class SourceSection:
    """All that the page says about one source."""

    gathered: Gathered
    pictures: Pictures  # faces that could be had
    losses: Counter = field(default_factory=Counter)  # as `losses_by_reason` gives them
    account: dict = field(default_factory=dict)  # of this source, from summary.json
    notes: list[str] = field(default_factory=list)  # sentences
    captions: list[str] = field(default_factory=list)  # sentences about the pictures
    links: Mapping[str | None, str] = field(default_factory=dict)  # to pictures, by file, from the page


def page(sources: list[SourceSection], summary: dict, day: str) -> Iterator[str]:
    """The document, in parts. `day`: when the results were made, for the reader. `summary`: summary.json, or {}."""
    title = ", ".join(one.gathered.source for one in sources[:3]) + (
        f" and {len(sources) - 3} others" if len(sources) > 3 else ""
    )
    yield from document(title, _in_short(sources, day), _body(sources, summary))


def _body(sources: list[SourceSection], summary: dict) -> Iterator[str]:
    for one in sources:
        if len(sources) > 1:
            yield f'<h2 class="source">{escape(printable(one.gathered.source))}</h2>'
        yield from _source(one)
    yield from _engineering(sources, summary)


def _in_short(sources: list[SourceSection], day: str) -> str:
    seconds = sum(one.gathered.seconds for one in sources)
    pictures = sum(one.gathered.still_count for one in sources)
    parts = [day]
    if seconds:
        parts += [duration(seconds), in_short(one.gathered for one in sources)]
    if pictures:
        parts.append(counted(pictures, "picture", "pictures"))
    return " · ".join(parts)


def _source(one: SourceSection) -> Iterator[str]:
    gathered = one.gathered
    for note in one.notes:
        yield f'<p class="note">{escape(printable(note))}</p>'
    if gathered.faces:
        yield from overview(gathered)
        yield from moments_section(gathered, one.pictures, one.captions)
    for film in gathered.films:
        yield from _film(film, gathered, one.pictures)
    if gathered.film_count > len(gathered.films):
        rest = gathered.film_count - len(gathered.films)
        yield f'<p class="note">The first {FILMS} videos are shown; {rest:,} others are in the numbers above only.</p>'
    if gathered.still_count:
        yield from gallery(gathered, one.pictures, one.links)


def _film(film: Film, gathered: Gathered, pictures: Pictures) -> Iterator[str]:
    people = film.shown
    name = f"{escape(printable(film.file))}: who" if film.file is not None else "Who"
    yield f"<section><h3>{name} was there, and when</h3>"
    if not people:
        yield '<p class="quiet">No face was found.</p></section>'
        return
    yield "".join(timeline(film, people, gathered.coloured, pictures))
    if left_out := _left_out(film):
        yield f'<p class="quiet">{left_out}</p>'
    yield "".join(timeline_tables(film, people, gathered.coloured))
    yield "</section><section><h3>Each of them</h3>"
    yield "".join(cards(film, people, gathered.coloured, pictures))
    yield f"{people_table(people, gathered.areas)}</section>"


def _left_out(film: Film) -> str:
    """The people who are not shown, in sentences."""
    said = []
    if film.let_go:
        were, are = ("other was", "is") if film.let_go == 1 else ("others were", "are")
        long = duration(film.let_go_s)
        said.append(f"{film.let_go:,} {were} there for less long, {long} in all, and {are} not shown.")
    if film.brief:
        were, are = ("face was", "is") if film.brief == 1 else ("faces were", "are")
        briefly = f"{film.brief:,} {were} seen for less than {BRIEF_S:g}{NARROW}s{' each' * (film.brief != 1)}"
        said.append(f"{briefly}, and {are} left out: what is seen so briefly is mostly no face.")
    return " ".join(said)


# --- How the run went, for those who ask ---


def _engineering(sources: list[SourceSection], summary: dict) -> Iterator[str]:
    """Folded, and last; its heading says whether anything is missing."""
    rows = [(one.gathered.source, *row) for one in sources for row in _losses(one)]
    missing = f"{sum(row[-1] for row in rows):,} results are missing" if rows else "no result is missing"
    restarts = sum(summary.get("restarts", {}).values())
    said = ", ".join([missing, *([counted(restarts, "restart", "restarts")] if restarts else [])])
    yield f'<details class="engineering"><summary>How the run went <small>{said}</small></summary>'
    yield from _tiles(sources, summary)
    yield "<section><h3>What is missing, and why</h3>"
    if rows:
        several = len(sources) > 1
        heads = [*(["source"] if several else []), "what", "stage", "why", "frames"]
        yield f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
        for source, *cells, count in rows:
            told = [printable(source), *cells] if several else cells
            yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in told)}<td>{count:,}</td></tr>"
        yield "</table></section>"
    else:
        yield '<p class="quiet">Nothing: every frame was analysed, and every answer came.</p></section>'
    yield from _run(summary)
    yield "</details>"


def _tiles(sources: list[SourceSection], summary: dict) -> Iterator[str]:
    frames, faces = (sum(getattr(one.gathered, name) for one in sources) for name in ("frames", "faces"))
    dropped = sum(count for one in sources for (what, _, _), count in one.losses.items() if what == "dropped")
    given_up = sum(sum(one.gathered.missing.values()) for one in sources)
    errors = sum(sum(one.gathered.errors.values()) for one in sources)
    what = "frames" if any(one.gathered.film_count for one in sources) else "pictures"
    tiles = [(what, f"{frames:,}"), ("faces", f"{faces:,}"), (f"{what} dropped", f"{dropped:,}")]
    tiles.append(("answers given up", f"{given_up:,}"))
    if errors:
        tiles.append(("not analysed", f"{errors:,}"))
    if summary:
        tiles.append(("restarts", f"{sum(summary.get('restarts', {}).values()):,}"))
    seconds = max((one.account.get("seconds", 0.0) for one in sources), default=0.0)
    if seconds:
        # What was there before the last start took time that its summary does not have.
        now = frames - sum(one.account.get("before", 0) for one in sources)
        tiles.append((f"{what} a second", f"{max(0, now) / seconds:.1f}"))
    yield '<dl class="tiles">'
    yield "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles)
    yield "</dl>"


def _losses(one: SourceSection) -> list[tuple[str, str, str, int]]:
    """What is missing: what happened to it, at which stage, why, and of how many frames."""
    rows = [(what, stage, reason, count) for (what, stage, reason), count in one.losses.most_common()]
    known = {stage for what, stage, _, _ in rows if what == "given up"}
    # Without account.jsonl the results themselves still say which answers are not there.
    rows += [("given up", stage, "", count) for stage, count in one.gathered.missing.items() if stage not in known]
    return rows + [("not analysed", "detect", reason, count) for reason, count in one.gathered.errors.most_common()]


def _run(summary: dict) -> Iterator[str]:
    """How the run went, as its summary has it."""
    yield "<section><h3>The run</h3>"
    if not summary:
        why = "the run was broken off, or its stages were started by hand"
        yield f'<p class="quiet">There is no summary.json: {why}.</p></section>'
        return
    busy, restarts = summary.get("busy", {}), summary.get("restarts", {})
    yield "<table><tr><th>stage</th><th>processes</th><th>busy</th><th>restarts</th></tr>"
    for stage, count in sorted(summary.get("replicas", {}).items(), key=lambda item: PLACES.get(item[0], 2)):
        work = percent(busy[stage]) if stage in busy else "–"
        yield f"<tr><td>{escape(stage)}</td><td>{count}</td><td>{work}</td><td>{restarts.get(stage, 0)}</td></tr>"
    yield "</table>"
    for source in summary.get("sources", []):
        latency = source.get("latency_ms", {})
        if latency:
            said = ", ".join(f"{name} {value:,.0f} ms" for name, value in latency.items())
            yield f'<p class="quiet">{escape(source.get("source", ""))}: from reading to writing {escape(said)}</p>'
    for note in summary.get("notes", []):
        yield f'<p class="quiet">{escape(printable(note))}</p>'
    if summary.get("failure"):
        yield f'<p class="note">{escape(summary["failure"])}</p>'
    yield "</section>"
