"""`facepipe analyze`: photographs in, JSON out, and one bad photograph does not cost the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from stages.api import analyze
from stages.commands import facepipe
from stages.project import command


def test_every_photograph_is_a_line_with_the_faces_of_the_library(astronaut, capsys):
    cv2.imwrite("a.png", astronaut)
    cv2.imwrite("b.png", astronaut[:300])
    assert facepipe.main(["analyze", "a.png", "b.png"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"file": name, "faces": [face.to_json() for face in analyze(name)]} for name in ("a.png", "b.png")]
    assert lines[0]["faces"] and list(Path().glob("out*")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("name", ["é", "\x1b[31m", "\x7f", "\x85", "\u202e", "\U0001f600", "\U000e0041", "\udcff"])
def test_a_line_is_json_whatever_the_photograph_is_called(astronaut, capsys, name):
    Path(name).write_bytes(cv2.imencode(".png", astronaut[:40, :40])[1].tobytes())
    assert facepipe.main(["analyze", name]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["file"].encode() == name.encode("utf-8", "backslashreplace")
    assert printed.isascii() and printed.rstrip("\n").isprintable()


def test_a_name_that_the_system_refuses_is_a_sentence(capsys):
    """For the commands that read results as well, and for a model."""
    long = "x" * 5000
    for words in (
        ["analyze", long],
        ["report", long],
        ["people", long],
        ["connect", long, "--set", "mqtt.broker=mqtt://127.0.0.1"],
    ):
        assert facepipe.main(words) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are others on this system")
def test_a_folder_that_may_not_be_entered_is_a_sentence(astronaut, capsys, request):
    Path("hidden/run").mkdir(parents=True)
    cv2.imwrite("hidden/a.png", astronaut)
    cv2.imwrite("a.png", astronaut)
    Path("hidden").chmod(0)
    request.addfinalizer(lambda: Path("hidden").chmod(0o700))
    if os.geteuid() == 0:
        facepipe.main(["analyze", "a.png"])  # What is imported lies in folders of root.
        request.addfinalizer(lambda: os.seteuid(0))
        os.seteuid(54321)
        capsys.readouterr()
    for words in (
        ["analyze", "hidden/a.png"],
        ["analyze", "a.png", "--set", f"stages.emotion.model={os.path.abspath('hidden/a.yaml')}"],
        ["report", "hidden/run"],
        ["people", "hidden/run"],
        ["connect", "hidden/run", "--set", "mqtt.broker=mqtt://127.0.0.1"],
    ):
        assert facepipe.main(words) == 2
        said = capsys.readouterr()
        assert "Permission denied" in said.err and said.err.count("\n") == 1


def test_a_photograph_that_is_refused_has_a_sentence_and_the_others_are_printed(astronaut, capsys):
    cv2.imwrite("good.png", astronaut)
    Path("text.jpg").write_text("no picture")
    Path("folder").mkdir()
    assert facepipe.main(["analyze", "nosuch.jpg", "text.jpg", "folder", "good.png"]) == 2
    said = capsys.readouterr()
    assert [json.loads(line)["file"] for line in said.out.splitlines()] == ["good.png"]
    assert [
        name in line for name, line in zip(("nosuch.jpg", "text.jpg", "folder"), said.err.splitlines(), strict=True)
    ]


def test_what_is_for_a_run_is_sent_to_it(capsys):
    Path("clip.mp4").write_bytes(b"a film")
    for name in ("clip.mp4", "http://example.org/a.jpg"):
        assert facepipe.main(["analyze", name]) == 2
        assert f"use {command('run')} for" in capsys.readouterr().err


def test_a_mistake_in_the_options_is_told_once_and_before_any_photograph(astronaut, capsys):
    cv2.imwrite("a.png", astronaut)
    for wrong in (["--set", "stages.foo=1"], ["--config", "nosuch.yaml"], ["--detector", "harr"]):
        assert facepipe.main(["analyze", "a.png", "a.png", *wrong]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_photograph_may_come_on_the_standard_input(astronaut):
    picture = cv2.imencode(".png", astronaut)[1].tobytes()
    ran = subprocess.run([sys.executable, "-m", "facepipe", "analyze", "-"], input=picture, capture_output=True)
    assert json.loads(ran.stdout)["faces"]
