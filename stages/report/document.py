"""The frame of a page of HTML that needs nothing else: style, script and pictures are in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from ..names import printable

HERE = Path(__file__).parent
ESTIMATES = "What the models say about a face is an estimate."


def document(title: str, about: str, body: Iterable[str]) -> Iterator[str]:
    """The page in parts; `about` and `body` are HTML, `title` is any text."""
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f"<title>{escape(printable(title))} – faces</title>"
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    # Nothing is fetched, whatever stands in the results: no picture, style or script but those of this page.
    yield (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:;'
        " style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
    )
    yield f"<style>{style}</style></head><body><main>"
    yield f'<header><h1>{escape(printable(title))}</h1><p class="quiet">{about}</p></header>'
    yield from body
    yield f"<footer>Made by facepipe from results.jsonl. {ESTIMATES}</footer></main>"
    yield f"<script>{script}</script>"
    yield "</body></html>\n"
