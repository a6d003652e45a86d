"""The faces of pictures as HTML: all of them, which `page.js` sorts and filters by what is said of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape

from ..frames import UNSURE
from ..names import printable
from ..reading.words import counted
from .gathering import Gathered, Still
from .thumbnails import MANY, Pictures
from .words import image, sentence

FIND_AMONG = 2  # faces; of fewer nothing is to be found
LABELS = 50  # of one stage, offered in a list


def gallery(gathered: Gathered, pictures: Pictures, links: Mapping[str | None, str]) -> Iterator[str]:
    """A section; `links`: where the picture of a file is, as seen from the page."""
    count, empty = gathered.still_count, gathered.empty_stills
    of = counted(count, "picture", "pictures") + (f", {empty:,} of them without a face" if empty else "")
    yield f'<section><h3>Faces</h3><p class="quiet">{of}</p>'
    if others := gathered.still_faces - len(gathered.stills):
        yield f'<p class="note">The first {len(gathered.stills):,} faces are shown; {others:,} are not.</p>'
    if len(gathered.stills) >= FIND_AMONG:
        yield from _finder([_said(still) for still in gathered.stills])
    yield f'<div class="gallery{" many" * (len(gathered.stills) > MANY)}">'
    for still in gathered.stills:
        yield _article(still, pictures, links.get(still.moment.file))
    yield "</div></section>"


def _said(still: Still) -> dict[str, str | float]:
    """What it can be found by: its file, its quality and what each stage says first, as far as they are known."""
    said = {"file": printable(still.moment.file or ""), "quality": still.face.quality}
    said |= {stage: answer.columns()[""] for stage, answer in still.face.shown.items()}
    return {name: cell for name, cell in said.items() if cell is not None and cell == cell}


def _article(still: Still, pictures: Pictures, link: str | None) -> str:
    file = printable(still.moment.file or "")
    look, name = image(pictures, still.moment, file) or "<span>no picture</span>", escape(file)
    face = f'<div class="face">{look}</div>'
    if link is not None:
        opens = f'<a href="{escape(link)}" target="_blank">'
        face, name = f"{opens}{face}</a>", f"{opens}{name or 'picture'}</a>"
    told = "".join(f"<p>{sentence(stage, answer)}</p>" for stage, answer in still.face.shown.items())
    told = f"<p>{UNSURE}</p>" if still.face.says_unsure else told
    title = f'<p class="quiet file" title="{escape(file)}">{name}</p>' if name else ""
    said = escape(json.dumps(_said(still), ensure_ascii=False))
    return f'<article data-said="{said}">{face}{told}{title}</article>'


def _finder(every: list[dict[str, str | float]]) -> Iterator[str]:
    """The fields to sort and filter by; hidden until the script has them work."""
    columns = dict.fromkeys(name for said in every for name in said)
    yield '<form class="finder" autocomplete="off" hidden><label>sort by <select name="sort">'
    yield '<option value="">as written</option>'
    yield "".join(f"<option>{escape(name)}</option>" for name in columns)
    yield '</select></label><label><input type="checkbox" name="down"> descending</label>'
    for name in columns:
        values = {said[name] for said in every if name in said}
        yield _field(escape(name), values, name == "file")
    yield '<output></output><button type="button" class="copy">Copy as CSV</button></form>'


def _field(name: str, values: set[str | float], is_text: bool) -> str:
    labels = sorted(value for value in values if isinstance(value, str))
    if is_text or len(labels) > LABELS:
        return f'<label>{name} <input type="search" data-column="{name}" size="12"></label>'
    if labels:
        options = "".join(f"<option>{escape(label)}</option>" for label in labels)
        return f'<label>{name} <select data-column="{name}"><option value="">all</option>{options}</select></label>'
    field = f'<input type="number" step="any" data-column="{name}" data-end="'
    return f'<label>{name} {field}from" placeholder="from"> {field}to" placeholder="to"></label>'
