"""Films of other storage on the disk of this machine: each fetched once for all processes here, the oldest removed.

Decoders seek, and a part of a film needs its header and its own bytes. A whole copy is read by the same code as any
file, at the speed of a disk, and fetched in one stream; a film is divided among few machines at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..results.atomic import make_private_folder, temporary_beside
from ..sources.refusal import SourceError
from ..sources.urls import is_url
from .finding import FilmFile, is_there
from .storage import StorageError, StorageFull, in_a_sentence, opened, shown

FOLDER = "facepipe-films"
_LOCK = "lock"


@contextmanager
def on_this_machine(film: FilmFile, most_bytes: int, above: Path | None = None) -> Iterator[Path]:
    """The path of a film, as long as it is needed; its base name is that of the film.

    `most_bytes`: what all copies on this machine may take together; one film that is larger is fetched all the same.
    `above`: the folder for the folder of copies, by default that for temporary files. Raises `SourceError` where it is
    not there, is another one now or cannot be read, and `StorageError` where no copy can be kept.
    """
    if not is_url(film.address):
        _refuse_another(film)
        try:
            yield Path(film.address)
        finally:  # If it was changed, that is also why it could not be read.
            _refuse_another(film)
        return
    folder = (above or Path(tempfile.gettempdir())) / f"{FOLDER}-{os.getuid()}"
    with in_a_sentence(f"use {folder}", "set TMPDIR to another folder"):
        make_private_folder(folder)
    place = folder / hashlib.sha256(f"{film.address} {film.stamp}".encode("utf-8", "backslashreplace")).hexdigest()[:24]
    path = place / PurePosixPath(film.address).name
    while True:  # Between the two locks another process may remove the copy.
        with _held(place, fcntl.LOCK_SH):
            if path.exists():
                now_ns = time.time_ns()
                os.utime(place, ns=(now_ns, now_ns))  # The one that was used longest ago is removed first.
                try:
                    yield path
                except SourceError as error:  # A person knows the film by its address.
                    raise SourceError(str(error).replace(str(path), shown(film.address))) from error
                return
        with _held(place, fcntl.LOCK_EX):
            if not path.exists():
                _make_room(folder, most_bytes - film.size)
                _fetch(film, path)


def _refuse_another(film: FilmFile) -> None:
    try:
        now = is_there(film)
    except StorageError as error:
        raise SourceError(str(error)) from error
    if now is None and is_url(film.address):
        raise SourceError(f"{shown(film.address)} is not there any more.")
    if now is None:
        raise SourceError(
            f"{shown(film.address)} is not there on {os.uname().nodename}; if it was not removed, share its folder with"
            " all machines of the cluster, under the same path."
        )
    if now.stamp != film.stamp:
        raise SourceError(f"{shown(film.address)} was changed while it was analysed; start the command again.")


def _fetch(film: FilmFile, path: Path) -> None:
    _refuse_another(film)
    files, place = opened(film.address)
    _empty(path.parent)  # What a process that was killed has left.
    temporary = temporary_beside(path)
    try:
        with in_a_sentence(f"copy {shown(film.address)} to {path.parent}", "set TMPDIR to a folder on a larger disk"):
            files.get_file(place, str(temporary))
            _refuse_another(film)
            if os.path.getsize(temporary) != film.size:
                raise SourceError(f"{shown(film.address)} came with another size; start the command again.")
            os.replace(temporary, path)
    except StorageFull:
        raise
    except StorageError as error:
        raise SourceError(str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _make_room(folder: Path, most_bytes: int) -> None:
    """Remove copies that nobody uses, until those that are left take no more than this."""
    copies = sorted((place for place in folder.iterdir() if place.is_dir()), key=_used)
    sizes = {place: sum(file.stat().st_size for file in place.iterdir() if file.is_file()) for place in copies}
    left = sum(sizes.values())
    for place in copies:
        if left <= most_bytes:
            return
        with contextlib.suppress(BlockingIOError), _held(place, fcntl.LOCK_EX | fcntl.LOCK_NB):
            _empty(place)
            left -= sizes[place]


def _empty(place: Path) -> None:
    # The lock stays: another process may be waiting for this very file.
    for file in place.iterdir():
        if file.name != _LOCK:
            file.unlink()


def _used(place: Path) -> int:
    with contextlib.suppress(OSError):
        return place.stat().st_mtime_ns
    return 0


@contextmanager
def _held(place: Path, how: int) -> Iterator[int]:
    """Hold the lock of a place of one film, which the system gives back when this process ends, however it ends."""
    place.mkdir(exist_ok=True)
    descriptor = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)
