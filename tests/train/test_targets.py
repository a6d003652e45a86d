from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from train.data import TASKS  # noqa: E402
from train.targets import distributions, error_of, loss_of, probabilities  # noqa: E402

EMOTION, AGE = TASKS["emotion"], TASKS["age"]


def test_classes_are_smoothed_over_the_others():
    rows = distributions(EMOTION, np.array([3, 6]), smoothing=0.07)
    assert rows[0] == pytest.approx([0.01, 0.01, 0.01, 0.94, 0.01, 0.01, 0.01])
    assert rows[1].argmax() == 6


def test_years_are_a_bell_around_them_wider_for_the_old():
    rows = distributions(AGE, np.array([25, 70, 116], np.float32), 0)
    assert rows.sum(1) == pytest.approx([1, 1, 1])
    assert rows.argmax(1).tolist() == [25, 70, 100]
    assert rows[0] @ np.arange(101) == pytest.approx(25, abs=0.01)
    assert rows[0].max() > 1.5 * rows[1].max()


def test_probabilities_sum_to_one_even_for_huge_logits_and_heat_flattens_them():
    rows = probabilities(np.array([[1000.0, 0.0], [2.0, 0.0]]))
    assert rows.sum(1) == pytest.approx([1, 1])
    assert rows[1, 0] == pytest.approx(0.8808, abs=1e-4)
    assert probabilities(np.array([[2.0, 0.0]]), temperature=2)[0, 0] == pytest.approx(0.7311, abs=1e-4)


def test_the_error_is_the_share_of_wrong_classes_or_the_mean_absolute_error_in_years():
    assert error_of(EMOTION, np.eye(7)[[0, 1, 2, 2]], np.array([0, 1, 2, 3])) == 0.25
    sure = np.full((2, 101), -50.0)
    sure[0, 30] = sure[1, 60] = 50
    assert error_of(AGE, sure, np.array([25, 61])) == pytest.approx(3)


def test_the_age_loss_counts_the_years_by_which_the_expectation_is_off():
    near, far = np.full((1, 101), -9.0, np.float32), np.full((1, 101), -9.0, np.float32)
    near[0, 42], far[0, 80] = 9, 9
    target = distributions(AGE, np.array([40.0]), 0)
    loss = loss_of(AGE)
    assert float(loss(target, far)) - float(loss(target, near)) > 0.1 * 30
