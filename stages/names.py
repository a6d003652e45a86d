"""Names and numbers as they are shown, and how the annotated form of a picture or video is called."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Container, Iterable
from pathlib import PurePosixPath
from zlib import crc32

from .kinds import PICTURES, VIDEOS

_PICTURES_KEPT = {".jpg", ".jpeg", ".png"}
_PHOTOGRAPHS = {".heic", ".heif", ".hif"}  # as JPEG, for as PNG one from a phone has 20 MB
# What an annotated video may be of, and a picture: a video of one frame is one, too.
_VIDEOS = VIDEOS | {".webp"}
_PICTURES = PICTURES | VIDEOS | {".jp2"}
# What some file system refuses or reads as a path; of surrogates all but those that stand for a byte of a name.
_ODD = re.compile(
    r'[\x00-\x1f\x7f<>:"|?*\\/\ud800-\udc7f\udd00-\udfff'
    # Controls of the second kind, and what turns the direction of reading or is a line end: a name looks like another.
    r"\x80-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]+"
)
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # names that Windows keeps for itself
_BYTES = 180  # of a name: file systems take 255, and segments and temporary files add to it


_JOINERS = "\u200c\u200d"  # parts of words in some scripts, and of one emoji made of several


def printable(text: str) -> str:
    """A text in which nothing acts on a terminal, ends a line or turns the direction of reading, such as \\x1b."""
    return text if text.isascii() and text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode("ascii")


def described(value: object) -> str:
    """A value as an error's sentence shows it, at most 60 characters."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list"
        case _:
            return short(repr(value))


def short(text: str) -> str:
    """A text of the user's own, cut to 60 characters and with escapes for what cannot be seen."""
    text = text if text and text.isprintable() else repr(text)
    return text if len(text) <= 60 else text[:57] + "..."


def as_text(name: str) -> str:
    """A file's name may hold bytes that are no text in any encoding; messages and JSON hold text only.

    Two names stay two: a question mark for each such byte would make one of them.
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def names_apart(files: Iterable[str]) -> frozenset[str]:
    """Those of the files of a source whose names another one has before them, where capitals and accents are no
    difference: macOS, Windows and most memory sticks have one file for A.jpg and a.jpg.
    """
    apart, seen = set(), set()
    for file in files:
        same = unicodedata.normalize("NFC", file.casefold())
        if same in seen:
            apart.add(file)
        seen.add(same)
    return frozenset(apart)


def output_name(source: str, file: str | None, still: bool, apart: Container[str] = ()) -> PurePosixPath:
    """The path, relative to the folder of annotated outputs, for a picture (`still`) or video of a source.

    JPEG and PNG pictures and mp4 videos keep their name; others get '.png', '.mp4' or, after HEIC, '.jpg' after it, so
    that clip.gif and clip.mp4 do not meet. `file` keeps its sub-folders. Those that are `apart`, by `names_apart`, get
    a mark. No result is absolute or leads out of the folder.
    """
    if file is None:
        parts = [safe_name(source)]
    else:
        parts = [_apart(part) for part in file.split("/") if part not in ("", ".")] or ["_"]
        if file in apart:
            parts[-1] = _marked(parts[-1], file)
    return PurePosixPath(*parts[:-1], _with_suffix(parts[-1], still))


def _apart(part: str) -> str:
    """A safe name for one part of a path; one that had to be changed is kept apart from others by a hash."""
    safe = safe_name(part)
    return safe if safe == part else _marked(safe, part)


def _marked(name: str, by: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    mark = f"{crc32(by.encode('utf-8', 'surrogatepass')):08x}"
    return f"{stem}-{mark}.{suffix}" if dot and stem else f"{name}-{mark}"


def safe_name(name: str) -> str:
    """The name of a file without what some file system refuses or reads as a path."""
    name = _ODD.sub("_", name).strip(". ") or "_"
    if _DEVICE.match(name):
        name = f"_{name}"
    if len(name.encode("utf-8", "surrogatepass")) > _BYTES:
        suffix = PurePosixPath(name).suffix[:8]
        name = name.encode("utf-8", "surrogatepass")[: _BYTES - 16].decode("utf-8", "ignore") + suffix
    return name


def _with_suffix(name: str, still: bool) -> str:
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    kept = suffix in _PICTURES_KEPT if still else suffix == ".mp4"
    # A file that is really called clip.gif.mp4 must not meet what clip.gif becomes.
    looks_appended = PurePosixPath(path.stem).suffix.lower() in (_PICTURES if still else _VIDEOS)
    if kept and not looks_appended:
        return name
    if still:
        return f"{name}.jpg" if suffix in _PHOTOGRAPHS else f"{name}.png"
    return f"{name}.mp4"


def counted(number: int, noun: str) -> str:
    """1 picture, 2 pictures."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown(path: str) -> str:
    """A path as short as it can be said from here."""
    try:
        relative = os.path.relpath(path)
    except OSError:  # The folder that we are in was removed.
        return path
    return path if relative.startswith("..") else relative


def without_folders(sentence: str, name: str) -> str:
    """A sentence that begins with the path of `name`, without the folders above it; any other one as it is."""
    folders, found, rest = sentence.partition(f"/{name}")
    return name + rest if found and not any(map(str.isspace, folders)) else sentence
