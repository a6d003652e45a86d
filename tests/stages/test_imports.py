"""What a stage has loaded before its first line runs: each library more is time and memory for every process of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import PROJECT

WATCHED = {"ai_edge_litert", "asyncio", "av", "cv2", "dlib", "tensorflow", "websockets", "yaml"}


@pytest.mark.parametrize(
    ("stage", "libraries"),
    [
        ("capture", set()),  # Opening the source loads what that kind needs.
        ("detect", {"cv2"}),  # Making the detector loads the rest.
        ("gender", set()),  # Reading the card and opening the model load theirs.
        ("render", {"av", "cv2"}),
    ],
)
def test_a_stage_loads_at_its_start_what_it_needs_and_nothing_else(stage, libraries):
    program = f"import sys, stages.{stage}; print(*sorted({WATCHED} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == libraries


def test_the_command_says_something_before_it_loads_what_takes_long():
    heavy = WATCHED - {"yaml"} | {"numpy", "tqdm"}
    program = f"import sys, stages.commands.run; print(*sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
