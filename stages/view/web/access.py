"""Access control of the page: decided from a request alone, without a socket."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

LIVE = "live"  # where pictures and numbers come from
MOVED = ""  # the same address with a slash at its end: what the page refers to counts from there
_START = "index.html"


class RequestRefused(Exception):
    """A request, or a connection, that is not taken; its text is what is counted, `sentence` what a person is told."""

    def __init__(self, status: HTTPStatus, reason: str, sentence: str = ""):
        super().__init__(reason)
        self.status, self.sentence = status, sentence or f"{status.phrase}."


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address; of names, only localhost is one."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return address.lower() == "localhost"


def asked_for(path: str, headers: Mapping[str, str], token: str, has: Callable[[str], bool]) -> str:
    """What a request is for: a name, `LIVE`, or `MOVED` where only a slash is missing. Raises `RequestRefused`.

    has: whether there is something of this name. It looks it up in a table: no name is a path of the file system.
    token: what the path must begin with; empty where the page is for this machine alone. Then it is the name in the
    address that must be one of this machine's: a page from elsewhere that has itself resolved to 127.0.0.1 comes with a
    name of its own.
    """
    place = path.partition("?")[0].removeprefix("/")
    if token:
        given, slash, place = place.partition("/")
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode()):
            raise RequestRefused(
                HTTPStatus.FORBIDDEN,
                "a request without the token",
                "The token is missing or wrong; open the whole address that the run printed when it began.",
            )
        if not slash:
            return MOVED
    elif not is_loopback(_host(headers)):
        raise RequestRefused(
            HTTPStatus.FORBIDDEN,
            "a request by another name than this machine's",
            "The request names another host than this machine; open the page at 127.0.0.1.",
        )
    name = place or _START
    if place and headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise RequestRefused(HTTPStatus.FORBIDDEN, "a request of another page")
    if name == LIVE:
        _refuse_foreign(headers)
    elif not has(name):
        raise RequestRefused(HTTPStatus.NOT_FOUND, "a request for what is not there")
    return name


def _refuse_foreign(headers: Mapping[str, str]) -> None:
    """A browser says which page opens a connection; programs that are none say nothing."""
    origin = headers.get("Origin")
    # The page is served by http and by nothing else: the same name under another scheme is another page.
    if origin is not None and origin.lower() != f"http://{headers.get('Host', '').lower()}":
        raise RequestRefused(HTTPStatus.FORBIDDEN, "a connection of another page")


def _host(headers: Mapping[str, str]) -> str:
    try:
        return urlsplit(f"//{headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""
