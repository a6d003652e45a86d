from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.answers import Age, Classes, Value, age_group
from stages.vision.inference.answers import answer, row_of
from stages.vision.inference.card import load_card
from tests.vision.inference.conftest import AGE, EMOTION


def test_logits_become_probabilities(write_card):
    row = row_of(load_card(write_card()), np.log([0.2, 0.3, 0.5]))
    assert row == pytest.approx([0.2, 0.3, 0.5])
    assert row.dtype == np.float32


def test_probabilities_at_temperature_1_stay_as_they_are(write_card):
    card = load_card(write_card(outputs="probabilities"))
    assert row_of(card, np.array([0.0, 0.25, 0.75])) == pytest.approx([0.0, 0.25, 0.75])


@pytest.mark.parametrize(("outputs", "given"), [("logits", np.log([0.2, 0.8])), ("probabilities", [0.2, 0.8])])
def test_a_temperature_of_2_takes_the_root_of_probabilities(write_card, outputs, given):
    card = load_card(write_card(labels=["man", "woman"], outputs=outputs, temperature=2))
    assert row_of(card, np.array(given)) == pytest.approx([1 / 3, 2 / 3])


def test_what_is_kept_is_renormalised_in_the_order_of_keep(write_card):
    card = load_card(write_card(outputs="probabilities", keep=["neutral", "angry"]))
    assert row_of(card, np.array([0.1, 0.6, 0.3])) == pytest.approx([0.75, 0.25])


def test_kept_labels_that_are_all_unlikely_still_sum_to_one(write_card):
    card = load_card(write_card(keep=["neutral", "angry"]))
    assert row_of(card, np.array([0.0, 2000.0, 0.0])) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(("outputs", "given"), [("logits", math.log(3)), ("probabilities", 0.75)])
def test_a_single_sigmoid_speaks_of_the_second_of_two_labels(write_card, outputs, given):
    card = load_card(write_card(labels=["man", "woman"], outputs=outputs))
    assert row_of(card, np.array([given])) == pytest.approx([0.25, 0.75])


def test_a_row_becomes_the_likeliest_label_with_all_scores(write_card):
    said = answer(load_card(write_card()), [0.25, 0.5, 0.25])
    assert said == Classes("happy", 0.5, {"angry": 0.25, "happy": 0.5, "neutral": 0.25})
    assert list(said.scores) == ["angry", "happy", "neutral"]


def test_an_age_is_the_expectation_with_the_range_of_eight_in_ten(write_card):
    card = load_card(write_card(AGE, outputs="probabilities"))
    row = row_of(card, np.array([0, 0, 0.2, 0.6, 0.2, 0, 0, 0, 0, 0]))
    # Bins reach halfway to their neighbours: 15 to 25, 25 to 35, 35 to 45; a tenth lies in the first half of the first.
    assert row == pytest.approx([30, 20, 40], abs=1e-4)
    assert answer(card, [30.0, 20.0, 40.0]) == Age(30.0, 20.0, 40.0, "30-39")


def test_no_age_lies_below_0(write_card):
    card = load_card(write_card(AGE, outputs="probabilities"))
    row = row_of(card, np.array([1.0] + [0] * 9))
    assert row == pytest.approx([0, 0, 4.5], abs=1e-4)


def test_the_range_of_an_age_always_holds_it(write_card):
    card = load_card(write_card(AGE, outputs="probabilities"))
    years, low, high = row_of(card, np.array([0.92, 0, 0, 0, 0, 0, 0, 0, 0, 0.08]))
    assert years == pytest.approx(7.2)
    assert low <= years == high


@pytest.mark.parametrize(
    ("years", "group"),
    [(0, "0-9"), (9.99, "0-9"), (10, "10-19"), (39.6, "30-39"), (69.9, "60-69"), (70, "70+"), (101, "70+")],
)
def test_groups_are_decades_of_life(years, group):
    assert age_group(years) == group


def test_a_regression_is_its_number(write_card):
    keys = {key: value for key, value in EMOTION.items() if key not in ("labels", "outputs")}
    card = load_card(write_card(keys, task="regression"))
    assert row_of(card, np.array([-3.5])) == pytest.approx([-3.5])
    assert answer(card, [-3.5]) == Value(-3.5)


def test_a_row_of_another_card_is_refused(write_card):
    with pytest.raises(ValueError, match="an answer of emotion has 2 numbers; it must have 3"):
        answer(load_card(write_card()), [0.5, 0.5])


REASONABLE = st.lists(st.floats(-200, 200), min_size=10, max_size=10)


@given(logits=REASONABLE, temperature=st.floats(0.05, 20))
def test_every_distribution_of_ages_has_an_age_within_its_range(write_card, logits, temperature):
    card = load_card(write_card(AGE, temperature=temperature))
    years, low, high = row_of(card, np.array(logits))
    assert 0 <= low <= years <= high <= 95


@given(logits=st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3))
def test_all_finite_logits_give_probabilities(write_card, logits):
    row = row_of(load_card(write_card()), np.array(logits))
    assert row.sum() == pytest.approx(1) and row.min() >= 0
    assert row[np.argmax(logits)] == row.max()


def test_groups_of_ages_are_as_likely_as_their_years_together(write_card):
    card = load_card(write_card(AGE, labels=[0, 10, 20, 60], groups={"child": 5, "adult": 18, "old": 60}))
    row = row_of(card, np.log([0.1, 0.2, 0.3, 0.4]))
    assert row == pytest.approx([0.3, 0.3, 0.4])
    said = answer(card, row)
    assert (said.label, list(said.scores)) == ("old", ["child", "adult", "old"])
    young = load_card(write_card(AGE, labels=[0, 10, 20, 60], groups={"adult": 18, "old": 60}))
    assert row_of(young, np.log([0.1, 0.2, 0.3, 0.4])) == pytest.approx([0.6, 0.4])
