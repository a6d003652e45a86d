from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")

from stages.vision.detectors.cells import ANSWERS, cell_table, found  # noqa: E402
from train.data import DataError  # noqa: E402
from train.detection.crops import packed  # noqa: E402
from train.detection.data import Labels  # noqa: E402
from train.detection.loss import loss_for  # noqa: E402

SIDE = 64
CELLS = cell_table(SIDE, SIDE)
POINTS = np.array([[[14, 16], [26, 16], [20, 22], [15, 28], [25, 28]]], np.float32)


def labels(*boxes, points=None):
    points = np.full((len(boxes), 5, 2), np.nan, np.float32) if points is None else points
    return Labels(np.array(boxes, np.float32).reshape(-1, 4), np.zeros(len(boxes), bool), points)


def wanted(told):
    return packed(told, CELLS)[None]


def silent():
    answers = np.zeros((len(CELLS), ANSWERS), np.float32)
    answers[:, 0], answers[:, 3:5] = -8, -5  # no score, and boxes too small to be anything's
    return answers


def saying(answers, cell, box, logit=6.0, points=None):
    """Let a cell place this box, by the inverse of `found`."""
    answers = answers.copy()
    x, y, stride = CELLS[cell]
    left, top, w, h = box
    place = [(left + w / 2 - x) / stride, (top + h / 2 - y) / stride]
    answers[cell, :5] = [logit, *place, np.log(w / (4 * stride)), np.log(h / (4 * stride))]
    if points is not None:
        answers[cell, 5:] = ((points - [x, y]) / stride).ravel()
    return answers


def loss(told, answers, **head_weights):
    return float(loss_for(SIDE, head_weights)(wanted(told), answers[None]))


FACE = [8, 6, 24, 30]
AT = 2 * 8 + 2  # the cell of the finest grid at the face's centre


def test_what_the_loss_wants_is_what_the_decoder_finds():
    boxes, points, _ = found(saying(silent(), AT, FACE, points=POINTS[0]), SIDE, SIDE, certain=0.5)
    assert np.allclose(boxes, [FACE], atol=1e-3) and np.allclose(points, POINTS, atol=1e-3)


def test_a_face_that_is_found_costs_next_to_nothing():
    assert loss(labels(FACE, points=POINTS), saying(silent(), AT, FACE, 9.0, POINTS[0])) < 0.01


def test_a_face_that_is_missed_costs_more_than_one_that_is_misplaced():
    missed = loss(labels(FACE), silent())
    misplaced = loss(labels(FACE), saying(silent(), AT, [12, 10, 24, 30], 2.0))
    assert missed > misplaced + 0.5 > 0.7


def test_a_false_alarm_costs_and_one_where_cells_do_not_count_costs_nothing():
    alarm = saying(silent(), 5 * 8 + 6, [40, 32, 20, 20])
    assert loss(labels(), alarm) > 3
    ignored = Labels(np.array([[38, 30, 24, 24]], np.float32), np.ones(1, bool), np.full((1, 5, 2), np.nan))
    assert loss(ignored, alarm) < 0.01


def test_misplaced_points_cost_only_where_they_are_known():
    moved = saying(silent(), AT, FACE, 9.0, POINTS[0] + 6)
    assert loss(labels(FACE, points=POINTS), moved) > 0.05
    assert loss(labels(FACE), moved) < 0.01


def test_points_count_as_much_as_the_recipe_says():
    moved = saying(silent(), AT, FACE, 9.0, POINTS[0] + 6)
    right = loss(labels(FACE), moved)
    once, often = (loss(labels(FACE, points=POINTS), moved, points=weight) - right for weight in (1, 16))
    assert often == pytest.approx(16 * once, rel=1e-3)


def test_a_weight_of_something_else_is_one_sentence():
    with pytest.raises(DataError, match="there is no head eyes; write points"):
        loss(labels(FACE), silent(), eyes=2.0)


def test_of_two_faces_each_has_cells_of_its_own():
    other = [40, 30, 20, 24]
    both = saying(saying(silent(), AT, FACE, 9.0), 5 * 8 + 6, other, 9.0)
    assert loss(labels(FACE, other), both) < 0.02
    assert loss(labels(FACE, other), saying(silent(), AT, FACE, 9.0)) > 0.5


def test_a_crop_without_faces_has_a_finite_loss_that_falls_with_the_scores():
    sure = silent()
    sure[:, 0] = 0
    assert 0 <= loss(labels(), silent()) < loss(labels(), sure) < np.inf


def test_faces_at_the_edge_and_tiny_faces_have_a_finite_loss():
    for box in ([0, 0, 9, 9], [55, 55, 9, 9], [0, 0, 64, 64], [63, 0, 1, 64]):
        assert np.isfinite(loss(labels(box), silent()))
