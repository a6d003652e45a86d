"""What the server says of itself at /openapi.json, put to the test by schemathesis, and at /docs."""

from __future__ import annotations

import contextlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from stages.serving.description import description
from stages.serving.limits import Limits
from tests.serving.server import Server

schemathesis = pytest.importorskip("schemathesis", reason="the group dev is not installed")
pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

EXAMPLES = 10  # of each operation, and again of what its description forbids


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, str(folder / "no-run"), "--rate", "100000", "--queue", "1000") as server:
        yield server


def test_every_answer_is_one_that_the_description_allows(server):
    described = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    # A schema cannot say which bytes are a picture, so what it allows may be refused.
    excluded = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
    asked = set()
    for operation in (result.ok() for result in described.get_all_operations()):
        for mode in schemathesis.GenerationMode:

            @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case):
                case.call_and_validate(excluded_checks=excluded)
                asked.add(case.path)

            with contextlib.suppress(Unsatisfiable):  # There is nothing that a path without parameters forbids.
                ask()
    assert asked == set(server.get("/openapi.json").json["paths"]) - {"/openapi.json"}  # That it has read already.


def test_the_page_has_every_path_and_loads_nothing(server):
    answer = server.get("/docs")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    page = answer.body.decode()
    HTMLParser().feed(page)
    assert all(path in page for path in server.get("/openapi.json").json["paths"])
    assert not re.search(r"<script|src=|https?://", page)


def test_where_a_token_is_needed_the_description_says_so():
    described = description(Limits(), has_token=True)
    assert described["security"] == [{"token": []}]
    assert "401" in described["paths"]["/v1/analyze"]["post"]["responses"]
    assert described["paths"]["/healthz"]["get"]["security"] == []
