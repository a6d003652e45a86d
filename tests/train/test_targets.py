from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from train.data import AGE, EMOTION, GENDER, VOTES, Faces  # noqa: E402
from train.targets import errors_of, loss_of, probabilities, targets_of  # noqa: E402


def faces(count, **labels):
    given = {name: np.array(values) for name, values in labels.items()}
    return Faces(np.zeros((count, 8, 8, 1), np.uint8), np.zeros((count, 4), np.float32), given)


def test_classes_are_smoothed_over_the_others():
    rows = targets_of((EMOTION,), faces(2, emotion=[3, 6]), smoothing=0.07)
    assert rows[0] == pytest.approx([0.01, 0.01, 0.01, 0.94, 0.01, 0.01, 0.01])
    assert rows[1].argmax() == 6


def test_a_picture_without_a_label_has_a_row_of_zeros():
    rows = targets_of((EMOTION, GENDER), faces(2, emotion=[3, -1]), smoothing=0.1)
    assert rows[0].sum() == pytest.approx(1) and not rows[1].any()


def test_rare_classes_count_more_and_all_together_as_much_as_before():
    rows = targets_of((GENDER,), faces(10, gender=[0] * 8 + [1] * 2), 0.0, class_weights=True)
    assert rows[-1, 1] == pytest.approx(2 * rows[0, 0])
    assert rows.sum() == pytest.approx(10)


def test_where_most_of_an_age_are_men_the_women_of_that_age_count_more():
    four = faces(8, gender=[0, 0, 0, 1, 0, 1, -1, 0])
    ages = Faces(four.pictures, four.boxes, four.labels, {"ages": np.array(["60+"] * 4 + ["20-39"] * 3 + ["0-9"])})
    rows = targets_of((GENDER,), ages, 0.0, even="ages")
    assert rows[:4].sum(0) == pytest.approx([2, 2]) and rows[4:6].sum(0) == pytest.approx([1, 1])
    assert not rows[6].any()  # nobody knows
    assert rows[7].tolist() == [1, 0]  # the only one of that age
    assert np.array_equal(targets_of((GENDER,), four, 0.0, even="ages"), targets_of((GENDER,), four, 0.0))


def test_votes_are_shares_and_single_ones_or_too_few_of_them_are_no_opinion():
    votes = [[6, 0, 0, 0, 0, 0, 4], [0, 0, 0, 9, 0, 0, 1], [1, 1, 0, 0, 0, 0, 0], [0] * 7]
    rows = targets_of((VOTES,), faces(4, votes=votes), 0.0)
    assert rows[0] == pytest.approx([0.6, 0, 0, 0, 0, 0, 0.4])
    assert rows[1] == pytest.approx([0, 0, 0, 1, 0, 0, 0])
    assert not rows[2:].any()


def test_years_are_a_bell_around_them_wider_for_the_old():
    rows = targets_of((AGE,), faces(3, age=np.array([25, 70, 116], np.float32)), 0.0)
    assert rows.sum(1) == pytest.approx([1, 1, 1])
    assert rows[:, :101].argmax(1).tolist() == [25, 70, 100]
    assert rows[0, :101] @ np.arange(101) == pytest.approx(25, abs=0.01)
    assert rows[0].max() > 1.5 * rows[1].max()


def test_a_group_of_ages_stands_beside_the_years():
    rows = targets_of((AGE,), faces(1, age_group=[3]), 0.0)
    assert rows.shape == (1, 110)
    assert not rows[0, :101].any() and rows[0, 101:].argmax() == 3


def sure_of(year):
    logits = np.full((1, 101), -9.0, np.float32)
    logits[0, year] = 9
    return logits


def test_the_age_loss_counts_the_years_by_which_the_expectation_is_off():
    target = targets_of((AGE,), faces(1, age=np.array([40.0], np.float32)), 0.0)
    loss = loss_of((AGE,))
    assert float(loss(target, sure_of(80))) - float(loss(target, sure_of(42))) > 0.1 * 30


def test_any_age_of_the_group_satisfies_the_group():
    target = targets_of((AGE,), faces(1, age_group=[3]), 0.0)
    loss = loss_of((AGE,))
    assert float(loss(target, sure_of(21))) == pytest.approx(float(loss(target, sure_of(28))), abs=1e-3)
    assert float(loss(target, sure_of(35))) > 5


def test_what_nobody_labelled_costs_nothing_and_is_learned_from_the_teachers():
    nothing = targets_of((EMOTION, GENDER), faces(1), 0.0)
    logits = np.zeros((1, 9), np.float32)
    assert float(loss_of((EMOTION, GENDER))(nothing, logits)) == 0
    teacher = np.array([[1, 0, 0, 0, 0, 0, 0, 0.5, 0.5]], np.float32)
    taught = loss_of((EMOTION, GENDER), teaching=0.5)(nothing, np.concatenate([logits, teacher], axis=1))
    assert float(taught) == pytest.approx(0.5 * (np.log(7) + np.log(2)), abs=1e-5)


def test_a_head_counts_as_much_as_it_weighs_for_labels_and_for_teachers():
    heads, said = (GENDER, AGE), np.full((1, 103), 0.01, np.float32)
    targets = targets_of(heads, faces(1, gender=[1], age=np.array([30.0], np.float32)), 0.0)
    outputs = np.concatenate([np.zeros((1, 103), np.float32), said], axis=1)

    def loss(**weights):
        return float(loss_of(heads, 0.5, weights)(targets, outputs))

    gender = loss(age=0.0)
    assert gender > 0
    assert loss(age=0.5) - gender == pytest.approx((loss() - gender) / 2, rel=1e-4)


def test_probabilities_sum_to_one_even_for_huge_logits_and_heat_flattens_them():
    rows = probabilities(np.array([[1000.0, 0.0], [2.0, 0.0]]))
    assert rows.sum(1) == pytest.approx([1, 1])
    assert rows[1, 0] == pytest.approx(0.8808, abs=1e-4)
    assert probabilities(np.array([[2.0, 0.0]]), temperature=2)[0, 0] == pytest.approx(0.7311, abs=1e-4)


def test_errors_are_shares_of_wrong_classes_and_decades_of_an_age():
    emotions = np.eye(7)[[0, 1, 2, 2]]
    found = errors_of((EMOTION, VOTES), np.concatenate([emotions, emotions], 1), faces(4, emotion=[0, 1, 2, 3]))
    assert found == {"emotion": 0.25}
    logits = np.concatenate([sure_of(30), sure_of(60)])
    assert errors_of((AGE,), logits, faces(2, age=[25.0, 61.0]))["age"] == pytest.approx(0.3, abs=0.01)
    assert errors_of((AGE,), logits, faces(2, age_group=[4, 6])) == {"age": 0.5}
