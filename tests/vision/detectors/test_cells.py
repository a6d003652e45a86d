from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.vision.detectors.cells import ANSWERS, cell_table, found, padded, surest


def silent(height, width):
    answers = np.zeros((len(cell_table(height, width)), ANSWERS), np.float32)
    answers[:, 0] = -10
    return answers


def test_cells_are_told_grid_by_grid_the_finest_first_row_by_row():
    table = cell_table(64, 96)
    assert len(table) == 8 * 12 + 4 * 6 + 2 * 3
    assert table[0].tolist() == [4, 4, 8]
    assert table[1].tolist() == [12, 4, 8]
    assert table[8 * 12].tolist() == [8, 8, 16]
    assert table[-1].tolist() == [80, 48, 32]


def test_a_cell_that_says_nothing_but_face_means_a_square_of_four_cells_around_itself():
    answers = silent(64, 64)
    answers[9, 0] = 2  # Second row, second cell of the finest grid: its centre is at 12, 12.
    boxes, points, scores = found(answers, 64, 64, certain=0.5)
    assert boxes.tolist() == [[-4, -4, 32, 32]]
    assert points.tolist() == [[[12, 12]] * 5]
    assert np.allclose(scores, [0.8808], atol=1e-4)


def test_places_are_in_cells_and_sizes_in_logarithms():
    answers = silent(64, 64)
    answers[64 + 5, :5] = [3, 0.5, -0.25, np.log(2), np.log(0.5)]  # Of stride 16, its centre at 24, 24.
    answers[64 + 5, 5:7] = [-1, 2]
    boxes, points, _ = found(answers, 64, 64, certain=0.5)
    assert np.allclose(boxes, [[24 + 8 - 64, 24 - 4 - 16, 128, 32]])
    assert points[0, 0].tolist() == [24 - 16, 24 + 32]


def test_of_two_boxes_for_one_face_the_surer_one_stays():
    answers = silent(64, 64)
    answers[27, 0], answers[28, 0] = 1, 2  # Neighbours, of which the boxes overlap by more than half.
    boxes, _, scores = found(answers, 64, 64, certain=0.5)
    assert len(boxes) == 1
    assert np.isclose(scores[0], 1 / (1 + np.exp(-2)))


def test_faces_side_by_side_both_stay():
    answers = silent(64, 64)
    answers[[25, 30], 0] = 2
    assert len(found(answers, 64, 64, certain=0.5)[0]) == 2


def test_five_hundred_faces_are_five_hundred_answers_at_most():
    answers = silent(640, 640)
    answers[:, 0], answers[:, 3:5] = 1, -3
    boxes, _, _ = found(answers, 640, 640, certain=0.5)
    assert len(boxes) == 500


def test_numbers_that_are_not_finite_are_no_face():
    answers = silent(64, 64)
    answers[10, 0], answers[10, 3] = 5, np.nan
    answers[20, 0] = np.inf
    assert len(found(answers, 64, 64, certain=0.5)[0]) == 0


@given(arrays(np.float32, (len(cell_table(32, 32)), ANSWERS), elements=st.floats(width=32)))
def test_whatever_a_net_says_boxes_are_finite_ordered_and_apart(answers):
    boxes, points, scores = found(answers, 32, 32, certain=0.1)
    assert np.isfinite(boxes).all() and np.isfinite(points).all() and (boxes[:, 2:] > 0).all()
    assert (np.diff(scores) <= 0).all() and (scores >= 0.1 - 1e-6).all() and (scores <= 1).all()
    assert len(surest(boxes, 0.45, 500)) == len(boxes)


def test_a_picture_gets_black_to_the_right_and_below_until_cells_fit():
    picture = np.full((33, 64, 3), 200, np.uint8)
    shown = padded(picture)
    assert shown.shape == (64, 64, 3)
    assert (shown[:33] == 200).all() and (shown[33:] == 0).all()
    assert padded(shown) is shown
