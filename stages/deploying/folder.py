"""The folder that a deployment is written to: only files that were written there before are replaced or deleted."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ..config.schema import ConfigError
from ..errors import reason, way_out
from ..results.atomic import sync_file
from ..results.manifest import Manifest

PRIVATE, PUBLIC = 0o600, 0o644
TOKEN = "token"
# Files of one target. Those of systemd come first: it has kustomization.yaml too, of a camera that is called so.
MARKS = {"systemd": "*.service", "kubernetes": "kustomization.yaml", "compose": "compose.yaml"}


@dataclass(frozen=True, slots=True)
class File:
    """What a file is to hold."""

    text: str | Path  # or the file that it is a copy of
    mode: int = PUBLIC

    @property
    def content(self) -> bytes:
        return self.text.read_bytes() if isinstance(self.text, Path) else self.text.encode()


def refuse_other_target(folder: Path, target: str) -> None:
    """Raise `ConfigError` where the folder was written for another target, whose files would be deleted."""
    names = [path.relative_to(folder).as_posix() for path in Manifest(folder).files()]
    was = next((other for other, mark in MARKS.items() if any(fnmatch(name, mark) for name in names)), target)
    if was != target:
        raise ConfigError(
            f"{folder} was written for {was}, and {target} would delete its files; choose another folder with --output."
        )


def refuse_foreign(folder: Path, files: Iterable[str]) -> None:
    """Raise `ForeignFile` where a file in the folder has one of these names and is not ours, or was changed."""
    manifest = Manifest(folder)
    for name in files:
        manifest.refuse_foreign(folder / name)


def refuse_links(folder: Path, folders: Iterable[str]) -> None:
    """Raise `ConfigError` where one of the folders in it is a link to elsewhere."""
    for path in (folder / name for name in folders):
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise ConfigError(f"{path} leads out of {folder} by a link; remove it, or write to another folder.")


def refuse_open(folder: Path, private: Iterable[str]) -> None:
    """Raise `ConfigError` where a folder that would be closed to others holds something that is not ours."""
    manifest = Manifest(folder)
    for path in (folder / name for name in private):
        try:
            is_open = path.is_dir() and path.stat().st_mode & 0o077
            foreign = next((each for each in path.iterdir() if not manifest.has_made(each)), None) if is_open else None
        except OSError as error:
            raise _cannot_write(error, folder) from None
        if foreign is not None:
            raise ConfigError(
                f"{path} holds {foreign.name}, which is not of facepipe, and nobody else could read it any more; close"
                f" {path} to others yourself (chmod 700), or write to another folder."
            )


def make_token(folder: Path) -> None:
    """Make the token of `facepipe serve` in the folder of the keys, once: one that is there stays."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / TOKEN, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError:
        return
    except OSError as error:
        raise _cannot_write(error, folder) from None
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(16) + "\n")


def write(folder: Path, files: Mapping[str, File], folders: Iterable[str] = (), owner: int | None = None) -> None:
    """Make the folder hold these files, and none that an earlier call has written and this one has not.

    `folders`: others that are made in it; `owner`: the user whom private files and these folders belong to, where root
    writes them. Raises `ForeignFile`, and `ConfigError` where the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        manifest = Manifest(folder)
        paths = {folder / name: file for name, file in files.items()}
        for path in set(manifest.files()) - paths.keys():
            manifest.remove(path)
        manifest.remove_folders()
        for path, file in paths.items():
            if not _holds(manifest, path, file):
                _write(manifest, path, file, owner)
        for name in private_folders(files):
            _make_private(folder / name, owner)
        for path in (folder / name for name in folders):
            path.mkdir(parents=True, exist_ok=True)
            _make_private(path, owner)
    except OSError as error:
        raise _cannot_write(error, folder) from None


def private_folders(files: Mapping[str, File]) -> list[str]:
    """The folders below the folder itself that hold private files."""
    return sorted({str(Path(name).parent) for name, file in files.items() if file.mode == PRIVATE} - {"."})


def _cannot_write(error: OSError, folder: Path) -> ConfigError:
    way = way_out(error, "choose another folder with --output")
    return ConfigError(f"{error.filename or folder} cannot be written: {reason(error)}; {way}.")


def _holds(manifest: Manifest, path: Path, file: File) -> bool:
    if not manifest.is_ours(path):
        return False
    return path.stat().st_mode & 0o777 == file.mode and path.read_bytes() == file.content


def _write(manifest: Manifest, path: Path, file: File, owner: int | None) -> None:
    with manifest.replacing(path) as temporary:
        os.chmod(temporary, file.mode)  # Before there is anything in it.
        if owner is not None and file.mode == PRIVATE:
            os.chown(temporary, owner, owner)
        temporary.write_bytes(file.content)
        sync_file(temporary)


def _make_private(folder: Path, owner: int | None) -> None:
    folder.chmod(0o700)
    if owner is not None:
        os.chown(folder, owner, owner)
