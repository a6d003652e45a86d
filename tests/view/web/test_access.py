"""Who may have what of the page, decided from a request."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from stages.view.web.access import LIVE, MOVED, RequestRefused, asked_for, is_loopback

NAMES = frozenset({"index.html", "app.js"})
HERE = {"Host": "127.0.0.1:8600"}
THERE = {"Host": "192.168.7.10:8600"}


def asked(path: str, headers: dict[str, str] = HERE, token: str = "") -> str:
    return asked_for(path, headers, token, NAMES.__contains__)


def refusal(path: str, headers: dict[str, str] = HERE, token: str = "") -> tuple[HTTPStatus, str]:
    with pytest.raises(RequestRefused) as refused:
        asked(path, headers, token)
    return refused.value.status, str(refused.value)


def test_the_page_and_its_parts_are_given_to_this_machine():
    assert (asked("/"), asked("/app.js"), asked("/live")) == ("index.html", "app.js", LIVE)
    assert asked("/app.js?v=2") == "app.js"


@pytest.mark.parametrize("host", ["127.0.0.1:8600", "localhost:8600", "[::1]:8600", "LOCALHOST", "127.0.0.1:9000"])
def test_any_name_of_this_machine_is_right_and_any_port_because_a_tunnel_has_its_own(host):
    assert asked("/", {"Host": host}) == "index.html"


@pytest.mark.parametrize("host", ["evil.example:8600", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1"])
def test_a_name_from_elsewhere_that_resolves_to_this_machine_is_refused(host):
    assert refusal("/", {"Host": host}) == (HTTPStatus.FORBIDDEN, "a request by another name than this machine's")
    assert refusal("/live", {"Host": host})[0] == HTTPStatus.FORBIDDEN


def test_a_request_that_names_no_host_is_refused():
    assert refusal("/", {})[0] == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    "path",
    ["/../app.js", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/static/app.js", "/x\udcff"],
)
def test_nothing_but_the_parts_of_the_page_can_be_had(path):
    assert refusal(path) == (HTTPStatus.NOT_FOUND, "a request for what is not there")


def test_a_page_of_somebody_else_cannot_open_a_connection():
    assert asked("/live", HERE | {"Origin": "http://127.0.0.1:8600"}) == LIVE
    others = (
        "://127.0.0.1:8600",
        "https://127.0.0.1:8600",
        "ftp://127.0.0.1:8600",
        "chrome-extension://127.0.0.1:8600",
    )
    for origin in ("http://evil.example", "http://127.0.0.1:9999", "null", "http://[", "", *others):
        assert refusal("/live", HERE | {"Origin": origin})[1] == "a connection of another page"


def test_a_page_of_somebody_else_cannot_show_what_belongs_to_this_one():
    for site, status in (("same-origin", None), ("none", None), ("cross-site", 403), ("same-site", 403)):
        headers = HERE | {"Sec-Fetch-Site": site}
        if status is None:
            assert asked("/app.js", headers) == "app.js"
        else:
            assert refusal("/app.js", headers) == (status, "a request of another page")
    assert asked("/", HERE | {"Sec-Fetch-Site": "cross-site"}) == "index.html"  # A link that somebody follows.


def test_where_others_reach_it_the_address_must_hold_the_token():
    assert asked("/s3cret/", THERE, "s3cret") == "index.html"
    assert asked("/s3cret/live", THERE | {"Origin": "http://192.168.7.10:8600"}, "s3cret") == LIVE
    for path in ("/", "/live", "/app.js", "/s3cre/", "/s3cretx/", "//s3cret/", "/S3CRET/", "/\udcff/"):
        assert refusal(path, THERE, "s3cret") == (HTTPStatus.FORBIDDEN, "a request without the token")


def test_an_address_without_its_last_slash_is_led_to_the_page():
    assert asked("/s3cret", THERE, "s3cret") == MOVED


def test_the_token_makes_nobody_else_s_page_welcome():
    foreign = THERE | {"Origin": "http://evil.example"}
    assert refusal("/s3cret/live", foreign, "s3cret")[1] == "a connection of another page"


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("localhost", True)]
    + [("0.0.0.0", False), ("::", False), ("192.168.7.10", False), ("fe80::1%eth0", False), ("desk", False)],
)
def test_only_addresses_of_this_machine_are_loopback(address, loopback):
    assert is_loopback(address) is loopback
