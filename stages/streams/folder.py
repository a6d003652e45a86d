"""The folder of an HLS stream: one of its own, in which only its own files are ever replaced or removed."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..config.schema import ConfigError
from ..errors import reason, way_out
from ..locks import Taken, locked
from ..results.atomic import NO_LINK, create, is_temporary, open_plain, temporary_beside, write_all
from .playlist import KEPT, LISTED, Playlist, file_name, number_of

MARKER = ".facepipe.stream"  # a folder with this file is one for streams; a line for each, with its name
_ANOTHER = "choose another folder for the stream"
_MOST_BYTES = 1_000_000  # of a playlist: ours have some two thousand
_NAME_BYTES = 200  # of a stream: file systems take 255, and those of its segments and its lock are longer
_WAIT_S, _LOOK_S = 3.0, 0.05  # for a process that is just ending


class StreamFolder:
    """The files of one stream; everything raises `OSError`."""

    def __init__(self, playlist: Path):
        """`playlist`: its absolute path; the segments are beside it."""
        self._path, self._name = playlist, playlist.stem

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep the stream for this process; raises `Taken` where another one keeps it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        refuse_foreign(self._path)
        marker = self._path.parent / MARKER
        if not os.path.lexists(marker):
            with suppress(FileExistsError):  # Another stream into this folder begins as well.
                os.close(create(marker, 0o644))
        with _locked(_lock_of(self._path)):
            if self._name not in _names_in(marker):
                _add_name(marker, self._name)
            self._clear()
            yield

    def playlist(self) -> Playlist:
        """What was written last; an empty one where there is none."""
        try:
            with open_plain(self._path) as file:
                return Playlist.parse(file.read(_MOST_BYTES).decode("utf-8", "replace"))
        except FileNotFoundError:
            return Playlist()

    def write_segment(self, number: int, content: bytes) -> None:
        self._write(self._path.with_name(file_name(self._name, number)), content)

    def write_playlist(self, playlist: Playlist, has_ended: bool = False) -> None:
        """Replace it at once, and remove the segment that nobody wants any more."""
        self._write(self._path, playlist.text(self._name, has_ended).encode())
        self._remove(file_name(self._name, playlist.segments[-1].number - KEPT))

    def _clear(self) -> None:
        """Remove what an earlier process has left: parts of files, and segments that are not listed any more."""
        playlist = self.playlist()
        keeps = range(playlist.first - LISTED, playlist.next_number) if playlist.segments else range(0)
        for path in list(self._path.parent.iterdir()):
            number = number_of(path.name, self._name)
            if self._is_part(path.name) or (number is not None and number not in keeps):
                self._remove(path.name)

    def _is_part(self, file: str) -> bool:
        """Whether it is a file of this stream that was being written; `temporary_beside` has named it."""
        if not is_temporary(Path(file)):
            return False
        whole = file[1:].rsplit(".", 2)[0]
        return whole == self._path.name or number_of(whole, self._name) is not None

    def _write(self, path: Path, content: bytes) -> None:
        """A file is whole, or not there. It is not synced: after a power cut the stream is over anyway."""
        part = temporary_beside(path)
        try:
            descriptor = create(part, 0o644)
            try:
                write_all(descriptor, content)
            finally:
                os.close(descriptor)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
            (self._path.parent / name).unlink()


def refuse_folder(playlist: Path) -> None:
    """Raise `ConfigError` where an HLS stream cannot be written, or would mix with files of somebody else."""
    folder = playlist.parent
    try:
        _refuse_read_only(folder)
        if len(os.fsencode(playlist.stem)) > _NAME_BYTES:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(playlist))
        refuse_foreign(playlist)
        if folder.is_dir():
            with locked(_lock_of(playlist)):
                pass
    except Taken as taken:
        raise ConfigError(f"render.stream: {playlist} is written by {taken.holder}; {_ANOTHER}.") from None
    except OSError as error:
        where = error.filename or folder
        raise ConfigError(
            f"render.stream: {where} cannot be written: {reason(error)}; {way_out(error, _ANOTHER)}."
        ) from None


def refuse_foreign(playlist: Path) -> None:
    """Raise `OSError` where the folder holds something, and no stream was ever written there, or not this one."""
    folder = playlist.parent
    if os.path.lexists(playlist) and (playlist.is_symlink() or not playlist.is_file()):
        raise OSError(errno.EINVAL, "it is no regular file", str(playlist))
    if not os.path.lexists(folder):
        return
    if (folder / MARKER).is_file():
        if playlist.stem not in _names_in(folder / MARKER) and (foreign := _named_as(playlist)):
            raise OSError(errno.EEXIST, "no stream of facepipe has written it", str(foreign))
        return
    if strange := min((path.name for path in folder.iterdir()), default=None):
        raise OSError(errno.ENOTEMPTY, f"it is not empty, and {strange} is no file of a stream", str(folder))


def _named_as(playlist: Path) -> Path | None:
    """A file that a stream of this name would replace or remove."""
    named = (path for path in playlist.parent.iterdir() if number_of(path.name, playlist.stem) is not None)
    return playlist if os.path.lexists(playlist) else min(named, default=None)


def _names_in(marker: Path) -> list[str]:
    """The streams that were written into the folder."""
    with open_plain(marker) as file:
        return os.fsdecode(file.read(_MOST_BYTES)).split("\n")


def _add_name(marker: Path, name: str) -> None:
    descriptor = os.open(marker, os.O_WRONLY | os.O_APPEND | NO_LINK)
    try:
        write_all(descriptor, os.fsencode(f"{name}\n"))
    finally:
        os.close(descriptor)


def _refuse_read_only(folder: Path) -> None:
    """Without making anything: a run that is refused for another reason leaves no folder behind."""
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def _lock_of(playlist: Path) -> Path:
    return playlist.with_name(f".facepipe.{playlist.stem}.lock")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock; the process of a render that was killed has it for a moment longer."""
    until_s = time.monotonic() + _WAIT_S
    while True:
        try:
            with locked(path):
                yield
            return
        except Taken:
            if time.monotonic() > until_s:
                raise
        time.sleep(_LOOK_S)
