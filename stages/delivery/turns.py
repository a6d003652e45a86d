"""Sources that share a worker, or render, take turns: a busy one delays another by one batch or frame at most. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Of = TypeVar("Of")


class Turns(Generic[Of]):
    """Who was served longest ago is served next, so one that rarely wants something does not wait for the others."""

    def __init__(self):
        self._all: list[Of] = []  # in the order in which they were served, the last one last

    def add(self, one: Of) -> None:
        """Another one takes part."""
        self._all.append(one)

    def remove(self, one: Of) -> None:
        """One takes part no more."""
        self._all = [kept for kept in self._all if kept is not one]

    def __iter__(self) -> Iterator[Of]:
        """All of them, the one that was served longest ago first."""
        return iter(list(self._all))

    def next(self, wants: Callable[[Of], bool]) -> Of | None:
        """Whose turn it is, of those that want something; None where nobody does."""
        chosen = next((one for one in self._all if wants(one)), None)
        if chosen is not None:
            self.remove(chosen)
            self._all.append(chosen)
        return chosen
