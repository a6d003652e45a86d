"""Reads the YAML of a model card strictly: a mistake is one sentence: card, key, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ...config.schema import ConfigError
from ...errors import FacepipeError
from ...names import described as described_in_short
from ...names import short

MOST_BYTES = 1_000_000

_REQUIRED = object()


class CardError(FacepipeError):
    """A model card is wrong, or its model is not what the card says."""


def read_card(path: Path, known: Iterable[str], tasks: tuple[str, ...], allowed: str) -> tuple[Fields, str]:
    """The sections of a card, and its task, which is one of `tasks`; CardError for the first mistake.

    The task is looked at first: the card of another kind of net has keys that are right in it.
    """
    document, is_allowed = read_mapping(path), one_of(tasks)
    if "task" in document:
        Fields(path, document, document).get("task", is_allowed, allowed)
    fields = Fields(path, document, known)
    return fields, fields.get("task", is_allowed, allowed)


def read_mapping(path: Path) -> dict:
    """The keys and values of a card; CardError if the file is missing or is not a YAML mapping."""
    try:
        require_file(path)
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CardError(
            f"{path}: the model card cannot be read: {error.strerror}; write the path of a card."
        ) from error
    if len(content) > MOST_BYTES:
        raise CardError(f"{path}: is larger than {MOST_BYTES} bytes, so it is no model card; write the path of a card.")
    from ...config.strict_yaml import parse  # Only here: who only asks what a card is, such as render, loads no YAML.

    try:
        document, _ = parse(content.decode("utf-8"), lambda line: f"{path}:{line}")
    except UnicodeDecodeError as error:
        raise CardError(f"{path}: is not UTF-8 text, so it is no model card; write the path of a card.") from error
    except ConfigError as error:
        raise CardError(str(error)) from error
    if not isinstance(document, dict):
        raise CardError(f"{path}: is {described(document)}; a model card has keys such as 'file: emotion.tflite'.")
    return document


def require_file(path: Path) -> None:
    """Raise `OSError` for a pipe, a socket or a device: reading those may wait for ever, or never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(0, "it is a pipe or a device and not a file")


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
        """The keys below a key; CardError for one that is not `known`."""
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
        """What is wrong at a key, to be raised."""
        return CardError(f"{self._card}: {self._section}{key} {says}.")


def described(value: object) -> str:
    """A value as an error's sentence shows it; the lists of a card are short, and shown."""
    return short(repr(value)) if isinstance(value, list) else described_in_short(value)


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


def between(low: float, high: float) -> Callable:
    """Of a number from `low` to `high`, both included."""
    return lambda value: found if (found := number(value)) is not None and low <= found <= high else None


def sha256(value: object) -> str | None:
    """Of 64 hexadecimal digits; in small letters."""
    hexadecimal = isinstance(value, str) and len(value) == 64 and set(value.lower()) <= set("0123456789abcdef")
    return value.lower() if hexadecimal else None


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
