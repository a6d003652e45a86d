"""The page over an archive, wherever it is kept."""

from __future__ import annotations

from pathlib import PurePosixPath

from ..layout import DIGEST
from ..report.archive import Files, archive_report, write_archive_report
from .names import REPORT
from .storage import Storage

AHEAD = 1000  # digests of films that are fetched at a time: one by one, those of many films take an hour from S3


def write_page(storage: Storage) -> None:
    """Write archive.html; raises a `FacepipeError`."""
    if storage.folder is not None:
        write_archive_report(storage.folder)
        return
    names = set(storage.names())
    files = Files(PurePosixPath(storage.address).name, _Ahead(storage, names).read, names.__contains__)
    storage.write(REPORT, "".join(archive_report(files)).encode("utf-8", "backslashreplace"))


class _Ahead:
    """Reads files; the digests of films, which are asked for in the order of the films, before they are asked for."""

    def __init__(self, storage: Storage, names: set[str]):
        self._storage = storage
        films = sorted(name.removesuffix(f"/{DIGEST}") for name in names if name.endswith(f"/{DIGEST}"))
        self._names = [f"{film}/{DIGEST}" for film in films]
        self._places = {name: place for place, name in enumerate(self._names)}
        self._fetched: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        if name in self._places and name not in self._fetched:
            place = self._places[name]
            self._fetched = self._storage.read_all(self._names[place : place + AHEAD])
        return self._fetched[name] if name in self._fetched else self._storage.read(name)
