"""Results in which anything may stand: the commands make what can be made, or say in a sentence what is wrong."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stages.export.__main__ import main as export
from stages.report.__main__ import main
from stages.results.jsonl import line
from tests.report.material import followed
from tests.results.frames import flat, frame, seen

LINES = [
    json.loads(line(frame(number, flat(96, 64), [seen(followed(4), unsure=number == 1)], missing=["age"])))
    for number in range(3)
]

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The way to everything that stands in a line."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))][1 if path == () else 0 :]


def put(value: object, path: tuple, what: object) -> object:
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = put(copy[key], rest, what) if rest else what
    return copy


@given(st.integers(0, 2), st.sampled_from(places(LINES[0])), anything)
def test_whatever_stands_in_a_line_it_is_told_or_refused(number, place, what):
    lines = [put(one, place, what) if n == number else one for n, one in enumerate(LINES)]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        for at, told in ((folder, lines), (other, LINES)):
            text = "".join(json.dumps(one) + "\n" for one in told)
            (Path(at) / "results.jsonl").write_text(text, encoding="utf-8", errors="backslashreplace")
            (Path(at) / "run.json").write_text('{"inputs": {"source demo": ["demo", null]}}')
        assert main([folder, "--html", "--csv", "--vtt"]) in (0, 2)
        assert main([folder, other]) in (0, 2) and main([other, folder]) in (0, 2)
        assert export([folder]) in (0, 2)


@given(st.binary(max_size=300))
def test_whatever_bytes_there_are_they_are_told_or_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "results.jsonl").write_bytes(content)
        assert main([folder]) == 2


@given(anything, st.sampled_from(["summary.json", "run.json", "account.jsonl"]), st.data())
def test_whatever_stands_beside_the_results_it_is_told_or_refused(what, name, data):
    keys = (
        "sources",
        "busy",
        "restarts",
        "replicas",
        "notes",
        "failure",
        "inputs",
        "what",
        "first",
        "last",
        "stage",
        "reason",
    )
    said = what if data.draw(st.booleans()) else {data.draw(st.sampled_from(keys)): what for _ in range(3)}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "results.jsonl").write_bytes(b"".join(json.dumps(one).encode() + b"\n" for one in LINES))
        (Path(folder) / name).write_text(json.dumps(said) + "\n", encoding="utf-8", errors="backslashreplace")
        assert main([folder]) in (0, 2)
