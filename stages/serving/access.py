"""Who gets an answer: decided from the headers of a request alone, without a socket."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from ..view.web.access import is_loopback

# They tell nothing about pictures or runs.
OPEN = ("/", "/healthz", "/readyz", "/openapi.json", "/docs")
OPEN_FOLDER = "/static/"


class Refused(Exception):
    """A request that gets an error; its text is the sentence."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None):
        super().__init__(sentence)
        self.status, self.headers = status, headers or {}


def check(path: str, headers: Sequence[tuple[bytes, bytes]], token: str | None) -> None:
    """Raise `Refused` for a request that may not be answered.

    `headers`: with names in small letters. `token`: what has to be sent as bearer; None: only this machine reaches the
    server. Then the name in the address has to be one of this machine's: a page from elsewhere that has itself resolved
    to 127.0.0.1 comes with a name of its own.
    """
    host = _only(headers, b"host")
    if token is None and not is_loopback(_name_in(host)):
        raise Refused(HTTPStatus.FORBIDDEN, "The request names another host than this machine; use 127.0.0.1.")
    origin = _only(headers, b"origin")
    # Both schemes: a proxy in front may speak HTTPS.
    if origin is not None and origin.lower() not in {f"{scheme}://{(host or '').lower()}" for scheme in _SCHEMES}:
        raise Refused(HTTPStatus.FORBIDDEN, "The request comes from a page of another site; send it from a program.")
    is_open = path in OPEN or path.startswith(OPEN_FOLDER)
    if token is not None and not is_open and not _is_token(_only(headers, b"authorization"), token):
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "The token is missing or wrong; send the header Authorization: Bearer TOKEN.",
            {"WWW-Authenticate": 'Bearer realm="facepipe"'},
        )


_SCHEMES = ("http", "https")


def _only(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a header; one that is said twice fits nothing."""
    values = [value.decode("latin-1") for key, value in headers if key == name]
    return ", ".join(values) if values else None


def _name_in(host: str | None) -> str:
    try:
        return urlsplit(f"//{host or ''}").hostname or ""
    except ValueError:
        return ""


def _is_token(authorization: str | None, token: str) -> bool:
    scheme, _, given = (authorization or "").partition(" ")
    # Compared in any case, and in constant time: the time of the answer tells nothing of the token.
    is_equal = hmac.compare_digest(given.strip().encode("latin-1"), token.encode())
    return is_equal and scheme.lower() == "bearer"
