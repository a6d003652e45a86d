from __future__ import annotations

import numpy as np
import pytest

from train.measures import (
    age_figures,
    age_group,
    age_group_figures,
    area,
    best_temperature,
    calibration_error,
    class_figures,
)


def test_accuracy_counts_pictures_and_balanced_accuracy_counts_classes():
    answers = np.array([[0.9, 0.1, 0.0]] * 3 + [[0.6, 0.4, 0.0]])
    figures = class_figures(answers, np.array([0, 0, 0, 1]), ("a", "b", "c"))
    assert figures["accuracy"] == 0.75
    assert figures["balanced accuracy"] == 0.5
    assert figures["recall of a"] == 1 and figures["recall of b"] == 0
    assert "recall of c" not in figures


def test_confidence_that_is_right_as_often_as_it_says_is_calibrated():
    confidence = np.full(100, 0.8)
    assert calibration_error(confidence, np.arange(100) < 80) == pytest.approx(0)
    assert calibration_error(confidence, np.arange(100) < 50) == pytest.approx(0.3)
    assert calibration_error(np.ones(4), np.ones(4, bool)) == 0


def test_age_figures_are_in_years():
    answers = np.array([[30, 25, 35], [40, 30, 50], [50, 45, 52]], float)
    figures = age_figures(answers, np.array([33, 40, 44]))
    assert figures["mean absolute error (years)"] == pytest.approx(3)
    assert figures["bias (years)"] == pytest.approx(1)
    assert figures["within 5 years"] == pytest.approx(2 / 3)
    assert figures["in the range given"] == pytest.approx(2 / 3)


def test_ages_fall_into_the_nine_groups_at_their_edges():
    assert age_group([0, 2.4, 2.6, 9.4, 9.5, 19, 69.4, 70, 116]).tolist() == [0, 0, 1, 1, 2, 2, 7, 8, 8]
    figures = age_group_figures(np.array([1.0, 25, 25]), np.array([0, 4, 8]))
    assert figures == {"exact group of nine": pytest.approx(1 / 3), "at most one group off": pytest.approx(2 / 3)}


def test_the_temperature_cools_down_a_net_that_is_too_sure():
    # Right in 80 % of cases, so a calibrated logit is ln 4; the net says three times that.
    logits = np.array([[3 * np.log(4), 0.0]] * 10)
    assert best_temperature(logits, np.array([0] * 8 + [1] * 2)) == pytest.approx(3, abs=0.03)
    assert best_temperature(logits / 3, np.array([0] * 8 + [1] * 2)) == pytest.approx(1, abs=0.01)


def test_the_area_under_the_curve_is_how_often_the_right_one_scores_higher():
    assert area(np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, True, False, False])) == 1
    assert area(np.array([0.9, 0.2, 0.3, 0.1]), np.array([True, True, False, False])) == 0.75
    assert area(np.full(4, 0.5), np.array([True, False, True, False])) == 0.5


def test_precision_and_f1_tell_a_class_that_is_called_too_often():
    called_b = np.array([[0.2, 0.8]] * 4)
    figures = class_figures(called_b, np.array([0, 0, 0, 1]), ("a", "b"))
    assert figures["precision of b"] == 0.25 and figures["recall of b"] == 1
    assert figures["precision of a"] == 0
    assert figures["F1"] == pytest.approx(0.2)  # the mean of 0 and 0.4


def test_accuracy_is_never_the_mean_over_all_outputs():
    """Keras's BinaryAccuracy would call these answers, all wrong, right in 5 of 7 outputs."""
    figures = class_figures(np.eye(7)[[0, 0]], np.array([1, 2]), tuple("abcdefg"))
    assert figures["accuracy"] == 0
