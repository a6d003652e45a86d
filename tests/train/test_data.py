from __future__ import annotations

import numpy as np
import pytest

from tests.train.conftest import drawn_face, fer_row, write_fer2013
from train.data import TASKS, DataError, load
from train.prepare import prepare


def test_a_picture_that_is_held_out_too_is_not_trained_on(tmp_path):
    grey = drawn_face(np.random.default_rng(5), 48, 0)
    write_fer2013(tmp_path / "sets", [fer_row(grey, 3, "Training"), fer_row(grey, 4, "PrivateTest")])
    list(prepare(tmp_path / "sets", [], tmp_path / "data"))
    assert len(load(TASKS["emotion"], "fer2013", "train", tmp_path / "data")) == 56
    test = load(TASKS["emotion"], "fer2013", "test", tmp_path / "data")
    assert len(test) == 15
    assert test.groups["also_in_training"].tolist() == [False] * 14 + [True]


def test_ages_are_years_and_genders_are_classes(utkface, tmp_path):
    list(prepare(utkface, [], tmp_path / "data"))
    ages = load(TASKS["age"], "utkface", "validation", tmp_path / "data")
    assert ages.labels["age"].dtype == np.float32
    assert ages.labels["age"][:2].tolist() == [13, 18]
    genders = load(TASKS["gender"], "utkface", "validation", tmp_path / "data")
    assert genders.labels["gender"][:2].tolist() == [1, 0]


def test_faces_for_a_teacher_to_name_come_without_their_own_labels(utkface, tmp_path):
    list(prepare(utkface, [], tmp_path / "data"))
    faces = load(TASKS["emotion"], "utkface", "train", tmp_path / "data", unlabelled=True)
    assert len(faces) == 36 and faces.labels == {}
    assert set(faces.groups["gender"]) == {"man", "woman"}


def test_a_missing_cache_names_the_command_that_writes_it(tmp_path):
    with pytest.raises(DataError, match=r"utkface.npz: no such file; write it with: python -m train.prepare"):
        load(TASKS["age"], "utkface", "train", tmp_path)


def test_a_truncated_cache_is_refused(utkface, tmp_path):
    list(prepare(utkface, [], tmp_path / "data"))
    cache = tmp_path / "data/utkface.npz"
    cache.write_bytes(cache.read_bytes()[:20_000])
    with pytest.raises(DataError, match="is not a cache of faces"):
        load(TASKS["age"], "utkface", "train", tmp_path / "data")


def test_a_data_set_without_labels_for_the_task_is_refused(utkface, tmp_path):
    list(prepare(utkface, [], tmp_path / "data"))
    with pytest.raises(DataError, match="has no labels for emotion; use one of fer2013"):
        load(TASKS["emotion"], "utkface", "train", tmp_path / "data")


def test_an_npz_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "utkface.npz", pictures=np.zeros(3))
    with pytest.raises(DataError, match="lacks boxes, part"):
        load(TASKS["age"], "utkface", "train", tmp_path)
