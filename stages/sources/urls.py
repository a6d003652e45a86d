"""What may be said of an address: neither user nor password, nor what else lets somebody in."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{2,}")
# http:/anna:secret@host and anna:secret@host: mistyped addresses, which are taken for names of files.
_MISTYPED = re.compile(r"[^/\s]*:.*@")
# Some cameras have user and password in the path: /user=admin_password=1234_channel=1.sdp.
_SECRET = re.compile(
    r"(user|usr|login|account|pass|pwd|psw|passwd|token|key|secret|auth|sig|signature|session|sid|credential)\w*\s*[=:]",
    re.IGNORECASE,
)
_HIDDEN = "hidden"


def is_url(spec: str) -> bool:
    """Whether it begins with a scheme; a single letter is a drive of Windows."""
    return _URL.match(spec) is not None


def split(url: str) -> SplitResult | None:
    """The parts of a URL; None where it has no valid host and port, or it cannot be told where its password ends."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    # An unescaped /, ? or # in a password ends the host, and what follows would be taken for a path and shown.
    rest = url.partition("://")[2].removeprefix(parts.netloc)
    if not host or port == 0 or ("@" in rest and (":" in parts.netloc or "@" in parts.netloc)):
        return None
    return parts


def public_path(path: str) -> str:
    """A path without the parts that hold a password."""
    return "/".join(_HIDDEN if _SECRET.search(unquote(part)) else part for part in path.split("/"))


def public(spec: str | int) -> str:
    """A source as it may be shown: of a URL scheme, host, port and path; everything else as it is."""
    spec = str(spec)
    if not is_url(spec):
        return _MISTYPED.sub("…@", spec) if "@" in spec else spec
    if spec[:7].lower() == "file://":
        return spec
    scheme = spec.partition(":")[0].lower()
    parts = split(spec)
    if parts is None:
        return f"{scheme}://…"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}{f':{parts.port}' if parts.port else ''}{public_path(parts.path)}"
