"""Charts of one face's answers over time."""

from __future__ import annotations

import numpy as np

from stages.answers import Age, Classes, Value
from stages.view.overlay.timeline import GROUND, chart, label_colour

SIZE = (100, 40)  # a pixel for a tenth of a second in `charted`


def charted(times: list[float], answers: list) -> np.ndarray:
    return chart(times, answers, (0.0, 9.9), SIZE, capital=8)


def moods(happy: float) -> Classes:
    return Classes("happy", happy, {"happy": happy, "dreamy": 1 - happy})


def test_shares_are_stacked_from_below_in_the_order_of_the_card():
    image = charted([0.0, 5.0], [moods(0.75), moods(0.25)])
    for column, height in ((2, 30), (52, 10)):
        assert (image[40 - height :, column] == label_colour("happy", 0)).all()
        assert (image[: 40 - height, column] == label_colour("dreamy", 1)).all()


def test_times_at_which_the_face_was_away_are_empty():
    image = charted([2.0, 2.5, 3.0, 8.0], [moods(1.0)] * 4)
    there = (image[20] != GROUND).any(axis=1)
    assert not there[:20].any() and there[20:34].all() and not there[40:80].any() and there[80:90].all()


def test_an_age_is_a_curve_with_a_band_that_is_its_range():
    ages = [Age(20.0 + 3 * second, 15.0, 55.0, "20-29") for second in range(10)]
    image = charted([float(second) for second in range(10)], ages).astype(int)
    brightest = image.sum(axis=2)[:, 30:].argmax(axis=0)  # beside the numbers of the axis
    assert (np.diff(brightest) <= 0).all() and brightest[0] > brightest[-1]
    assert (image[:4, 30:] == GROUND).all() and not (image[20, 30:] == GROUND).all(axis=1).any()


def test_a_number_without_a_range_has_no_band():
    image = charted([0.0, 0.5, 1.0], [Value(0.31), Value(0.31), Value(0.33)])
    colours = {tuple(colour) for colour in image[:, 5:15].reshape(-1, 3).tolist()}
    assert GROUND in colours and (image[:, 45:] == GROUND).all()
