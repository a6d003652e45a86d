"""The table of the shipped models for docs/models.md, from their cards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

BEGINNING, END = "<!-- figures: written by make pictures -->\n", "<!-- end of figures -->"


class NoPlace(Exception):
    """A page has no marks between which the table could stand."""


def with_figures(page: str, models: Path) -> str:
    """The page with the figures of the cards in `models` between its two marks."""
    before, beginning, rest = page.partition(BEGINNING)
    _, end, after = rest.partition(END)
    if not beginning or not end:
        raise NoPlace(f"the page needs the lines {BEGINNING.strip()} and {END}")
    return before + beginning + table(models) + end + after


def table(models: Path) -> str:
    """One table per card, in Markdown."""
    return "".join("\n".join(_lines(path)) + "\n\n" for path in sorted(models.glob("*.yaml")))


def _lines(path: Path) -> Iterable[str]:
    card = yaml.safe_load(path.read_text(encoding="utf-8"))
    size = (path.parent / card["file"]).stat().st_size / 1000
    trained, crop = card["trained"], card["input"]
    yield f"### {card['name']}\n"
    yield f"`models/{path.name}`, weights of {size:.0f} kB; takes {crop['width']} x {crop['height']} pixels"
    yield f"{'in grey' if crop['channels'] == 1 else 'in colour'}. Trained on:\n"
    yield from (f"- {source}" for source in trained["data"])
    yield f"\nTerms of the data: {trained['licence']}. Trained by `{trained['command']}`.\n"
    for title, figures in card["figures"].items():
        yield f"| {title} | |"
        yield "| --- | --- |"
        yield from (f"| {name} | {_shown(name, value)} |" for name, value in figures.items())
        yield ""
    yield f"Limits: {card['limits']}"


def _shown(name: str, value: object) -> str:
    if isinstance(value, str):
        return f"`{value}`"
    return f"{value:.1%}" if isinstance(value, float) and "years)" not in name else str(value)
