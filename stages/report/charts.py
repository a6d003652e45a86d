"""Charts and tables as HTML. `page.js` says the values of a chart at the pointer, and copies a table as CSV.

Each chart of a timeline has `data-values`: rows of a beginning and an end in seconds, and what holds between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ..reading.words import counted
from .timeline import Strip
from .words import colour_of, part

WIDE = 1000  # of a chart, in its own units: it is drawn as wide as the page allows
COLUMNS = 160  # of a chart of areas at most
ROWS = 500  # of a table at most
NAMED = 4  # shares that are named; the rest is only drawn

Values = list[tuple[float, float, str]]


def areas(strip: Strip, most: int, length_s: float) -> str:
    """How many there were of each label, on top of one another; `most`: what the full height stands for."""
    paths: dict[str, list[str]] = {}
    values: Values = []
    for start_s, end_s, held in strip.columns(COLUMNS, length_s):
        left, right = (WIDE * min(at_s, length_s) / length_s for at_s in (start_s, end_s))
        below = 0.0
        for label, count in sorted(held.items()):
            low, high = (100 * min(1.0, level / most) for level in (below, below + count))
            below += count
            paths.setdefault(label, []).append(
                f"M{left:.1f} {100 - low:.1f}V{100 - high:.1f}H{right:.1f}V{100 - low:.1f}Z"
            )
        values.append((start_s, min(end_s, length_s), _said_of(held)))
    drawn = "".join(f'<path fill="{_fill(label)}" d="{"".join(steps)}"/>' for label, steps in paths.items())
    return _svg("areas", 100, drawn, values)


def _said_of(held: Mapping[str, float]) -> str:
    several = [f"{label} {round(count, 1):g}" for label, count in held.items() if label and count >= 0.05]
    return f"{round(sum(held.values()), 1):g}" + (f": {', '.join(several)}" if several else "")


def _fill(label: str) -> str:
    return colour_of(label) if label else "var(--quiet)"


def lane(runs: Iterable[tuple[float, float, str]], length_s: float, otherwise: str) -> str:
    """What held from when to when; `otherwise`: the colour where there is no label, or the class "lost"."""
    values = [(start_s, min(end_s, length_s), what) for start_s, end_s, what in runs]
    rectangles = (_rectangle(*value, length_s, otherwise) for value in values)
    return _svg("bar", 10, "".join(rectangles), values)


def _rectangle(start_s: float, end_s: float, what: str, length_s: float, otherwise: str) -> str:
    left, wide = WIDE * start_s / length_s, max(1.0, WIDE * (end_s - start_s) / length_s)
    fill = 'class="lost"' if otherwise == "lost" else f'fill="{colour_of(what) if what else otherwise}"'
    return f'<rect x="{left:.1f}" width="{wide:.1f}" height="10" {fill}/>'


def _svg(kind: str, height: int, drawn: str, values: Values) -> str:
    said = escape(json.dumps([[round(a, 3), round(b, 3), what] for a, b, what in values], ensure_ascii=False))
    view = f'viewBox="0 0 {WIDE} {height}" preserveAspectRatio="none" aria-hidden="true"'
    return f'<div class="plot"><svg class="{kind}" {view} data-values="{said}">{drawn}</svg><output></output></div>'


def shares(held: Sequence[tuple[str, float]]) -> str:
    """A bar of shares of a whole, each in its colour, and the largest by name."""
    parts = (f'<i style="width:{100 * share:.2f}%;background:{colour_of(label)}"></i>' for label, share in held)
    named = (f"<span>{escape(label)} <b>{part(share)}</b></span>" for label, share in held[:NAMED] if share >= 0.005)
    return f'<div class="shares">{"".join(parts)}</div><p class="named">{"".join(named)}</p>'


def bars(title: str, heading: str, rows: Mapping[str, Mapping[str, int]]) -> str:
    """A table of counts that is drawn: a bar for each row, of parts by label."""
    most = max((sum(counts.values()) for counts in rows.values()), default=0)
    labels = sorted({label for counts in rows.values() for label in counts})
    drawn = "".join(_bar(name, rows[name], labels, most) for name in rows)
    heads = "".join(f'<th scope="col">{_dot(label, labels)}{escape(label)}</th>' for label in labels if label)
    head = f'<tr><th scope="col">{escape(heading)}</th><td></td>{heads or "<td></td>"}</tr>'
    return f'<table class="bars"><caption>{escape(title)}</caption>{head}{drawn}</table>'


def _bar(name: str, counts: Mapping[str, int], labels: Sequence[str], most: int) -> str:
    wide = ((label, 100 * counts.get(label, 0) / most) for label in labels)
    parts = "".join(f'<i style="width:{width:.1f}%;background:{_tone(label, labels)}"></i>' for label, width in wide)
    cells = "".join(f"<td>{counts.get(label, 0):,}</td>" for label in labels)
    return f'<tr><th scope="row">{escape(name)}</th><td><div>{parts}</div></td>{cells}</tr>'


def _dot(label: str, labels: Sequence[str]) -> str:
    return f'<i style="background:{_tone(label, labels)}"></i>'


def _tone(label: str, labels: Sequence[str]) -> str:
    """A colour that says nothing of its own: no pink for women, and no blue for men."""
    return f"var(--tone-{labels.index(label) % 2 + 1})" if label else "var(--quiet)"


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], rest: str = "", is_open: bool = False
) -> str:
    """A table to copy, folded unless `is_open`; `rest` says where the rows are that are too many."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells[:ROWS])
    left_out = (
        f'<p class="quiet">The first {ROWS} of {len(cells):,} rows. {escape(rest)}</p>' if len(cells) > ROWS else ""
    )
    said = f"{escape(title)} <small>{counted(len(cells), 'row', 'rows')}</small>"
    copy = '<button type="button" class="copy" hidden>Copy as CSV</button>'
    return (
        f'<details class="data{" whole" * is_open}"{" open" * is_open}><summary>{said}</summary>{copy}{left_out}'
        f'<div class="scroll" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )
