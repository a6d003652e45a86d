"""run.json: to whom the results belong, and whether they are whole."""

from __future__ import annotations

import os

import pytest

from stages.layout import MANIFEST
from stages.results.errors import DamagedState
from stages.results.manifest import Manifest
from stages.results.run_file import RunFile, refuse_unknown


def test_it_comes_back_as_it_was_written(tmp_path):
    started = "2026-11-29T18:04:05.250+01:00"
    written = RunFile("ab12", {"source clip.mp4": ["clip.mp4", [10, 20]]}, 7, "stopped", started)
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


@pytest.mark.parametrize(("ended", "is_left"), [(None, False), ("stopped", True), ("finished", True)])
def test_a_run_that_goes_on_takes_away_the_summary_of_its_earlier_end(tmp_path, ended, is_left):
    Manifest(tmp_path).write(tmp_path / "summary.json", b'{"status": 130}')
    RunFile("ab12", {}, 8, ended).write(tmp_path)
    assert (tmp_path / "summary.json").exists() is is_left


def test_a_summary_of_somebody_else_stays(tmp_path):
    (tmp_path / "summary.json").write_text("mine")
    RunFile("ab12", {}, 8).write(tmp_path)
    assert (tmp_path / "summary.json").read_text() == "mine"


WHOLE = '{"run": "ab12", "inputs": {}, "incarnation": 0, "ended": null}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "0",
        "\xff",
        "\0" * 60,
        WHOLE[:40],
        WHOLE.replace('"ab12"', "1"),
        WHOLE.replace('"ab12"', '""'),
        WHOLE.replace("{}", "3"),
        WHOLE.replace("0", '"seven"'),
        WHOLE.replace("0", "-1"),
        WHOLE.replace("null", '"gone"'),
        "[" * 100_000,
    ],
)
def test_one_that_is_damaged_is_not_taken_for_none(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    (tmp_path / "results.jsonl").write_text('{"source": "a"}\n{"source": "a"}\n')
    with pytest.raises(DamagedState, match="run.json is damaged.*results.jsonl holds 2 whole lines; put run.json back"):
        RunFile.read(tmp_path)


def test_below_a_file_there_is_none(tmp_path):
    (tmp_path / "out").write_text("")
    assert RunFile.read(tmp_path / "out") is None


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(DamagedState, match=r"run.json cannot be read \(it is no regular file\)"):
        RunFile.read(tmp_path)


def test_a_link_is_refused(tmp_path):
    (tmp_path / "other").write_text(WHOLE)
    (tmp_path / "run.json").symlink_to("other")
    with pytest.raises(DamagedState, match="it is a symbolic link"):
        RunFile.read(tmp_path)


@pytest.mark.parametrize("left", ["results.jsonl", "account.jsonl", "annotated/.a.mp4.parts/00000000.mp4"])
def test_results_without_a_run_file_are_of_an_unknown_run(tmp_path, left):
    refuse_unknown(tmp_path, [tmp_path / "results.jsonl"])
    (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / left).write_text("")
    with pytest.raises(DamagedState, match="run.json is missing, so it is not known how the run in"):
        refuse_unknown(tmp_path, [tmp_path / "results.jsonl"])


def test_it_says_which_input_is_another_one_now():
    begun = RunFile("ab12", {"source clip.mp4": [10, 20], "stages.age": "f00"})
    assert begun.difference({"source clip.mp4": [10, 20], "stages.age": "f00"}) is None
    assert begun.difference({"source clip.mp4": [10, 21], "stages.age": "f00"}) == "source clip.mp4"
    assert begun.difference({"source clip.mp4": [10, 20]}) == "stages.age"
