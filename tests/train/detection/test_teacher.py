from __future__ import annotations

from collections import Counter

import numpy as np

from train.detection.data import Labels
from train.detection.teacher import faceless, taught, with_taught

POINTS = np.arange(10, dtype=np.float32)


def row(x, y, w, h, score):
    return [x, y, w, h, *POINTS, score]


def labels(*boxes):
    return Labels(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros(len(boxes), bool),
        np.full((len(boxes), 5, 2), np.nan, np.float32),
    )


def rows(*found):
    return np.array(found, np.float32).reshape(-1, 15)


class Teacher:
    """Says the same of every picture."""

    def __init__(self, found):
        self.found = found

    def find(self, pixels):
        return self.found


def test_a_marked_face_gets_the_points_of_the_face_that_the_teacher_sees_there():
    told = with_taught(labels([10, 10, 40, 50]), rows(row(12, 8, 38, 54, 0.4)))
    assert told.points.ravel().tolist() == POINTS.tolist()
    assert told.ignored.tolist() == [False]


def test_what_the_teacher_is_sure_of_and_nobody_has_marked_is_ignored():
    told = with_taught(labels([10, 10, 40, 50]), rows(row(200, 10, 40, 50, 0.9), row(300, 10, 40, 50, 0.5)))
    assert told.boxes.tolist() == [[10, 10, 40, 50], [200, 10, 40, 50]]
    assert told.ignored.tolist() == [False, True]


def test_points_that_are_there_already_stay():
    own = Labels(np.array([[10, 10, 40, 50]], np.float32), np.zeros(1, bool), np.ones((1, 5, 2), np.float32))
    assert (with_taught(own, rows(row(10, 10, 40, 50, 0.9))).points == 1).all()


def test_a_teacher_that_sees_nothing_changes_nothing():
    told = with_taught(labels([10, 10, 40, 50]), rows())
    assert told.boxes.tolist() == [[10, 10, 40, 50]] and np.isnan(told.points).all()


def test_pictures_that_are_measured_by_keep_their_labels():
    pixels = np.zeros((8, 8, 3), np.uint8)
    pictures = [(part, part, pixels, labels([1, 1, 3, 3])) for part in ("train", "validation")]
    ignored = [told.ignored.tolist() for *_, told in taught(pictures, Teacher(rows(row(90, 90, 40, 50, 0.9))))]
    assert ignored == [[False, True], [False]]


def test_a_picture_is_without_faces_if_the_teacher_hardly_sees_one():
    skipped = Counter()
    pixels = np.zeros((8, 8, 3), np.uint8)
    assert list(faceless([("a", "train", pixels, labels())], Teacher(rows(row(1, 1, 5, 5, 0.8))), skipped)) == []
    assert skipped == {"picture with a face, says the teacher": 1}
    (_, _, _, told), *_ = faceless([("a", "train", pixels, labels())], Teacher(rows(row(1, 1, 5, 5, 0.4))), skipped)
    assert told.ignored.tolist() == [True]
