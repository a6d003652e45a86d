from __future__ import annotations

import numpy as np
import pytest

from stages.vision.detectors.cells import cell_table
from train.detection.crops import FACE, MOST_FACES, cut, made, packed, placed, turned, visible
from train.detection.data import Labels

from .conftest import photograph


def face(*boxes, ignored=None, points=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Labels(
        boxes,
        np.zeros(len(boxes), bool) if ignored is None else np.array(ignored),
        np.full((len(boxes), 5, 2), np.nan, np.float32) if points is None else np.array(points, np.float32),
    )


@pytest.mark.parametrize("seed", range(12))
def test_boxes_and_points_lie_where_the_crop_shows_the_face(seed):
    rng = np.random.default_rng(seed)
    pixels, labels = photograph(rng, faces=1)
    crop, told = cut(pixels, labels, 96, rng)
    if not len(told.boxes) or told.ignored[0] or np.isnan(told.points).any():
        return
    x, y, w, h = told.boxes[0]
    inside = crop[max(0, int(y + h * 0.5)), max(0, int(x + w / 2))]
    assert inside[2] > 150, "the middle of the box is skin"
    eye = told.points[0, :2].round().astype(int)
    assert all(crop[py.clip(0, 95), px.clip(0, 95)].max() < 90 for px, py in eye), "the eyes are dark"
    assert told.points[0, 0, 0] < told.points[0, 1, 0], "and the first is the left one, in a mirrored crop too"


def test_a_crop_depends_on_the_seed_alone():
    pixels, labels = photograph(np.random.default_rng(1))
    one, other = (made([(pixels, labels)] * 4, 64, np.random.default_rng([5, 6])) for _ in range(2))
    assert (one[0] == other[0]).all() and (one[1].boxes == other[1].boxes).all()


def test_four_pictures_make_one_crop_whose_faces_lie_in_their_quarters():
    rng = np.random.default_rng(2)
    crop, labels = made([photograph(rng, 1) for _ in range(4)], 128, rng)
    assert crop.shape == (128, 128, 3)
    middles = labels.boxes[:, :2] + labels.boxes[:, 2:] / 2
    assert len({tuple(quarter) for quarter in (middles // 64).astype(int).tolist()}) > 1


@pytest.mark.parametrize("size", [(16, 16), (17, 900), (900, 17), (640, 480)])
def test_pictures_of_any_shape_are_cut(size):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    for labels in (face(), face([2, 2, 9, 9]), face([2, 2, 9, 9], ignored=[True])):
        for _ in range(8):
            assert made([(pixels, labels)], 64, rng)[0].shape == (64, 64, 3)


def test_faces_cut_off_and_tiny_faces_are_neither_to_be_found_nor_false_alarms():
    told = visible(face([-30, 10, 40, 40], [-10, 60, 40, 40], [70, 70, 5, 5], [200, 0, 40, 40]), 96)
    assert told.ignored.tolist() == [True, False, True]
    assert told.boxes[1].tolist() == [0, 60, 30, 36]


def test_the_points_of_a_face_that_is_cut_off_are_not_learned():
    points = np.full((1, 5, 2), 20.0)
    told = visible(face([-10, 60, 40, 40], points=points), 96)
    assert np.isnan(told.points).all()


def test_the_points_of_faces_too_small_for_them_are_not_learned():
    points = np.float32([[20, 70], [30, 70], [25, 80], [20, 90], [30, 90]])
    for side, known in ((30, True), (15, False)):
        told = visible(face([10, 60, side, side], points=points), 96, points_from=20.0)
        assert told.ignored.tolist() == [False]
        assert np.isfinite(told.points).all() == known


def test_crops_are_turned_as_often_as_asked():
    pixels, labels = photograph(np.random.default_rng(3), 1)
    angles = {
        share: [placed(pixels.shape[:2], labels, 64, np.random.default_rng(n), share)[2] for n in range(40)]
        for share in (0.0, 1.0)
    }
    assert not any(angles[0.0]) and all(angles[1.0])


def test_a_round_face_has_the_same_box_however_it_is_turned():
    matrix = np.array([[0, -1.0, 100], [1.0, 0, 0]])
    assert np.allclose(turned(np.array([[10.0, 20, 30, 30]]), matrix, 1.0, 90), [[50, 10, 30, 30]])


def test_a_long_face_on_its_side_has_a_wide_box():
    box = turned(np.array([[10.0, 20, 20, 40]]), np.array([[0, -1.0, 100], [1.0, 0, 0]]), 1.0, 90)
    assert np.allclose(box[0, 2:], [40, 20])


def test_cells_of_ignored_faces_do_not_count_and_those_around_a_face_do():
    cells = cell_table(64, 64)
    row = packed(face([0, 0, 30, 30], [34, 34, 24, 24], ignored=[False, True]), cells)
    counted = row[: len(cells)].astype(bool)
    finest = counted[:64].reshape(8, 8)
    assert finest[:4, :4].all() and not finest[5:7, 5:7].any()
    faces = row[len(cells) :].reshape(MOST_FACES, FACE)
    assert faces[0, :5].tolist() == [1, 0, 0, 30, 30] and faces[0, 15] == 0 and not faces[1:].any()


def test_of_too_many_faces_the_largest_are_learned_and_the_others_do_not_count():
    boxes = [[100, 0, 10, 10]] * 3 + [[2 * i, 2 * i, 12, 12] for i in range(MOST_FACES)]
    cells = cell_table(128, 128)
    row = packed(face(*boxes), cells)
    faces = row[len(cells) :].reshape(MOST_FACES, FACE)
    assert faces[:, 0].all() and faces[:, 3].min() == 12
    assert row[13] == 0  # the cell at 108, 4
