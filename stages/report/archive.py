"""Makes the page over an archive from archive.json and the digests of its films."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import msgspec

from ..errors import FacepipeError
from ..layout import ARCHIVE, ARCHIVE_REPORT, DIGEST, REPORT
from ..names import short
from ..reading.lines import ResultsError, cannot_be_read, cannot_be_written, manifest_of, results_in
from ..results.atomic import replacing
from .archive_page import Archive, Film, archive_page
from .cut import cut_faces
from .digest import Digest, bytes_of, digest_of, keep_digest, read_digest
from .overview import Best
from .thumbnails import Thumbnail
from .words import size_of

AT_ONCE = 16  # digests that are asked for
CHUNK = 1000  # that are held


class _Film(msgspec.Struct):
    """What the page needs of a film in archive.json."""

    film: str  # its name, and the folder of its results
    state: str = "open"  # "done", "failed", "open"
    reason: str = ""  # why it failed
    core_s: float = 0.0


class _ArchiveFile(msgspec.Struct):
    films: list[_Film]


@dataclass(frozen=True, slots=True)
class Files:
    """The files of an archive, wherever it is kept; names are relative to it, with `/`."""

    name: str  # of the archive
    read: Callable[[str], bytes | None]  # the content of a file; None where it is not there
    has: Callable[[str], bool]
    folder: Path | None = None  # where it is on this machine; None: faces are not cut out, and digests not renewed

    @classmethod
    def of(cls, folder: Path) -> Files:
        """Those in a folder of this machine."""
        return cls(
            folder.resolve().name,
            lambda name: _content(folder / name),
            lambda name: os.path.isfile(folder / name),
            folder,
        )


def archive_report(files: Files, blur: bool = False, say: Callable[[str], None] = lambda said: None) -> Iterator[str]:
    """The page, in parts; `blur`: hide faces whatever the runs have done. Raises `ResultsError`.

    `say` is told what the reader of the terminal should know.
    """
    films = _listed(files)
    archive = Archive(files.name, open=sum(one.state not in ("done", "failed") for one in films))
    archive.unreadable += [(one.film, one.reason) for one in films if one.state == "failed"]
    for listed, content in _with_digests(files, [one for one in films if one.state == "done"]):
        try:
            digest = _digest(files, listed.film, content, say)
        except FacepipeError as error:
            archive.unreadable.append((listed.film, str(error)))
            continue
        page = f"{listed.film}/{REPORT}"
        archive.add(Film(listed.film, digest, quote(page, errors="surrogateescape") if files.has(page) else None))
        archive.core_s += listed.core_s
    pictures, notes = _pictures(files.folder, archive.best_moments(), blur)
    day = time.strftime("%d %B %Y").lstrip("0")
    yield from archive_page(archive, day, pictures, notes)


def write_archive_report(folder: Path, blur: bool = False, say: Callable[[str], None] = lambda said: None) -> Path:
    """Write archive.html into an archive on this machine; returns its path. Raises `ResultsError`."""
    path = folder / ARCHIVE_REPORT
    page = archive_report(Files.of(folder), blur, say)
    try:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for part in page:
                file.write(part)
    except OSError as error:
        raise cannot_be_written(path, error) from error
    say(f"Wrote {path}, {size_of(path)}.")
    return path


def is_archive(folder: Path) -> bool:
    """Whether `facepipe archive` has written here."""
    return os.path.isfile(folder / ARCHIVE)  # False also where nobody may look: whoever reads it says so.


def _listed(files: Files) -> list[_Film]:
    content = files.read(ARCHIVE)
    if content is None:
        raise ResultsError(f"{files.name} has no {ARCHIVE}; name the folder that facepipe archive has written to.")
    try:
        films = msgspec.json.decode(content, type=_ArchiveFile).films
    except (msgspec.DecodeError, RecursionError):
        raise ResultsError(f"{ARCHIVE} of {files.name} is damaged; put it back.") from None
    if outside := next((one.film for one in films if _leads_out(one.film)), None):
        raise ResultsError(
            f"{ARCHIVE} of {files.name} names {short(outside)}, which is not in the archive; put it back."
        )
    return films


def _leads_out(film: str) -> bool:
    path = PurePosixPath(film)
    return path.is_absolute() or ".." in path.parts or not path.parts


def _with_digests(files: Files, films: list[_Film]) -> Iterator[tuple[_Film, bytes | None]]:
    """Each film with its digest.json; of a store with several at once, because each takes some 20 ms to come."""
    with ThreadPoolExecutor(1 if files.folder is not None else AT_ONCE) as threads:
        for begin in range(0, len(films), CHUNK):
            some = films[begin : begin + CHUNK]
            yield from zip(some, threads.map(files.read, [f"{one.film}/{DIGEST}" for one in some]), strict=True)


def _digest(files: Files, film: str, content: bytes | None, say: Callable[[str], None]) -> Digest:
    """What is known of a film; made anew where it is missing, or not that of these results. Raises `FacepipeError`."""
    digest = read_digest(content)
    if files.folder is None:
        if digest is None:
            raise ResultsError(f"{film}/{DIGEST} is missing or damaged; copy the archive to a folder of this machine.")
        return digest
    folder = files.folder / film
    results = results_in(folder)
    if digest is None or digest.results_bytes != bytes_of(results):
        say(f"Reading the results of {film}.")
        digest = digest_of(results)
        try:
            keep_digest(folder, digest)
        except FacepipeError as error:  # It is read again the next time.
            say(str(error))
    return digest


def _pictures(folder: Path | None, best: list[Best], blur: bool) -> tuple[dict[Best, Thumbnail], list[str]]:
    """The faces of these moments, as far as they can be had, and sentences about them."""
    pictures: dict[Best, Thumbnail] = {}
    captions: dict[str, None] = {}
    if folder is None:
        return {}, [
            "There are no pictures of the faces: the archive is not in a folder of this machine."
        ] if best else []
    for film in dict.fromkeys(one.who for one in best):
        of_film = [one for one in best if one.who == film]
        with suppress(ResultsError):  # What is wrong with it is told where it is listed.
            results = results_in(folder / film)[0]
            source, moments = next(iter(results)).source, [one.moment for one in of_film]
            cut = cut_faces(results, source, moments, manifest_of(folder / film), blur=blur)
            pictures |= {one: cut.pictures[one.moment] for one in of_film if one.moment in cut.pictures}
            captions |= dict.fromkeys(cut.captions)
    if missing := len(best) - len(pictures):
        captions[
            f"{missing} of the {len(best)} best moments have no picture: their films are not where they were, or were"
            " changed."
        ] = None
    return pictures, list(captions)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot_be_read(path, error) from error
