"""What a source may be called in the configuration, and what is said of those that are none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stages.sources import camera
from stages.sources.base import SourceError
from stages.sources.demo import Demo
from stages.sources.opening import open_source
from tests.sources.material import numbered, write_picture, write_video


def refusal(spec: str | int) -> str:
    with pytest.raises(SourceError) as error:
        open_source(spec)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def no_camera(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(camera, "_DEVICES", tmp_path / "no devices")


def test_a_missing_file_is_named_with_the_nearest_name_beside_it(tmp_path):
    write_picture(tmp_path / "holiday.png", numbered(1, (8, 8)))
    assert refusal(str(tmp_path / "holidy.png")) == (
        f"There is no file or folder {tmp_path / 'holidy.png'} (did you mean {tmp_path / 'holiday.png'}?); "
        "write a path, a camera number, demo or auto."
    )


def test_an_empty_source_is_refused():
    assert refusal("").startswith("the source is empty")


def test_a_file_called_demo_is_read_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "demo.mp4").rename("demo")
    assert open_source("./demo").description == "64 x 48 at 25 frames/s"
    assert isinstance(open_source("demo"), Demo)


def test_the_folder_here_is_called_by_its_own_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "a.png", numbered(1, (8, 8)))
    assert open_source(".").name == tmp_path.name


def test_auto_without_a_camera_is_the_demo_and_says_so(no_camera):
    source = open_source("auto")
    assert isinstance(source, Demo)
    assert source.chosen == (
        "no camera opens, so the demo is the source; --source with a file, folder or URL chooses another."
    )


@pytest.mark.parametrize("spec", [0, "0", "/dev/video0"])
def test_a_camera_that_is_not_there_is_one_sentence(no_camera, capfd, spec):
    assert refusal(spec) == "There is no camera 0; connect one, or choose a file, a folder, a URL or demo."
    assert capfd.readouterr().err == ""


def test_a_file_needs_neither_the_demo_s_packages_nor_the_network(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    script = (
        "import sys; from stages.sources.opening import open_source; next(open_source(sys.argv[1]).pictures());"
        "print([m for m in ('skimage', 'matplotlib', 'stages.sources.demo', 'stages.sources.stream', 'tensorflow')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, cwd=os.getcwd())
    assert (done.stdout, done.stderr) == ("[]\n", "")
