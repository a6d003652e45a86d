"""run.json: which run the results in a folder belong to, what they were made of, and whether it has ended."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from .. import time_of_day
from ..config.settings import SourceChanges
from ..layout import DROP_LOG, PIECES, RESULTS, RUN, RUN_PART, SUMMARY
from ..protocol.generations import Incarnation, Run
from .atomic import open_plain, sync_folder
from .counting import what_is_whole
from .errors import REPLACE, DamagedState
from .manifest import Manifest

LARGEST_BYTES = 100_000_000  # a folder of a million pictures is named in it


@dataclass(frozen=True, slots=True)
class RunFile:
    """What `run.json` says."""

    run: Annotated[Run, Meta(min_length=1)]  # the name that render gives the run
    inputs: dict = field(default_factory=dict)  # all that results depend on, under names that a person can read
    incarnation: Annotated[Incarnation, Meta(ge=0, le=2**63 - 1)] = 0  # of the last render
    ended: Literal["finished", "stopped"] | None = None  # stopped: by a person; None: under way, or broken off
    started: str | None = None  # when the run was begun, as in `time_of_day`; None where an older version did
    changes: SourceChanges = field(default_factory=SourceChanges)  # of the sources, since the run was begun

    @classmethod
    def read(cls, folder: Path) -> RunFile | None:
        """None where there is none; raises `DamagedState` where it is not what a run has left."""
        try:
            with open_plain(folder / RUN) as file:
                said = json.loads(file.read(LARGEST_BYTES) or b"0")
                known = {key: said[key] for key in ("run", "inputs", "incarnation", "ended")}
                read = msgspec.convert(
                    known | {"started": said.get("started"), "changes": said.get("changes", {})}, cls
                )
                if read.started is not None:
                    time_of_day.read(read.started)
                return read
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise damaged(folder, f"cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, RecursionError):
            raise damaged(folder, "is damaged") from None

    def prepare(self, folder: Path) -> None:
        """Write it beside its place: after that hardly anything can hinder `write`.

        Raises `OSError`, and `ForeignFile` where a foreign file has its name.
        """
        said = asdict(self)
        if not self.changes:  # Most runs read what they were begun with.
            del said["changes"]
        text = json.dumps(said, indent=1, ensure_ascii=False) + "\n"
        # Names of files need not be valid text on Linux; what is not is written as JSON's own \udcXX and reads back so.
        manifest = Manifest(folder)
        manifest.refuse_foreign(folder / RUN)
        manifest.write(part_of(folder), text.encode("utf-8", "backslashreplace"))

    def write(self, folder: Path) -> None:
        """Replace it as a whole; raises `OSError`.

        A run that is under way has no summary: one that is there is of an earlier end, and is removed.
        """
        self.prepare(folder)
        if self.ended is None:
            Manifest(folder).remove(folder / SUMMARY)
        Manifest(folder).rename(part_of(folder), folder / RUN)
        sync_folder(folder)

    def with_end(self, ended: str | None) -> RunFile:
        return replace(self, ended=ended)

    def difference(self, inputs: dict) -> str | None:
        """The name of the first input that is not the same now."""
        return next((name for name in {**inputs, **self.inputs} if inputs.get(name) != self.inputs.get(name)), None)


def run_in(folder: Path) -> RunFile | None:
    """The run in this folder; None where there is none, or nothing that can be read as one."""
    with contextlib.suppress(DamagedState):
        return RunFile.read(folder)
    return None


def damaged(folder: Path, how: str) -> DamagedState:
    """The sentence for a folder whose run.json does not tell to which run its results belong."""
    return DamagedState(
        f"{folder / RUN} {how}, so it is not known how the run in {folder} stands; {what_is_whole(folder, RESULTS)};"
        f" put {RUN} back, --replace replaces all of it, another --output keeps it."
    )


def refuse_unknown(folder: Path, results: Iterable[Path]) -> None:
    """Raise `DamagedState` where there is no run.json, and something that only a run leaves."""
    for path in results:
        parts = (part for part in path.parent.glob("annotated/**/.*.parts") if part.is_dir())
        left = [one for one in (path, path.with_name(DROP_LOG)) if os.path.lexists(one)]
        left += path.parent.glob(f"{PIECES}/*/{RESULTS}")
        if left or next(parts, None):
            raise damaged(folder, "is missing")


def part_of(folder: Path) -> Path:
    """Where it is prepared."""
    return folder / RUN_PART


def rendered_in(folder: Path) -> dict[str, int]:
    """How many frames of each source summary.json tells of; nothing where there is none.

    Raises `DamagedState` where it is not what a run has left.
    """
    summary = folder / SUMMARY
    try:
        with open_plain(summary) as file:
            return {str(source["source"]): int(source["rendered"]) for source in json.loads(file.read())["sources"]}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DamagedState(f"{summary} cannot be read: {error.strerror}; put it right, or {REPLACE}.") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedState(f"{summary} is damaged; put it back, delete it, or {REPLACE}.") from None
