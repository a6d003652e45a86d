"""What a key of the configuration may hold, as marks on its type: pydantic checks them, errors and the page say them.

The marks speak the protocol of `annotated_types`, which pydantic understands, but import it only when they are checked:
a stage process builds the schema without checking anything, and pydantic would cost it 0.1 s of CPU time at its start.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Literal


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `low` to `high`, both included; with `above`, `low` itself is not."""

    low: float
    high: float
    above: bool = False
    words: str | None = None  # in place of "from 1 to 16"

    __is_annotated_types_grouped_metadata__: typing.ClassVar[bool] = True

    def __iter__(self) -> Iterator[object]:
        from annotated_types import Ge, Gt, Le

        yield Gt(self.low) if self.above else Ge(self.low)
        yield Le(self.high)

    def __str__(self) -> str:
        return f"above {self.low:g} up to {self.high:g}" if self.above else f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Matching:
    """A text that the whole of `pattern` describes, or a mapping; of `fewest` to `most` characters or entries."""

    words: str  # what an error says is allowed
    pattern: str | None = None
    fewest: int = 0
    most: int | None = None

    __is_annotated_types_grouped_metadata__: typing.ClassVar[bool] = True

    def __iter__(self) -> Iterator[object]:
        from annotated_types import MaxLen, MinLen, Predicate

        if self.pattern is not None:
            yield Predicate(re.compile(self.pattern).fullmatch)
        yield MinLen(self.fewest)
        if self.most is not None:
            yield MaxLen(self.most)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section, as an error or the reference page shows it."""

    name: str
    allowed: str  # "a whole number from 1 to 64, or auto"
    choices: tuple[str, ...]  # the words among what is allowed
    default: object  # dataclasses.MISSING where it has to be given
    description: str


def keys_of(section: type) -> dict[str, Key]:
    """The keys of one dataclass of the schema, by name, in its order."""
    hints = typing.get_type_hints(section, include_extras=True)
    return {f.name: _key(f, hints[f.name]) for f in fields(section)}


def _key(field, hint) -> Key:
    kind, description = hint.__origin__, hint.__metadata__[-1]
    marks = hint.__metadata__[:-1]
    kinds, choices = _allowed(Annotated[kind, *marks] if marks else kind)
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return Key(field.name, _sentence_part(kinds, choices), choices, default, description)


def _allowed(hint) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What values a type allows: kinds of values in words, and single words."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
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
