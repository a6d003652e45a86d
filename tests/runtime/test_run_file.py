"""run.json: to whom the results belong, and whether they are whole."""

from __future__ import annotations

import pytest

from stages.results.manifest import MANIFEST
from stages.runtime.run_file import RunFile


def test_it_comes_back_as_it_was_written(tmp_path):
    written = RunFile("ab12", {"source clip.mp4": ["clip.mp4", [10, 20]]}, 7, "stopped")
    written.write(tmp_path)
    assert RunFile.read(tmp_path) == written
    assert sorted(path.name for path in tmp_path.iterdir()) == [MANIFEST, "run.json"]


def test_a_name_that_is_no_text_comes_back_too(tmp_path):
    written = RunFile("ab12", {"source nu": [["caf\udce9.jpg", 10, 20], ["café.jpg", 10, 20]]})
    written.write(tmp_path)
    assert RunFile.read(tmp_path) == written


def test_one_that_is_prepared_changes_nothing_yet(tmp_path):
    (before := RunFile("ab12", {}, 7, "finished")).write(tmp_path)
    (after := RunFile("cd34")).prepare(tmp_path)
    assert RunFile.read(tmp_path) == before
    after.write(tmp_path)
    assert RunFile.read(tmp_path) == after


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run": 1, "inputs": 3, "incarnation": 0, "ended": null}', "\xff"])
def test_what_is_no_run_file_is_none(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    assert RunFile.read(tmp_path) is None


def test_it_says_which_input_is_another_one_now():
    begun = RunFile("ab12", {"source clip.mp4": [10, 20], "stages.age": "f00"})
    assert begun.difference({"source clip.mp4": [10, 20], "stages.age": "f00"}) is None
    assert begun.difference({"source clip.mp4": [10, 21], "stages.age": "f00"}) == "source clip.mp4"
    assert begun.difference({"source clip.mp4": [10, 20]}) == "stages.age"
