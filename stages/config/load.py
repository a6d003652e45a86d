"""Reads a configuration: strict YAML and `--set` options in, a checked `Pipeline` or one sentence about a mistake out.

Only the launcher imports this module: the stages are given its result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..names import described, short
from .check import DETECTOR, DETECTOR_MODEL, KeyPath, checked, dotted
from .schema import KNOWN_ATTRIBUTES, ConfigError, Detect, Pipeline
from .strict_yaml import is_unicode, parse


@dataclass(frozen=True, slots=True)
class Override:
    """A key that the command line sets: `option` is what the person wrote, which an error names in place of a line."""

    key: str  # stages.detect.detector
    value: object
    option: str

    @classmethod
    def parse(cls, text: str) -> Override:
        """Take KEY=VALUE apart; the value is read as YAML."""
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {short(text)}: write KEY=VALUE, such as --set stages.detect.detector=dlib.")
        option = f"--set {short(key.strip())}"
        return cls(key.strip(), parse(value, lambda line: option)[0], option)

    @property
    def path(self) -> KeyPath:
        """The key, taken apart: a name below `sources` may have dots in it."""
        if self.key.startswith("sources."):
            return tuple(self.key.split(".", 1))
        return tuple(self.key.split(".", 3 if self.key.startswith("stages.detect.") else 2))


def read_config(text: str, name: str, overrides: Iterable[str | Override] = ()) -> Pipeline:
    """Read the text of a configuration; `name` is what errors call it, with the line: "pipeline.yaml:14: ...".

    `overrides` (KEY=VALUE, or `Override`) are applied in their order. Raises `ConfigError` for the first mistake.
    """
    document, places = _document(text, name)
    document.setdefault("stages", {stage: {} for stage in KNOWN_ATTRIBUTES})
    for override in overrides:
        _apply(override if isinstance(override, Override) else Override.parse(override), document, places)
    pipeline, problems = checked(document)
    if problems:
        problem = min(problems, key=lambda p: places.order(p.path))
        raise ConfigError(_at(places.label(problem.path), problem.says))
    return pipeline


def _at(place: str, says: str) -> str:
    """The sentence about a mistake at a place, in which an option names its key once."""
    option = "--set "
    if place.startswith(option) and says.startswith(f"{place.removeprefix(option)} "):
        return f"{option}{says}."
    return f"{place}: {says}."


class _Places:
    """Where each key was given: the line of the file, or an option of the command line."""

    def __init__(self, name: str, lines: dict[tuple, int]):
        self._name = name
        self._places = {path: (line, f"{name}:{line}") for path, line in lines.items()}
        self._last_line = self._last = max(lines.values(), default=0)

    def given(self, path: KeyPath, option: str) -> None:
        """An option of the command line sets `path`, with all that is below it."""
        self._last += 1
        self._places = {p: place for p, place in self._places.items() if p[: len(path)] != path}
        self._places[path] = (self._last, option)

    def by_option(self, path: KeyPath) -> bool:
        return self.order(path) > self._last_line

    def label(self, path: KeyPath) -> str:
        return self._nearest(path)[1]

    def order(self, path: KeyPath) -> int:
        return self._nearest(path)[0]

    def __contains__(self, path: KeyPath) -> bool:
        return path in self._places

    def _nearest(self, path: KeyPath) -> tuple[int, str]:
        prefixes = (path[:length] for length in range(len(path), 0, -1))
        return next((self._places[p] for p in prefixes if p in self._places), (0, self._name))


def _document(text: str, name: str) -> tuple[dict, _Places]:
    document, lines = parse(text, lambda line: f"{name}:{line}")
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ConfigError(
            f"{name}: the file is {described(document)}; write keys with their values, such as 'window: 16'."
        )
    return document, _Places(name, lines)


def _apply(override: Override, document: dict, places: _Places) -> None:
    # Python makes lone surrogates of bytes of the command line that are not UTF-8.
    if not (is_unicode(override.key) and is_unicode(str(override.value))):
        raise ConfigError(f"{override.option}: this is not UTF-8; use a name that is.")
    *parents, last = path = override.path
    _forget_what_goes_with(path, override.value, document, places)
    section = document
    for depth, name in enumerate(parents, start=1):
        if section.get(name) is None:
            section[name] = {}
            if path[:depth] not in places:
                places.given(path[:depth], override.option)
        section = section[name]
        if not isinstance(section, dict):
            raise ConfigError(f"{override.option}: {dotted(path[:depth])} is {described(section)} and holds no keys.")
    section[last] = override.value
    places.given(path, override.option)


def _forget_what_goes_with(path: KeyPath, value: object, document: dict, places: _Places) -> None:
    """Delete what the file says beside a key that an option replaces: `sources` beside `source`, a detector's model."""
    other = {("source",): "sources", ("sources",): "source"}.get(path[:1])
    if other is not None and not places.by_option((other,)):
        document.pop(other, None)
    if path == DETECTOR and not places.by_option(DETECTOR_MODEL):
        match document:
            case {"stages": {"detect": dict(detect)}} if detect.get("detector", Detect().detector) != value:
                detect.pop("model", None)
