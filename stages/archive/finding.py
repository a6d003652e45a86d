"""The films that are meant by paths, folders, globs and addresses, and what each of them is called."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..config.schema import ConfigError
from ..errors import reason
from ..kinds import VIDEOS
from ..layout import ANNOTATED, RUN
from ..names import as_text, short
from ..sources.listing import Listing, root_of
from ..sources.spec import expanded, is_pattern, path_of
from ..sources.urls import is_url
from .names import RESERVED
from .storage import WILD, in_a_sentence, opened, shown

_LOGIN = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/]*@", re.IGNORECASE)
# What stores call the version of a file, or when it was changed: S3, Azure, Google; sftp and disks, smb, webdav, ftp.
_VERSIONS = (
    "ETag",
    "etag",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "last_write_time",
    "modified",
    "modify",
)


@dataclass(frozen=True, slots=True)
class FilmFile:
    """One film that is to be archived."""

    name: str  # its path below the root of the archive, with `/`; its results have this name too
    address: str  # its absolute path, or its address of fsspec
    size: int  # bytes
    version: str  # when it was changed last, or what its store calls this version of it

    @property
    def stamp(self) -> list:
        """By which it is noticed that it is another film now."""
        return [self.size, self.version]


def films_of(patterns: Iterable[str], root: str | None = None, output: str | None = None) -> tuple[str, list[FilmFile]]:
    """The folder that names count from, and the videos that these paths, folders and globs mean now, by name.

    `root`: the folder, where it is known from an earlier start; otherwise the last one that all patterns have in common
    before their wildcards. `output`: the folder or address of the archive, whose own videos are not meant.

    Raises `ConfigError` where there are none, or where two of them would have results of one name, and `StorageError`
    for an address that cannot be read.
    """
    patterns = list(patterns)
    root = root or without_login(_common([_root(pattern) for pattern in patterns]))
    own = f"{without_login(output).rstrip('/')}/" if output else "\0"
    # By address: a film that two patterns mean is one.
    found = {film.address: film for pattern in patterns for film in _found(pattern, own)}
    films = sorted((_named(film, root) for film in found.values()), key=lambda film: film.name)
    refuse_alike(films)
    if reserved := next((film for film in films if PurePosixPath(film.name).parts[0] in RESERVED), None):
        raise ConfigError(
            f"{shown(reserved.address)} would have results of the name {reserved.name}, which an archive needs itself;"
            " name a folder above it."
        )
    return root, films


def refuse_alike(films: list[FilmFile]) -> None:
    """Raise `ConfigError` for a name that leads elsewhere, and where results would lie in the folder of others."""
    by_name: dict[str, FilmFile] = {}
    for film in films:
        if not {"", ".", ".."}.isdisjoint(film.name.split("/")):  # A key of S3 may be anything.
            raise ConfigError(
                f"{shown(film.address)} would have results of the name {short(film.name)}, which leads elsewhere; name"
                " the other films."
            )
        for name in (film.name, *map(str, PurePosixPath(film.name).parents)):
            if name in by_name:
                raise ConfigError(
                    f"{shown(by_name[name].address)} and {shown(film.address)} would have results of one name; archive"
                    " them into two outputs."
                )
        by_name[film.name] = film


def without_login(address: str) -> str:
    """An address without user and password, which are nobody's business; a path as it is."""
    return _LOGIN.sub(r"\1", address)


def is_there(film: FilmFile) -> FilmFile | None:
    """The same film as it is now; None where it has gone. Raises `StorageError`."""
    with in_a_sentence(f"read {shown(film.address)}"):
        try:
            if not is_url(film.address):
                return _of_path(film.name, film.address)
            files, path = opened(film.address)
            files.invalidate_cache()
            return _of_store(film.name, film.address, files.info(path))
        except FileNotFoundError:
            return None


def _found(pattern: str, own: str) -> Iterator[FilmFile]:
    path = _path(pattern)
    films = _in_store(pattern) if path is None else _on_disk(pattern, path)
    films = list(films)
    foreign = [film for film in films if not without_login(film.address).startswith(own)]
    if films and not foreign:
        raise ConfigError(f"{short(shown(pattern))}: all videos there are in the output; choose another --output.")
    if not films:
        raise ConfigError(f"{short(shown(pattern))}: no video is there (.mp4, .mkv, .mov, .avi and the like).")
    yield from foreign


def _path(pattern: str) -> str | None:
    """None of an address of fsspec. 0 and demo are sources elsewhere; here they are names of files."""
    path = path_of(pattern)
    return expanded(pattern) if path is None and not is_url(pattern) else path


def _on_disk(pattern: str, path: str) -> Iterator[FilmFile]:
    try:
        listing = Listing.of(pattern)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {reason(error)}; choose another folder.") from error
    paths = [Path(path)] if listing is None else [each for each in listing.files if _is_video(each.name)]
    for each in paths:
        try:
            yield _of_path(as_text(str(each)), os.path.abspath(each))
        except OSError as error:
            raise ConfigError(f"{each} cannot be read: {reason(error)}; name a video.") from error


def _in_store(pattern: str) -> Iterator[FilmFile]:
    with in_a_sentence(f"read {shown(pattern)}"):
        files, path = opened(pattern)
        is_glob = any(character in path for character in WILD)
        if is_glob:
            found = files.glob(path, detail=True)
        elif files.isdir(path):
            found = {each["name"]: each for each in files.ls(path, detail=True)}
        else:
            found = {path: files.info(path)} if files.exists(path) else {}
        # What runs have made is meant only where a person names that very folder.
        folders = {_folder_of_outputs(name) for name in found if ANNOTATED not in path.split("/")} - {None}
        runs = {folder for folder in folders if files.exists(f"{folder}/{RUN}")}
    for name, detail in found.items():
        is_hidden = "/." in name and "/." not in path
        is_meant = len(found) == 1 or (_is_video(name) and not is_hidden and _folder_of_outputs(name) not in runs)
        if is_meant and detail["type"] == "file":
            yield _of_store(name, _address(name, pattern, path), detail)


def _address(name: str, pattern: str, path: str) -> str:
    """The address of a file by its name in its store; `path`: what this store calls what the pattern says.

    Names there begin with the bucket, or with a folder of the host that the pattern names: what is before it stays.
    """
    given, inside = pattern.rstrip("/"), path.lstrip("/")
    if is_url(name) or not given.endswith(inside):
        return name if is_url(name) else f"{given.partition('://')[0]}://{name.lstrip('/')}"
    return given.removesuffix(inside) + name.lstrip("/")


def _folder_of_outputs(name: str) -> str | None:
    """The folder of the run that has made a video of this name, if it was one."""
    folder, _, _ = name.rpartition("/")
    return folder.removesuffix(f"/{ANNOTATED}") if folder.endswith(f"/{ANNOTATED}") else None


def _of_path(name: str, path: str) -> FilmFile:
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):  # To open a FIFO would take for ever.
        raise OSError(errno.EINVAL, "it is a folder" if stat.S_ISDIR(found.st_mode) else "it is no file")
    return FilmFile(name, path, found.st_size, str(found.st_mtime_ns))


def _of_store(name: str, address: str, detail: dict) -> FilmFile:
    version = next(filter(None, map(detail.get, _VERSIONS)), "")
    return FilmFile(name, address, detail.get("size") or 0, str(version).strip('"'))


def _is_video(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in VIDEOS


def _root(pattern: str) -> str:
    """The last folder before a wildcard, or that of a file, absolute."""
    path = _path(pattern)
    if path is not None:
        is_folder = os.path.isdir(path) and not is_pattern(pattern)
        return os.path.abspath(root_of(pattern) if is_folder or is_pattern(pattern) else os.path.dirname(path) or ".")
    scheme, _, place = pattern.partition("://")
    parts = place.split("/")
    fixed = next((n for n, part in enumerate(parts) if any(c in part for c in WILD)), max(1, len(parts) - 1))
    return f"{scheme}://{'/'.join(parts[:fixed])}"


def _common(roots: list[str]) -> str:
    schemes = {root.partition("://")[0] if is_url(root) else "" for root in roots}
    if len(schemes) > 1:
        raise ConfigError("the films lie on several kinds of storage; archive each kind into an output of its own.")
    if not (scheme := schemes.pop()):
        return os.path.commonpath(roots)
    places = [root.partition("://")[2] for root in roots]
    common = os.path.commonpath([f"/{place.lstrip('/')}" for place in places])
    return f"{scheme}://{common if places[0].startswith('/') else common.lstrip('/')}"


def _named(film: FilmFile, root: str) -> FilmFile:
    """The same with its name below this folder."""
    above, address = root.rstrip("/") + "/", without_login(film.address)
    if not address.startswith(above):
        raise ConfigError(
            f"{shown(film.address)} does not lie below {shown(root)}, from which the names in this archive count;"
            " archive it into another output."
        )
    return replace(film, name=as_text(address.removeprefix(above)))
