"""Without our packages every program ends with one sentence and status 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stages import dependencies
from stages.dependencies import missing
from tests.conftest import PROJECT


@pytest.mark.parametrize(
    ("program", "command"),
    [
        (["run_pipeline.py", "--help"], "install"),
        (["-m", "stages.gender"], "install"),
        (["-m", "stages.capture", "--launched"], "install"),
        (["-m", "train", "emotion"], "install"),
        (["-m", "bench", "--help"], "install"),
    ],
)
def test_a_bare_python_is_told_what_to_install(program, command):
    bare = [sys.executable, "-S", "-E", *program]  # -S: without site-packages
    ran = subprocess.run(bare, cwd=PROJECT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("facepipe: ")
    words = f" is not installed here; run make {command} in the project's folder, and use .venv/bin/python.\n"
    assert ran.stderr.endswith(words) and ran.stderr.count("\n") == 1


def test_what_training_and_benchmarks_need_has_commands_of_its_own():
    said = [missing(ModuleNotFoundError(name=name)) for name in ("keras.layers", "psutil")]
    assert [sentence.partition(";")[0] for sentence in said] == [
        "keras is not installed here",
        "psutil is not installed here",
    ]
    assert "make install-train" in said[0] and "make install-dev" in said[1]


def test_an_installed_facepipe_names_pip_and_the_extra(monkeypatch):
    monkeypatch.setattr(dependencies, "IS_CHECKOUT", False)
    assert "run pip install 'facepipe[tables]'." in missing(ModuleNotFoundError(name="pyarrow.parquet"))
    assert "run pip install --upgrade facepipe." in missing(ModuleNotFoundError(name="zmq"))


@pytest.mark.parametrize(
    ("receipt", "begins"),
    [("pipx_metadata.json", "pipx runpip facepipe "), ("uv-receipt.toml", "uv pip ")],
    ids=["pipx", "uv"],
)
def test_in_an_environment_of_pipx_or_uv_the_command_reaches_that_environment(monkeypatch, tmp_path, receipt, begins):
    environment = tmp_path / "facepipe"
    environment.mkdir()
    (environment / receipt).touch()
    monkeypatch.setattr(dependencies, "IS_CHECKOUT", False)
    monkeypatch.setattr(sys, "prefix", str(environment))
    said = missing(ModuleNotFoundError(name="pyarrow"))
    assert f"run {begins}install " in said and said.endswith("'facepipe[tables]'.")
    assert f"{begins}uninstall " in missing(ImportError("libGL.so.1: cannot open shared object file", name="cv2"))


def test_where_tensorflow_is_not_made_for_this_python_the_sentence_names_one(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert "Python 3.13" in missing(ModuleNotFoundError(name="tensorflow"))
    assert "Python 3.13" not in missing(ModuleNotFoundError(name="pyarrow"))


def test_a_library_of_the_screen_that_is_not_there_is_a_sentence_with_both_ways_out():
    error = ImportError("libGL.so.1: cannot open shared object file: No such file or directory", name="cv2")
    sentence = missing(error)
    assert sentence.startswith("libGL.so.1 ")
    assert "apt install libgl1" in sentence and "opencv-python-headless" in sentence


@pytest.mark.parametrize("error", [ModuleNotFoundError(name="mine"), ModuleNotFoundError(), ImportError(name="cv2")])
def test_any_other_error_keeps_its_traceback(error):
    assert missing(error) is None
