from __future__ import annotations

import numpy as np
import pytest

from train.detection.data import Labels
from train.detection.score import matched


def labels(boxes, ignored=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    ignored = np.zeros(len(boxes), bool) if ignored is None else np.array(ignored, bool)
    return Labels(boxes, ignored, np.full((len(boxes), 5, 2), np.nan, np.float32))


def answers(*rows):
    rows = np.array(rows, float).reshape(-1, 5)
    return rows[:, :4], rows[:, 4]


FACE, OTHER, NOTHING = [10, 10, 40, 50], [100, 10, 40, 50], [200, 200, 40, 50]


def test_every_face_found_and_nothing_else_is_a_precision_of_one():
    result = matched([answers([*FACE, 0.9], [*OTHER, 0.8])], [labels([FACE, OTHER])])
    assert (result.average_precision(), result.recall(), result.recall_at(0.95)) == (1.0, 1.0, 1.0)


def test_half_of_the_faces_found_is_half_of_the_precision():
    result = matched([answers([*FACE, 0.9])], [labels([FACE, OTHER])])
    assert result.average_precision() == pytest.approx(0.505, abs=0.001)  # 51 of COCO's 101 recalls
    assert result.recall() == 0.5


def test_a_false_alarm_that_is_surer_than_a_face_costs_precision_and_one_that_is_less_sure_does_not():
    surer = matched([answers([*NOTHING, 0.95], [*FACE, 0.9])], [labels([FACE])])
    less = matched([answers([*NOTHING, 0.5], [*FACE, 0.9])], [labels([FACE])])
    assert (surer.average_precision(), less.average_precision()) == (0.5, 1.0)
    assert (surer.recall_at(0.95), less.recall_at(0.95)) == (0.0, 1.0)
    assert (surer.score_at(0.95), less.score_at(0.95), less.score_at(0.5)) == (None, 0.9, 0.5)


def test_a_second_box_on_the_same_face_is_a_false_alarm():
    result = matched([answers([*FACE, 0.9], [*FACE, 0.8])], [labels([FACE])])
    assert result.right.tolist() == [True, False]


def test_what_is_found_where_a_face_is_ignored_is_neither_right_nor_wrong():
    result = matched([answers([*FACE, 0.9], [*OTHER, 0.8])], [labels([FACE, OTHER], [True, False])])
    assert (result.faces, result.right.tolist()) == (1, [True])


def test_faces_of_another_size_are_neither_missed_nor_false_alarms():
    result = matched([answers([*FACE, 0.9])], [labels([FACE, [100, 100, 200, 200]])], (24, 96))
    assert (result.faces, result.average_precision()) == (1, 1.0)


def test_a_detector_that_finds_nothing_has_no_precision():
    result = matched([answers()], [labels([FACE])])
    assert (result.average_precision(), result.recall(), result.recall_at(0.95)) == (0.0, 0.0, 0.0)


def made_up(seed: int, pictures: int = 12):
    rng = np.random.default_rng(seed)
    truths, found = [], []
    scores = iter(rng.permutation(1000) / 1000)  # no two alike: of such the order is anybody's
    for _ in range(pictures):
        boxes = np.concatenate([rng.uniform(0, 300, (6, 2)), rng.uniform(15, 130, (6, 2))], axis=1)
        truths.append(labels(boxes, rng.random(6) < 0.2))
        near = boxes[rng.random(6) < 0.8] + rng.normal(0, 6, (1, 4))
        boxes = np.concatenate([near, near[:2] + 3, rng.uniform(10, 200, (5, 4))])
        boxes[:, 2:] = boxes[:, 2:].clip(5)
        found.append((boxes.astype(np.float32), np.array([next(scores) for _ in boxes])))
    return found, truths


# By COCOeval of pycocotools 2.0.11: iouThrs 0.5, one area range, maxDets 1000; average precision and recall.
BY_COCO = {
    0: (0.23588612029119654, 0.6779661016949152),
    1: (0.27724141712372197, 0.7543859649122807),
    2: (0.21273512758370897, 0.576271186440678),
}


@pytest.mark.parametrize("seed", BY_COCO)
def test_figures_are_those_of_cocos_own_evaluation(seed):
    found, truths = made_up(seed)
    result = matched(found, truths)
    assert (result.average_precision(), result.recall()) == pytest.approx(BY_COCO[seed], abs=1e-9)
