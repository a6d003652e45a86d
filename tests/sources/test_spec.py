"""What a person means by the name of a source, and what may be shown of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stages.sources.base import SourceError
from stages.sources.opening import open_source
from stages.sources.spec import camera_of, expanded, path_of
from stages.sources.urls import public
from tests.conftest import PROJECT
from tests.sources.material import write_video


@pytest.mark.parametrize(
    "name",
    [
        "10:30.mp4",
        "file:x.mp4",
        "~x.mp4",
        "~",
        "-x.mp4",
        "a b.mp4",
        "face[1].mp4",
        "what?.mp4",
        "all*.mp4",
        "http:x.mp4",
        "pipe:0",
        "concat:a|b.mp4",
        "100%.mp4",
        "a#b.mp4",
        "video0",
        "C:\\x.mp4",
        "line\nend.mp4",
        "\udcff.mp4",
        "frame%03d.mp4",
    ],
)
def test_a_file_is_read_whatever_its_name_looks_like(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    write_video(tmp_path / "plain.mp4").rename(tmp_path / name)
    for spec in ([] if name == "~" else [name]) + [f"./{name}", str(tmp_path / name)]:
        source = open_source(spec)
        assert (len(list(source.pictures())), source.live) == (10, False)


def test_home_and_file_addresses_lead_to_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_video(tmp_path / "path with space.mp4")
    for spec in (
        "~/path with space.mp4",
        f"file://{tmp_path}/path%20with%20space.mp4",
        f"FILE://localhost{tmp_path}/path%20with%20space.mp4",
        f"file://{tmp_path}/path with space.mp4",
        f"file:{tmp_path}/path%20with%20space.mp4",
    ):
        assert open_source(spec).name == "path with space.mp4"


def test_a_file_with_an_escape_in_its_name_is_found_by_a_file_address(tmp_path):
    write_video(tmp_path / "a%20b.mp4")
    assert open_source(f"file://{tmp_path}/a%20b.mp4").name == "a%20b.mp4"


@pytest.mark.parametrize(
    ("spec", "camera"),
    [(0, 0), ("3", 3), ("/dev/video2", 2), ("video1", 1), ("clip.mp4", None), ("rtsp://door/0", None), ("a\0b", None)],
)
def test_cameras_are_known_by_number_and_by_device(spec, camera):
    assert camera_of(spec) == camera


def test_a_link_to_a_device_is_that_camera(tmp_path):
    (tmp_path / "usb-Logitech-index0").symlink_to("/dev/video7")
    assert camera_of(str(tmp_path / "usb-Logitech-index0")) == 7


def test_a_user_without_home_and_entry_has_names_as_they_are(tmp_path):
    code = (
        "import os, sys; os.environ.pop('HOME', None)\n"
        "if os.getuid() == 0: os.setuid(54321)\n"
        "from stages.sources.spec import expanded\n"
        "from stages.config.schema import Pipeline\n"
        "from stages.plan import keys_folder, find_models\n"
        "from pathlib import Path\n"
        "print(expanded('~/x'), keys_folder(Pipeline(), Path('.')))\n"
    )
    if os.getuid() == 0 and not os.access(sys.executable, os.X_OK):
        pytest.skip("needs an interpreter that others can run")
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    if "Permission denied" in done.stderr or "No module named" in done.stderr:
        pytest.skip("another user cannot read this tree")
    assert (done.returncode, done.stderr) == (0, "")


def test_of_a_name_that_begins_with_a_tilde_the_home_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert [expanded("~"), expanded("~/x"), expanded("~x.mp4")] == ["/home/anna", "/home/anna/x", "~x.mp4"]
    assert [path_of(spec) for spec in ("auto", "demo", "0", "HTTP://a/b", "")] == [None] * 5


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"rtsp://admin:{SECRET}@door/1", "rtsp://door/1"),
        (f"rtsp://admin:Se@{SECRET}@door:554/1", "rtsp://door:554/1"),
        (f"rtsp://admin:Se@cr/{SECRET}@door/1", "rtsp://…"),
        (f"rtsp://us:p@{SECRET}#1@door/1", "rtsp://…"),
        (f"rtsp://us:p?{SECRET}@door/1", "rtsp://…"),
        (f"http://door/live?password={SECRET}", "http://door/live"),
        (f"http://door/live?token={SECRET}#{SECRET}", "http://door/live"),
        (f"rtsp://door/user={SECRET}_password={SECRET}_channel=1.sdp", "rtsp://door/hidden"),
        (f"rtsp://door/a/User%3D{SECRET}&pwd%3D{SECRET}/1", "rtsp://door/a/hidden/1"),
        (f"HTTP://anna:{SECRET}@door/live;token={SECRET}", "http://door/hidden"),
        (f"rtsp://admin:{SECRET}@[fe80::1]:554/1", "rtsp://[fe80::1]:554/1"),
        (f"foo://admin:{SECRET}@door", "foo://door"),
        (f"rtsp:/admin:{SECRET}@door/1", "…@door/1"),
        (f"admin:{SECRET}@door/1", "…@door/1"),
    ],
)
def test_a_secret_in_an_address_is_not_shown(url, shown):
    assert public(url) == shown
    try:
        source = open_source(url.replace("door", "127.0.0.1:1") if ":554" not in url else "nothing")
    except SourceError as error:
        seen, cause = [str(error)], error
        while cause := cause.__cause__ or cause.__context__:
            seen.append(str(cause))
        assert SECRET not in " ".join(seen)
    else:
        raise AssertionError(source)


def test_names_of_files_are_shown_as_they_are():
    for name in ("clip.mp4", "10:30.mp4", "anna@home.mp4", "C:\\x.mp4", "shots/*.jpg", "0"):
        assert public(name) == name
