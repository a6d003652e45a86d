"""Reads the YAML of a model card strictly: a mistake is one sentence with card, key, what was found, what is allowed.

Written by hand: a classifier stage starts fast and stays small, so pydantic is not imported for a dozen keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from stages.core.errors import FacepipeError

MOST_BYTES = 1_000_000
DEEPEST = 16

_REQUIRED = object()


class CardError(FacepipeError):
    """A model card is wrong, or its model is not what the card says."""


def read_mapping(path: Path) -> dict:
    """The keys and values of a card; CardError if the file is missing or is not a YAML mapping."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CardError(
            f"{path}: the model card cannot be read: {error.strerror}; write the path of a card."
        ) from error
    if len(content) > MOST_BYTES:
        raise CardError(f"{path}: is larger than {MOST_BYTES} bytes, so it is no model card; write the path of a card.")
    try:
        document = yaml.load(content.decode("utf-8"), _Loader)  # noqa: S506  (_Loader is a SafeLoader)
    except UnicodeDecodeError as error:
        raise CardError(f"{path}: is not UTF-8 text, so it is no model card; write the path of a card.") from error
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark or error.context_mark).line + 1
        raise CardError(
            f"{path}:{line}: {' '.join((error.problem or error.context).split())}; mend the YAML."
        ) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise CardError(f"{path}: is not YAML ({type(error).__name__}); write the path of a model card.") from error
    if not isinstance(document, dict):
        raise CardError(f"{path}: is {described(document)}; a model card has keys such as 'file: emotion.tflite'.")
    return document


class Fields:
    """The keys of one section of a card; `get` takes one with its check."""

    def __init__(self, card: Path, given: dict, known: Iterable[str], section: str = ""):
        self._card, self._given, self._section = card, given, section
        known = tuple(known)
        for key in given:
            if key not in known:
                raise CardError(
                    f"{card}: {section}{key} is not a key of a model card; write one of {', '.join(known)}."
                )

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def get(self, key: str, check: Callable, allowed: str, default: object = _REQUIRED):
        """What `check` makes of the value; None from it means that the value is not `allowed`."""
        if key not in self._given:
            if default is _REQUIRED:
                raise self.error(key, f"is missing; write {allowed}")
            return default
        if (value := check(self._given[key])) is None:
            raise self.error(key, f"is {described(self._given[key])}; write {allowed}")
        return value

    def section(self, key: str, known: Iterable[str], example: str, default: object = _REQUIRED) -> Fields:
        given = self.get(
            key, lambda v: v if isinstance(v, dict) else None, f"its keys below it, such as {example}", default
        )
        return Fields(self._card, given, known, f"{self._section}{key}.")

    def refuse(self, keys: Iterable[str], why: str) -> None:
        """Say of the first of the keys that is there that it does not belong."""
        for key in keys:
            if key in self._given:
                raise self.error(key, f"does not go with {why}; delete it")

    def error(self, key: str, says: str) -> CardError:
        return CardError(f"{self._card}: {self._section}{key} {says}.")


def described(value: object) -> str:
    """A value as an error's sentence shows it, at most 60 characters."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- Checks: each makes of a value what the card keeps, or None. ---


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() and value.isprintable() else None


def one_of(choices: Iterable) -> Callable:
    # The type, too: true is equal to 1.
    return lambda value: next((c for c in choices if type(c) is type(value) and c == value), None)


def whole(lowest: int, highest: int) -> Callable:
    return lambda value: value if type(value) is int and lowest <= value <= highest else None


def number(value: object) -> float | None:
    # Beyond 1e300 stands only nonsense, and whole numbers that are too large for a float.
    return float(value) if type(value) in (int, float) and abs(value) < 1e300 else None


def positive(value: object) -> float | None:
    value = number(value)
    return value if value is not None and value > 0 else None


def list_of(check: Callable, fewest: int, most: int) -> Callable:
    def checked(value: object) -> tuple | None:
        if not isinstance(value, list) or not fewest <= len(value) <= most:
            return None
        entries = tuple(check(entry) for entry in value)
        return None if None in entries else entries

    return checked


# --- YAML ---


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of plain words, so that the labels yes and no stay words, and no key twice."""

    yaml_implicit_resolvers: dict = {}
    _depth = 0

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):  # A few lines of them expand to gigabytes.
            raise self._mistake("an alias is not read; write the value out", self.peek_event().start_mark)
        if self._depth == DEEPEST:
            raise self._mistake(f"values stand more than {DEEPEST} deep in others", self.peek_event().start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node, deep=False):
        keys = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._mistake("a key is not a word", key_node.start_mark)
            if key_node.value in keys:
                raise self._mistake(f"{key_node.value} stands twice", key_node.start_mark)
            keys.add(key_node.value)
        return super().construct_mapping(node, deep)

    @staticmethod
    def _mistake(problem: str, mark: yaml.Mark) -> yaml.constructor.ConstructorError:
        return yaml.constructor.ConstructorError(None, None, problem, mark)


for _tag, _pattern, _starts in (
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?(0|[1-9][0-9]*)$", list("-+0123456789")),
    ("float", r"^[-+]?(\.[0-9]+|[0-9]+\.[0-9]*([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _starts)
