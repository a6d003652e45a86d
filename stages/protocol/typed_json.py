"""Dataclasses out of plain JSON values, with the type of every field checked; `dataclasses.asdict` is the inverse.

Only the standard library is imported: every stage process pays for what stands here.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def from_plain(kind: Any, plain: object) -> Any:
    """`plain` as a `kind`, which is a dataclass or made of None, bool, int, float, str, list, dict and |.

    A field that is not there has its default value. Raises `ValueError` where `plain` is something else.
    """
    kind = getattr(kind, "__supertype__", kind)  # of a NewType
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind, plain)
    if origin in (Union, UnionType):
        return _one_of(inner, plain)
    if origin is list and isinstance(plain, list):
        return [from_plain(inner[0], each) for each in plain]
    if origin is dict and isinstance(plain, dict):
        return {key: from_plain(inner[1], each) for key, each in plain.items()}
    if type(plain) is kind or (kind is float and type(plain) is int):
        return plain
    raise ValueError(f"{type(plain).__name__} in place of {kind}")


def _dataclass(kind: type, plain: object) -> Any:
    types = _types(kind)
    if not isinstance(plain, dict) or not plain.keys() <= types.keys():
        raise ValueError(f"{type(plain).__name__} in place of {kind.__name__}")
    try:
        return kind(**{name: from_plain(types[name], value) for name, value in plain.items()})
    except TypeError as error:  # A field without a default value is missing.
        raise ValueError(str(error)) from None


def _one_of(kinds: tuple, plain: object) -> Any:
    for kind in kinds:
        try:
            return from_plain(kind, plain)
        except ValueError:
            continue
    raise ValueError(f"{type(plain).__name__} in place of one of {kinds}")


@cache
def _types(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
