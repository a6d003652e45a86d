"""In which order faces are told: by one or more columns, each ascending or descending. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

from ..names import short
from ..sources.listing import natural
from .lines import ResultsError

Item = TypeVar("Item")
Cell = str | float | bool | None

_DOWN = ":desc"
_NAMED = 12  # columns that a sentence names


@dataclass(frozen=True, slots=True)
class By:
    """A column to sort by."""

    column: str
    descending: bool = False


def read_order(text: str) -> list[By]:
    """What `--sort` says, such as `gender,age:desc`; raises `ValueError` where a column has no name."""
    order = [By(part.removesuffix(_DOWN), part.endswith(_DOWN)) for part in map(str.strip, text.split(","))]
    if not all(by.column for by in order):
        raise ValueError(text)
    return order


def refuse_unknown(order: Iterable[By], columns: Collection[str]) -> None:
    """Raise `ResultsError` for a column that these results do not have."""
    for by in order:
        if by.column not in columns:
            named = [column for column in columns if "_" not in column][:_NAMED]
            others = f" and {len(columns) - len(named)} others, which are those of faces.csv" * (
                len(columns) > len(named)
            )
            known = ", ".join(named) + others
            raise ResultsError(f"these results have no column {short(by.column)} to sort by; write one of {known}.")


def sort_by(order: Sequence[By], items: list[Item], row_of: Callable[[Item], dict[str, Cell]]) -> list[Item]:
    """The items in an order, each by its row; raises `ResultsError` for a column that no row has."""
    if not order or not items:
        return items
    refuse_unknown(order, dict.fromkeys(column for item in items for column in row_of(item)))
    return in_order(order, ((cells_to_sort(order, row_of(item)), item) for item in items))


def cells_to_sort(order: Sequence[By], row: dict[str, Cell]) -> tuple[Cell, ...]:
    """What `in_order` wants of a row: of a column without an answer of its own, the answer over time."""
    return tuple(row[by.column] if row.get(by.column) is not None else row.get(f"smoothed_{by.column}") for by in order)


def in_order(order: Sequence[By], items: Iterable[tuple[tuple[Cell, ...], Item]]) -> list[Item]:
    """The items, each given with its `cells_to_sort`. What is not known comes last, ascending and descending.

    Equal ones stay as they came; numbers in a text count by their value, so that img2 is before img10.
    """
    every = list(items)
    for place, by in reversed(list(enumerate(order))):  # Sorting is stable: the first column decides last.
        every = _by_one(every, place, by.descending)
    return [item for _, item in every]


def _by_one(every: list[tuple[tuple[Cell, ...], Item]], place: int, descending: bool) -> list:
    known = [item for item in every if _is_known(item[0][place])]
    unknown = [item for item in every if not _is_known(item[0][place])]
    return sorted(known, key=lambda item: _rank(item[0][place]), reverse=descending) + unknown


def _is_known(cell: Cell) -> bool:
    return cell is not None and cell == cell


def _rank(cell: Cell) -> tuple:
    return (1, natural(PurePath(cell))) if isinstance(cell, str) else (0, cell)
