"""How far one destination has confirmed the events of a run: one small file, replaced as a whole."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..people.event_file import Place
from ..results.atomic import BINARY, NO_LINK, open_plain, sync_folder, write_all
from ..results.pieces import is_piece
from .counts import Counts

LARGEST_BYTES = 10_000_000


@dataclass(slots=True)
class Confirmed:
    """What is confirmed of one source."""

    place: Place = field(default_factory=Place)
    counts: Counts = field(default_factory=Counts)  # of the events before the place


@dataclass(slots=True)
class Position:
    """What is confirmed of a run."""

    run: str
    sent: int = 0  # events that were confirmed, all lives of this process together
    refused: int = 0  # events that the destination will never take, and that were set aside
    deleted: int = 0  # events that were deleted with an old piece of the results before they were read
    sources: dict[str, Confirmed] = field(default_factory=dict)  # by folder, "" for the folder of the run itself

    @classmethod
    def read(cls, path: Path, run: str) -> Position:
        """That of this run; a new one where there is none, or none that can be read.

        Events that were confirmed are then sent again, under the IDs that they had.
        """
        try:
            with open_plain(path) as file:
                said = json.loads(file.read(LARGEST_BYTES))
            if said["run"] == run:
                sources = {name: _confirmed(entry) for name, entry in said["sources"].items()}
                return cls(run, int(said["sent"]), int(said["refused"]), int(said.get("deleted", 0)), sources)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # A kill leaves the old file or the new one. This one is missing or was damaged by somebody else.
        return cls(run)

    def write(self, path: Path) -> None:
        """Replace the file; it is durable when this returns. Raises `OSError`, and the old file stays."""
        sources = {
            name: {"place": asdict(entry.place), "counts": entry.counts.to_json()}
            for name, entry in self.sources.items()
        }
        said = {
            "run": self.run,
            "sent": self.sent,
            "refused": self.refused,
            "deleted": self.deleted,
            "sources": sources,
        }
        part = path.with_name(f".{path.name}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINK | BINARY, 0o600)
        try:
            write_all(descriptor, json.dumps(said).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(part, path)
        sync_folder(path.parent)


def _confirmed(said: dict) -> Confirmed:
    place = said["place"]
    if not (isinstance(place["bytes"], int) and place["bytes"] >= 0 and isinstance(place["tail"], str)):
        raise ValueError("no place")
    piece = place.get("piece", "")
    if piece and not is_piece(piece):
        raise ValueError("no piece")
    where = Place(place["bytes"], int(place["lines"]), place["tail"], piece)
    return Confirmed(where, Counts.from_json(said["counts"]))
