"""Optional parts of a run: one that fails is left out with a note, and the results stay whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from ..errors import FacepipeError, reason

Of = TypeVar("Of")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class Extra(Generic[Of]):
    """Something that may be there: as long as it works."""

    def __init__(self, name: str, of: Of | None, say: Callable[[str], None] = lambda sentence: None):
        """`name`: what it is called in the note; `say`: called with a sentence when it fails."""
        self.note: str | None = None  # why it is left out
        self._name, self._of, self._say = name, of, say

    @classmethod
    def opened(
        cls, name: str, opening: Callable[[], Of | None], is_first: bool, say: Callable[[str], None]
    ) -> Extra[Of]:
        """Open it. What is in its way is the person's mistake at first, and raises; later a run has results to lose."""
        try:
            return cls(name, opening(), say)
        except FacepipeError as error:
            if is_first:
                raise
            extra = cls(name, None, say)
            extra._leave_out(str(error).rstrip("."))
            return extra

    def __bool__(self) -> bool:
        return self._of is not None

    def do(self, work: Callable[[Of], Result], otherwise: Result = None) -> Result:
        """What `work` makes of it; `otherwise` where it is not there, or fails and is left out from now on."""
        if self._of is None:
            return otherwise
        try:
            return work(self._of)
        except Exception as error:
            _log.exception("%s is left out", self._name)  # The run goes on without it.
            of, self._of = self._of, None
            with suppress(Exception):  # It is broken already, and that is said.
                of.close()
            why = reason(error)
            self._leave_out(why if isinstance(error, FacepipeError) else f"{type(error).__name__}: {why}")
            return otherwise

    def close(self) -> None:
        """Close it, if it is there; what goes wrong with that is noted."""
        self.do(lambda of: of.close())

    def _leave_out(self, why: str) -> None:
        self.note = f"{self._name} is left out from here on: {why}"
        self._say(f"{self.note}; the results are whole without it.")
