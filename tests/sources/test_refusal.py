"""What is told of a source before anything is started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stages.sources.refusal import SourceError, refuse
from tests.sources.material import numbered, write_picture, write_video


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sentence(spec: str | int) -> str:
    with pytest.raises(SourceError) as refused:
        refuse(spec)
    return str(refused.value)


def test_what_can_be_read_is_let_through_and_so_is_what_may_still_come(here):
    write_video(here / "clip.mp4")
    write_picture(here / "a.png", numbered(1, (8, 8))).rename(here / "no suffix")
    write_picture(here / "a.png", numbered(1, (8, 8)))
    for spec in (0, "7", "auto", "demo", "clip.mp4", "a.png", "no suffix", ".", "*.png", "rtsp://door/1", "/dev/video9",
                 "/dev/v4l/by-id/usb-nobody"):  # fmt: skip
        refuse(spec)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.mp4", b"", "empty.mp4 is empty."),
        (
            "letter.jpg",
            b"Dear diary",
            "letter.jpg is not a JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or PNM picture, wh",
        ),
        (
            "noise.png",
            bytes(range(256)),
            "noise.png is not a JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or PNM picture, whatever",
        ),
        ("letter.mp4", b"Dear diary,\n" * 90, "letter.mp4 is not a video that can be read: it is a text file"),
        ("Brief", "Grüße\n".encode("latin-1"), "Brief is not a video that can be read: it is a text file"),
        ("list.m3u8", b"#EXTM3U\na.ts\n", "list.m3u8 is not a video that can be read: it is a text file"),
    ],
)
def test_a_file_that_is_no_picture_and_no_video_is_told_by_its_beginning(here, name, content, said):
    (here / name).write_bytes(content)
    assert sentence(name).startswith(said)


def test_a_picture_that_is_a_text_by_its_format_is_let_through(here):
    for name in ("grey.pgm", "grey"):
        (here / name).write_bytes(b"P2\n2 2\n255\n1 2 3 4\n")
        refuse(name)


def test_a_name_that_nothing_has_is_told_with_the_nearest(here):
    (here / "holiday.png").touch()
    assert "(did you mean holiday.png?)" in sentence("holidy.png")
    assert f"({here} has no nowhere)" in sentence(str(here / "nowhere/at/all.mp4"))
    assert "There is no file or folder holiday.png/x" in sentence("holiday.png/x")


def test_a_link_that_leads_nowhere_or_round_is_told_as_a_link(here):
    (here / "clip.mp4").symlink_to("gone.mp4")
    (here / "round.mp4").symlink_to("round.mp4")
    assert sentence("clip.mp4") == "clip.mp4 is a link to gone.mp4, and there is no such file; mend the link."
    assert "round.mp4 cannot be read: Too many levels of symbolic links" in sentence("round.mp4")


@pytest.mark.parametrize("name", ["x" * 300 + ".mp4", "x" * 300 + "/a.mp4", "a/" * 3000 + "a.mp4"])
def test_a_name_that_no_file_can_have_is_a_sentence(name):
    assert sentence(name).endswith("cannot be read: File name too long; choose a shorter name.")


def test_what_is_no_file_is_refused_and_not_waited_for(here):
    os.mkfifo(here / "fifo.mp4")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("socket.mp4")
        for name in ("fifo.mp4", "socket.mp4", "/dev/null"):
            assert sentence(name) == f"{name} is not a file, a folder or a camera."


def test_a_folder_or_a_glob_with_nothing_to_read_is_told(here):
    (here / "shots/deep").mkdir(parents=True)
    for name in ("notes.txt", ".hidden.jpg", "deep/a.jpg"):
        (here / "shots" / name).write_bytes(b"x")
    (here / "shots/folder.jpg").mkdir()
    assert sentence("shots").startswith("the folder shots holds no picture and no video")
    assert sentence("shots/*.png").startswith("The glob shots/*.png matches no picture and no video")
    assert sentence("none/*.png").startswith("The glob none/*.png matches no picture and no video")
    refuse("shots/**/*")
    assert "there are files for 'shots/**/*.jpg'" in sentence("shots/**/*.png")


def test_the_files_of_a_run_that_goes_on_were_fixed_when_it_began(here):
    (here / "shots").mkdir()
    for spec in ("shots", "shots/*.png"):
        refuse(spec, is_pinned=True)
    with pytest.raises(SourceError, match="There is no file or folder clip.mp4"):
        refuse("clip.mp4", is_pinned=True)


def test_an_address_that_cannot_be_one_is_told_without_its_password():
    assert "begins with gopher://; known are rtsp" in sentence("gopher://anna:secret@door/1")
    assert "in a password write %2F" in sentence("rtsp://anna:se/cret@door/1")
    assert "cret" not in sentence("gopher://anna:secret@door/1") + sentence("rtsp://anna:se/cret@door/1")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are others on this system")
def test_what_this_user_may_not_read_is_told_with_the_way_out(here, request):
    for name in ("locked.jpg", "closed/a.jpg", "folder/a.jpg"):
        (here / name).parent.mkdir(exist_ok=True)
        write_picture(here / "a.png", numbered(1, (8, 8))).rename(here / name)
    (here / "locked.jpg").chmod(0)
    (here / "closed").chmod(0)
    (here / "folder").chmod(0o755)
    here.chmod(0o755)
    if os.geteuid() == 0:
        request.addfinalizer(lambda: os.seteuid(0))
        os.seteuid(54321)
    refuse("folder/a.jpg")
    assert [sentence(spec) for spec in ("locked.jpg", "closed/a.jpg", "closed")] == [
        "locked.jpg cannot be read: Permission denied; mend its permissions.",
        "closed/a.jpg cannot be read: Permission denied; mend its permissions.",
        "the folder closed cannot be read: Permission denied; mend its permissions.",
    ]


def test_nothing_that_takes_its_time_is_imported_for_it(here):
    code = (
        "import sys, run_pipeline; status = run_pipeline.main(['nothere.mp4'])\n"
        "print(status, [name for name in ('numpy', 'cv2', 'av', 'zmq', 'tensorflow', 'stages.sources.base')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True)
    assert done.stdout == "2 []\n"
    assert done.stderr.startswith("facepipe: There is no file or folder nothere.mp4; write a path")
    assert list(here.iterdir()) == []
