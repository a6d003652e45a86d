"""The tables of the shipped models for docs/models.md, from their cards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

BEGINNING, END = "<!-- figures: written by make pictures -->\n", "<!-- end of figures -->"
PARTS = {"groups": "told apart by", "made worse": "made worse"}  # tables within a table of figures


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
    """The tables of every card, in Markdown."""
    return "".join("\n".join(_lines(path)) + "\n\n" for path in sorted(models.glob("*.yaml")))


def _lines(path: Path) -> Iterable[str]:
    card = yaml.safe_load(path.read_text(encoding="utf-8"))
    size = (path.parent / card["file"]).stat().st_size / 1000
    trained, crop = card["trained"], card["input"]
    yield f"### {card['name']}\n"
    yield f"`models/{path.name}`, weights of {size:.0f} kB; takes {crop['width']} x {crop['height']} pixels"
    yield f"{'in grey' if crop['channels'] == 1 else 'in colour'}. Trained on:\n"
    yield from (f"- {source}" for source in trained["data"])
    yield f"\nTerms of the data: {trained['licence']}. {card['limits']}\n"
    for title, figures in card["figures"].items():
        if all(isinstance(value, dict) for value in figures.values()):
            yield from _precisions(title, figures)
            continue
        yield f"| {title} | |"
        yield "| --- | --- |"
        yield from (f"| {name} | {_shown(name, v)} |" for name, v in figures.items() if not isinstance(v, dict))
        yield ""
        first = next(iter(figures))
        for kind in ("groups", "made worse"):
            if figures.get(kind):
                unit = first if "years)" in first else f"{first} (%)"
                yield f"<details><summary>{title}: {PARTS[kind]}, {unit}</summary>\n"
                yield "| | |\n| --- | --- |"
                yield from (f"| {name} | {_shown(first, value)} |" for name, value in figures[kind].items())
                yield "\n</details>\n"
    yield f"Trained by:\n\n```sh\n{_command(trained['command'])}\n```\n"
    if "run" in trained:
        yield f"The last of these: {trained['run']}."


def _precisions(title: str, figures: dict[str, dict]) -> Iterable[str]:
    """Ways of storing the same net, side by side."""
    names = list(next(iter(figures.values())))
    yield f"| {title} | {' | '.join(names)} |"
    yield "| --- " * (len(names) + 1) + "|"
    for way, row in figures.items():
        yield f"| {way} | {' | '.join(_shown(f'{name} (years)', value) for name, value in row.items())} |"
    yield ""


def _command(command: str) -> str:
    """One command a line."""
    return command.replace(" && ", "\n")


def _shown(name: str, value: object) -> str:
    if isinstance(value, str):
        return f"`{value}`"
    return f"{value:.1%}" if isinstance(value, float) and "years)" not in name else str(value)
