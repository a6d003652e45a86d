"""What can be told of a source without opening it: that it is not there, holds nothing, or is no picture and no video.

Asked by the command before anything is started, so nothing is imported here that takes its time, and by whoever opens
a source.
"""

from __future__ import annotations

import os
import re
import stat
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import SplitResult

from ..errors import FacepipeError, reason, way_out
from ..kinds import PICTURES, VIDEOS
from .listing import holds, root_of
from .picture_header import is_known
from .spec import camera_of, is_pattern, path_of
from .urls import public, split

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "rtp", "srt", "tcp", "udp")
NO_PICTURE = "is not a JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or PNM picture"
_START_BYTES = 512
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


class SourceError(FacepipeError):
    """The source cannot be read: what is wrong with it, and what to do."""


def refuse(spec: str | int, is_pinned: bool = False) -> None:
    """Raise `SourceError` where it is certain that nothing can be read; a device may still be plugged in.

    `is_pinned`: the files of a folder or a glob are those that an earlier run was begun with.
    """
    if isinstance(spec, int) or spec in ("auto", "demo") or camera_of(spec) is not None:
        return
    refuse_empty(spec)
    if (path := path_of(spec)) is None:
        address_of(spec)
    elif is_list(spec, path):
        if not is_pinned:
            _refuse_list(spec)
    elif os.path.lexists(path) or not path.startswith("/dev/"):
        refuse_file(spec, Path(path))


def is_list(spec: str, path: str) -> bool:
    """Whether it stands for several files; `path`: what `path_of` says of it."""
    return is_pattern(spec) or os.path.isdir(path)


def refuse_empty(spec: str) -> None:
    """Raise `SourceError` for a name that nothing can have."""
    if not spec or "\0" in spec:
        raise SourceError("the source is empty; write a file, a folder, a glob, a URL, a camera number, demo or auto.")


def refuse_file(spec: str, path: Path) -> None:
    """Raise `SourceError` for a single file that is not there, or is no picture and no video at the first glance."""
    if not _is_there(path):
        raise SourceError(_missing(spec, path))
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{path} is not a file, a folder or a camera.")
        if not found.st_size:
            raise SourceError(f"{path} is empty.")
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    if path.suffix.lower() in PICTURES and not is_known(start):
        raise SourceError(f"{path} {NO_PICTURE}, whatever its name says.")
    if _is_text(start) and not is_known(start):
        raise SourceError(f"{path} is not a video that can be read: it is a text file.")


def address_of(url: str) -> SplitResult:
    """The parts of a URL that can be read; raises `SourceError`, without what it holds of a password."""
    parts = split(url)
    if parts is None:
        raise SourceError(
            "the source's URL has no valid host and port; a port is at most 65535, and in a password write %2F for /,"
            " %3A for :, %40 for @, %23 for # and %3F for ?."
        )
    if parts.scheme not in SCHEMES:
        raise SourceError(f"the source's URL begins with {parts.scheme}://; known are {', '.join(SCHEMES)}.")
    return parts


def nothing_in(spec: str) -> SourceError:
    """The sentence for a folder or a glob without a picture or video."""
    root = root_of(spec)
    if is_pattern(spec):
        what, hint = f"The glob {spec} matches", _other_glob(spec) or "'**' stands for any subfolders"
    else:
        what, hint = f"the folder {root} holds", f"the glob '{root / '**' / '*'}' takes its subfolders too"
    return SourceError(f"{what} no picture and no video (.jpg, .png, .mp4, .mkv, .gif and the like); {hint}.")


def _other_glob(spec: str) -> str | None:
    """The same glob with the ending of files that are there."""
    stem, dot, ending = spec.rpartition(".")
    if not dot or "/" in ending:
        return None
    return next((f"there are files for '{stem}{s}'" for s in sorted(PICTURES | VIDEOS) if holds(stem + s, {s})), None)


def unreadable_folder(root: Path, error: OSError) -> SourceError:
    """The sentence for a folder that may not be looked into."""
    return SourceError(f"the folder {root} cannot be read: {reason(error)}{_what_to_do(error)}.")


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{public(str(path))} cannot be read: {reason(error)}{_what_to_do(error)}.")


def _is_text(start: bytes) -> bool:
    """Whether a file begins as a text does, in whatever encoding. No format of videos that is read is one."""
    return _NO_TEXT.search(start) is None


def _refuse_list(spec: str) -> None:
    try:
        if not holds(spec, PICTURES | VIDEOS):
            raise nothing_in(spec)
    except OSError as error:
        raise unreadable_folder(root_of(spec), error) from error


def _is_there(path: Path) -> bool:
    """Whether anything has that name; also what may not be looked at: opening it says why."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _missing(spec: str, path: Path) -> str:
    if os.path.islink(path):
        return f"{public(spec)} is a link to {os.readlink(path)}, and there is no such file; mend the link."
    return f"There is no file or folder {public(spec)}{_nearest(path)}; write a path, a camera number, demo or auto."


def _nearest(missing: Path) -> str:
    """The part of the path that is wrong, and the name beside it that is most like it."""
    while not os.path.isdir(missing.parent) and missing.parent != missing:
        missing = missing.parent
    try:
        beside = os.listdir(missing.parent)
    except OSError:  # Not allowed to look: then there is nothing to suggest.
        return ""
    near = get_close_matches(missing.name, beside, n=1, cutoff=0.7)
    if near:
        return f" (did you mean {missing.parent / near[0]}?)"
    return f" ({missing.parent} has no {missing.name})" if missing.parent != Path(".") else ""


def _what_to_do(error: OSError) -> str:
    return f"; {way}" if (way := way_out(error)) else ""
