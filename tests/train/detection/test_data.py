from __future__ import annotations

import numpy as np
import pytest

from train.data import DataError
from train.detection.data import load, write

from .conftest import photograph


def test_pictures_and_their_faces_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    first, second = photograph(rng, 1), photograph(rng, 3, (64, 200))
    assert write(tmp_path / "two.npz", [("a.png", "train", *first), ("b.png", "train", *second)]) == {"train": 2}
    read = load("two", "train", tmp_path)
    assert len(read) == 2 and read.names.tolist() == ["a.png", "b.png"]
    assert (read.picture(1) == second[0]).all()
    assert (read.labels[1].boxes == second[1].boxes).all() and (read.labels[1].points == second[1].points).all()


def test_parts_are_kept_apart(photographs):
    assert [len(load("drawn", part, photographs)) for part in ("train", "validation")] == [12, 4]


def test_a_part_that_is_empty_is_one_sentence(photographs):
    with pytest.raises(DataError, match=r"drawn\.npz: has no picture in its test part; choose another part\.$"):
        load("drawn", "test", photographs)


def test_a_set_that_is_not_there_names_the_command(tmp_path):
    with pytest.raises(DataError, match=r"no such file; write it with: python -m train\.prepare"):
        load("nothing", "train", tmp_path)


def test_pixels_of_another_set_are_refused(photographs, tmp_path):
    (tmp_path / "drawn.npz").write_bytes((photographs / "drawn.npz").read_bytes())
    (tmp_path / "drawn.pixels").write_bytes(b"short")
    with pytest.raises(DataError, match=r"drawn\.pixels: does not belong to drawn\.npz"):
        load("drawn", "train", tmp_path)


def test_a_cache_of_single_faces_is_no_set_of_photographs(tmp_path):
    np.savez(tmp_path / "utkface.npz", pictures=np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"lacks boxes, ignored, .* is it a set of photographs with boxes\?$"):
        load("utkface", "train", tmp_path)
