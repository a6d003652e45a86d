"""What a key of the configuration may hold, as marks on its type: values are checked by them, and errors and the
reference page say them.

Own code and not pydantic: the sentences and the page need the marks in any case, and the check by them is one function.
Pydantic took a dataclass in strict mode from JSON text only, its errors had to be translated, and it cost each start of
the command 0.1 s of CPU time.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import Annotated, Literal

_UNIONS = (typing.Union, types.UnionType)


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `low` to `high`, both included; with `above`, `low` itself is not."""

    low: float
    high: float
    above: bool = False
    words: str | None = None  # in place of "from 1 to 16"

    def allows(self, value: float) -> bool:
        """Whether the number is in the range; not a number is in none."""
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def __str__(self) -> str:
        return f"above {self.low:g} up to {self.high:g}" if self.above else f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Matching:
    """A text that the whole of `pattern` describes, or a mapping; of `fewest` to `most` characters or entries."""

    words: str  # what an error says is allowed
    pattern: str | None = None
    fewest: int = 0
    most: int | None = None
    hides: bool = False  # what is given instead may hold a password, and no error shows it

    def allows(self, value: str | list | dict) -> bool:
        """Whether a text fits the pattern, and how long it, the list or the mapping is."""
        fits = self.pattern is None or re.fullmatch(self.pattern, value) is not None
        return fits and self.fewest <= len(value) and (self.most is None or len(value) <= self.most)


@dataclass(frozen=True, slots=True)
class Faultless:
    """A value in which a function finds nothing wrong: it returns what that is, in words, or None."""

    words: str  # what the reference page says is allowed
    flaw: Callable[[object], str | None]

    def allows(self, value: object) -> bool:
        """Whether nothing is wrong with it."""
        return self.flaw(value) is None


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section, as it is checked, and as an error or the reference page shows it."""

    name: str
    kind: object  # its type, with marks
    allowed: str  # "a whole number from 1 to 64, or auto"
    choices: tuple[str, ...]  # the words among what is allowed
    default: object  # dataclasses.MISSING where it has to be given
    description: str


class NotAllowed(Exception):
    """A value that a type with its marks does not allow."""


def hides(kind: object) -> bool:
    """Whether a value that this type does not allow may hold a password."""
    parts = typing.get_args(kind)
    marks = getattr(kind, "__metadata__", ())
    return any(isinstance(mark, Matching) and mark.hides for mark in marks) or any(map(hides, parts))


@cache
def keys_of(section: type) -> Mapping[str, Key]:
    """The keys of one dataclass of the schema, by name, in its order."""
    return types.MappingProxyType({f.name: _key(f) for f in fields(section)})


def checked(kind: object, value: object) -> object:
    """The value in its type: a whole number becomes a float where a number is asked for; raises `NotAllowed`.

    Strict: neither '5' nor true is 5.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        value = checked(arguments[0], value)
        is_allowed = all(mark.allows(value) for mark in kind.__metadata__ if not isinstance(mark, str))
    elif origin in _UNIONS:
        for part in arguments:
            with suppress(NotAllowed):
                return checked(part, value)
        is_allowed = False
    elif origin is Literal:
        is_allowed = isinstance(value, str) and value in arguments
    elif origin is dict and isinstance(value, dict):
        return {checked(arguments[0], key): checked(arguments[1], entry) for key, entry in value.items()}
    elif origin is list and isinstance(value, list):
        return [checked(arguments[0], entry) for entry in value]
    elif kind is float and type(value) is int:
        return float(value)
    else:
        is_allowed = type(value) is kind
    if not is_allowed:
        raise NotAllowed
    return value


def is_allowed(kind: object, value: object) -> bool:
    """Whether `checked` takes the value."""
    try:
        checked(kind, value)
    except NotAllowed:
        return False
    return True


def _key(field: Field) -> Key:
    *marks, description = field.type.__metadata__
    kind = field.type.__origin__
    kinds, choices = _allowed(Annotated[kind, *marks] if marks else kind)
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return Key(field.name, field.type, _sentence_part(kinds, choices), choices, default, description)


def _allowed(hint) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What values a type allows: kinds of values in words, and single words."""
    if typing.get_origin(hint) in _UNIONS:
        parts = [_allowed(part) for part in typing.get_args(hint)]
        return tuple(k for kinds, _ in parts for k in kinds), tuple(w for _, words in parts for w in words)
    if typing.get_origin(hint) is Literal:
        return (), tuple(map(str, typing.get_args(hint)))
    if hint is bool:
        return (), ("true", "false")
    if hint is type(None):
        return (), ("null",)
    mark = hint.__metadata__[0]
    if isinstance(mark, Between) and mark.words is None:
        return (f"a {'whole ' if hint.__origin__ is int else ''}number {mark}",), ()
    return (mark.words,), ()


def _sentence_part(kinds: tuple[str, ...], choices: tuple[str, ...]) -> str:
    if kinds:
        return ", or ".join([*kinds, *choices])
    return f"one of {', '.join(choices)}" if len(choices) > 2 else " or ".join(choices)
