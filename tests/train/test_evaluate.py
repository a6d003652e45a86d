"""What `python -m train.evaluate` makes of the figures by group."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("tensorflow")

from train.evaluate import gaps  # noqa: E402


def told(kinds, figures):
    question = SimpleNamespace(faces=SimpleNamespace(groups=dict.fromkeys(kinds)))
    return list(gaps(question, figures))


def test_the_gap_is_from_the_best_group_to_the_worst_of_its_kind():
    shares = {"race Black": 0.817, "race White": 0.921, "race Indian": 0.897, "gender man": 0.5, "gender woman": 0.9}
    figures = {title: (100, "accuracy", share) for title, share in shares.items()}
    (line,) = told(("race", "gender", "also_in_training"), figures)
    assert line == "largest gap by race: accuracy 10.4 points, from race White (92.1%) to race Black (81.7%)"


def test_of_years_that_an_age_is_off_fewer_are_better():
    years = {"ages 0-9": 1.7, "ages 10-19": 4.7, "ages 60+": 9.3}
    (line,) = told(("ages",), {title: (9, "mean absolute error (years)", off) for title, off in years.items()})
    assert line.endswith("mean absolute error (years) 7.60, from ages 0-9 (1.70) to ages 60+ (9.30)")
