"""What came of a task, as a value that travels: a result, or what went wrong and who is concerned by it."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..errors import FacepipeError, reason, way_out
from ..results.errors import ForeignFile
from ..sources.refusal import SourceError
from .film import NotDivisible
from .storage import NameRefused

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Trouble(StrEnum):
    """What goes on after a task has failed."""

    FILM = "film"  # this film cannot be analysed; all others can
    DIVISION = "division"  # this film has to be analysed in one piece
    ARCHIVE = "archive"  # nothing can go on: the output is full, a machine is set up in another way
    DEFECT = "defect"  # of facepipe; the other films may be analysed


@dataclass(frozen=True, slots=True)
class Failed:
    """A task that has failed."""

    trouble: Trouble
    sentence: str
    trace: str = ""  # of a defect


def outcome_of(function: Callable, *given: object) -> object:
    """Call a function; returns what it does, or `Failed`."""
    try:
        return function(*given)
    except NotDivisible as error:
        return Failed(Trouble.DIVISION, str(error))
    except (SourceError, ForeignFile, NameRefused) as error:
        return Failed(Trouble.FILM, str(error))
    except FacepipeError as error:
        return Failed(Trouble.ARCHIVE, str(error))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            where = f"{error.filename}: " if error.filename else ""
            return Failed(Trouble.ARCHIVE, f"{where}{reason(error)}; {way_out(error)}.")
        said = f"{type(error).__name__}: {reason(error)}"
        return Failed(Trouble.DEFECT, said, traceback.format_exc())
