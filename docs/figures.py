"""The tables of the shipped models for docs/models.md, from their cards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml

BEGINNING, END = "<!-- figures: written by make pictures -->\n", "<!-- end of figures -->"
PARTS = {"groups": "by group", "made worse": "degraded pictures"}  # tables within a table of figures
BY_LABEL = re.compile(r"(recall|precision) of (.+)")
YEARS, MILLISECONDS = " (years)", " (ms)"  # end the name of a figure in these; other fractions are shares


class MissingMarkers(Exception):
    """A page lacks the two lines between which the tables are written."""


def with_figures(page: str, models: Path) -> str:
    """Return the page with the tables of the cards in the folder `models` between its two markers.

    Raises MissingMarkers if the page lacks one of them.
    """
    before, beginning, rest = page.partition(BEGINNING)
    _, end, after = rest.partition(END)
    if not beginning or not end:
        raise MissingMarkers(f"the page needs the lines {BEGINNING.strip()} and {END}")
    return before + beginning + table(models) + end + after


def table(models: Path) -> str:
    """Return the tables of all cards in the folder, in Markdown."""
    return "".join("\n".join(_lines(path)) + "\n\n" for path in sorted(models.glob("*.yaml")))


def _input(given: dict) -> str:
    if "width" not in given:
        return "whole colour pictures of any size"
    return f"{given['width']} x {given['height']} pixels in {'grey' if given['channels'] == 1 else 'colour'}"


def _lines(path: Path) -> Iterable[str]:
    card = yaml.safe_load(path.read_text(encoding="utf-8"))
    size = (path.parent / card["file"]).stat().st_size / 1000
    trained = card["trained"]
    yield f"### {card['name']}\n"
    yield f"`models/{path.name}`, {size:.0f} kB. Input: {_input(card['input'])}. Trained on:\n"
    yield from (f"- {source}" for source in trained["data"])
    yield from (f"- the answers of a pretrained network, {net}" for net in trained.get("nets of others", []))
    yield f"\n{card['limits']}\n\nTerms of the data: {trained['licence']}.\n"
    for title, figures in card["figures"].items():
        if all(isinstance(value, dict) for value in figures.values()):
            yield from _precisions(title, figures)
            continue
        whole = {name: value for name, value in figures.items() if not BY_LABEL.match(name) and name not in PARTS}
        command = whole.pop("command", None)
        yield from _rows(title, "", [(_bare(name), _shown(name, value)) for name, value in whole.items()])
        yield from _by_label(figures)
        first = next(iter(figures))
        for kind, words in PARTS.items():
            if figures.get(kind):
                about = _bare(first)
                rows = [(name, _shown(first, value)) for name, value in sorted(figures[kind].items(), key=_by_age)]
                yield f"<details><summary>{title}, {words}: {about}</summary>\n"
                yield from _rows(words, about, rows)
                yield "</details>\n"
        if command:
            yield f"Measured by `{command}`.\n"
    yield f"Training commands:\n\n```sh\n{_command(trained['command'])}\n```\n"
    if "run" in trained:
        yield f"The last command: {trained['run']}."


def _rows(left: str, right: str, rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    yield f"| {left} | {right} |\n| --- | --- |"
    yield from (f"| {name} | {value} |" for name, value in rows)
    yield ""


def _by_label(figures: dict) -> Iterable[str]:
    """Return a row for each label of a classifier."""
    labels = dict.fromkeys(found[2] for found in map(BY_LABEL.match, figures) if found)
    if labels:
        yield "| label | recall | precision |\n| --- | --- | --- |"
        for label in labels:
            recall, precision = (_shown(label, figures[f"{kind} of {label}"]) for kind in ("recall", "precision"))
            yield f"| {label} | {recall} | {precision} |"
        yield ""


def _by_age(group: tuple[str, float]) -> int:
    """Sort key: age ranges by age, all other groups before them in their order."""
    ages = re.match(r"ages (\d+)", group[0])
    return int(ages[1]) if ages else -1


def _precisions(title: str, figures: dict[str, dict]) -> Iterable[str]:
    """Compare ways of storing the same model."""
    names = list(next(iter(figures.values())))
    yield f"| {title} | {' | '.join(names)} |"
    yield "| --- " * (len(names) + 1) + "|"
    for way, row in figures.items():
        yield f"| {way} | {' | '.join(_stored(name, row.get(name)) for name in names)} |"
    yield ""


def _stored(name: str, value: float | None) -> str:
    if value is None:
        return "not supported by LiteRT"
    return _shown(name, value) if name == "accuracy" else f"{value:.2f}"


def _command(command: str) -> str:
    """Write one command per line."""
    return command.replace(" && ", "\n")


def _shown(name: str, value: object) -> str:
    """Format a figure with its unit: fractions are years, milliseconds or shares; all other numbers are counts."""
    if name.endswith(MILLISECONDS):
        return f"{value:.2f} ms"
    if isinstance(value, float):
        return f"{value:.1f} years" if name.endswith(YEARS) else f"{100 * value:.1f} %"
    return str(value)


def _bare(name: str) -> str:
    return name.removesuffix(YEARS).removesuffix(MILLISECONDS)
