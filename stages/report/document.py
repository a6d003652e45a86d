"""The frame of a page of HTML that needs nothing else: style, script and pictures are in it."""

from __future__ import annotations

import base64
import hashlib
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
    # Nothing is fetched or run, whatever stands in the results: no picture or style but those of this page, and no
    # script but this one.
    yield (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:;'
        f" style-src 'unsafe-inline'; script-src '{hash_of(script)}'\">"
    )
    yield f"<style>{style}</style></head><body><main>"
    yield f'<header><h1>{escape(printable(title))}</h1><p class="quiet">{about}</p></header>'
    yield from body
    yield f"<footer>Made by facepipe from results.jsonl. {ESTIMATES}</footer></main>"
    yield f"<script>{script}</script>"
    yield "</body></html>\n"


def hash_of(script: str) -> str:
    """By which a policy allows one script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
