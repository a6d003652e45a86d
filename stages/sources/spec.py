"""What a person means by the name of a source: a camera, an address, or a path."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from .urls import is_url

_CAMERA = re.compile(r"(?:/dev/video|video)?([0-9]{1,4})")
_DEVICE = re.compile(r"/dev/video([0-9]{1,4})")


def expanded(path: str) -> str:
    """`~` at the beginning is the user's home; a user who has none, or a file called ~x, has the path as it is."""
    is_home = path == "~" or path.startswith("~/")
    # Not Path.expanduser, which raises where there is neither HOME nor an entry for the user.
    return path if not is_home and os.path.lexists(path) else os.path.expanduser(path)


def camera_of(spec: str | int) -> int | None:
    """The number of the camera that is meant: 0, "0", /dev/video0, video0, or a link such as /dev/v4l/by-id/…."""
    if isinstance(spec, int):
        return spec
    if (named := _CAMERA.fullmatch(spec)) and not (spec.startswith("video") and os.path.lexists(spec)):
        return int(named[1])
    if is_url(spec) or "\0" in spec:
        return None
    device = _DEVICE.fullmatch(os.path.realpath(expanded(spec)))
    return int(device[1]) if device else None


def path_of(spec: str | int) -> str | None:
    """The path that is meant, be it there or not; None of a camera, an address, `auto` and `demo`."""
    if isinstance(spec, int) or spec in ("auto", "demo", "") or "\0" in spec or camera_of(spec) is not None:
        return None
    if spec[:5].lower() == "file:" and not os.path.lexists(spec):
        return _of_file_url(spec[5:])
    return None if is_url(spec) else expanded(spec)


def is_pattern(spec: str | int) -> bool:
    """Whether it is a glob: it has a wildcard, and there is no file of this very name."""
    path = path_of(spec)
    return path is not None and re.search(r"[*?[]", path) is not None and not os.path.lexists(path)


def _of_file_url(rest: str) -> str:
    """file:///a%20b.mp4, file://localhost/a.mp4, file:/a.mp4; also file://a.mp4, which is not one."""
    path = rest.removeprefix("//")
    if rest.startswith("//") and path[:10].lower() == "localhost/":
        path = path[9:]
    decoded = unquote(path, errors="surrogateescape")
    return path if os.path.lexists(path) and not os.path.lexists(decoded) else decoded
