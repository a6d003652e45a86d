"""The picture that is left for the broker: small, whole, and not more often than asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.results.errors import OutputError
from stages.sinks.last_picture import LastPictures

GREY = np.full((1080, 1920, 3), 128, np.uint8)


def test_it_is_made_small_enough_for_a_broker_and_each_source_has_its_own(tmp_path):
    pictures = LastPictures(tmp_path, 60, apart=True)
    pictures.take("door", GREY)
    pictures.take("yard", GREY[:100, :3])
    made = {path.name: cv2.imread(str(path)).shape for path in (tmp_path / ".facepipe.connect").iterdir()}
    assert made == {"door.jpg": (720, 1280, 3), "yard.jpg": (100, 3, 3)}


def test_between_two_there_is_the_time_that_was_asked_for(tmp_path):
    pictures = LastPictures(tmp_path, 60, apart=False)
    assert pictures.wants("clip.mp4")
    pictures.take("clip.mp4", GREY)
    [first] = (tmp_path / ".facepipe.connect").iterdir()
    before = first.read_bytes()
    assert not pictures.wants("clip.mp4")
    pictures.take("clip.mp4", GREY // 2)
    assert first.read_bytes() == before
    often = LastPictures(tmp_path, 0.0, apart=False)
    assert not first.exists(), "one of an earlier run is not sent"
    often.take("clip.mp4", GREY // 2)
    assert first.read_bytes() != before


def test_what_lies_behind_a_link_is_not_its_own(tmp_path):
    (tmp_path / "photographs").mkdir()
    (mine := tmp_path / "photographs" / "mine.jpg").write_bytes(b"a picture")
    (tmp_path / ".facepipe.connect").symlink_to("photographs")
    pictures = LastPictures(tmp_path, 1, apart=False)
    with pytest.raises(OutputError, match="symbolic link; move it away"):
        pictures.take("clip.mp4", GREY)
    assert list((tmp_path / "photographs").iterdir()) == [mine]


def test_where_it_cannot_be_written_there_is_a_sentence(tmp_path):
    (tmp_path / ".facepipe.connect").write_text("a file of somebody's")
    with pytest.raises(OutputError, match="a snapshot cannot be written"):
        LastPictures(tmp_path, 1, apart=False).take("clip.mp4", GREY)
