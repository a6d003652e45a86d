"""What is said about one face, made steady over time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.answers import Age, Classes, Value
from stages.vision.smoothing import Smoother

OVER_S = {"gender": 3.0, "emotion": 0.2, "age": 5.0, "glasses": 1.0, "beauty": 1.0}
RATES = [5, 10, 25, 60]  # frames a second


def emotion(happy: float) -> dict:
    scores = {"happy": happy, "neutral": 1 - happy}
    label = max(scores, key=scores.get)
    return {"emotion": Classes(label, scores[label], scores)}


def gender(woman: float) -> dict:
    scores = {"man": 1 - woman, "woman": woman}
    label = max(scores, key=scores.get)
    return {"gender": Classes(label, scores[label], scores)}


def age(years: float, spread: float = 20.0) -> dict:
    return {"age": Age(years, years - spread / 2, years + spread / 2, "?")}


def smoothed(rate: float, seconds: float, answers) -> list[tuple[float, dict]]:
    """(time, what is shown) of every frame; `answers` says what the nets say at a time."""
    smoother = Smoother(OVER_S, hold_s=1.0)
    times = [number / rate for number in range(round(seconds * rate))]
    return [(time_s, smoother.update(time_s, answers(time_s))) for time_s in times]


def test_the_first_answer_is_shown_as_it_is():
    [(_, shown)] = smoothed(25, 0.04, lambda t: emotion(0.75) | gender(0.75) | age(31.0))
    assert shown["emotion"] == Classes("happy", 0.75, {"happy": 0.75, "neutral": 0.25})
    assert shown["gender"] == Classes("woman", 0.75, {"man": 0.25, "woman": 0.75})
    assert shown["age"] == Age(31.0, 21.0, 41.0, "30-39")


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("happy", [0.65, 0.95])
def test_a_smile_is_shown_within_a_third_of_a_second(rate, happy):
    came = smoothed(rate, 3, lambda t: emotion(0.05 if t < 2 else happy))
    first_s = next(t for t, shown in came if shown["emotion"].label == "happy")
    assert 2.0 <= first_s <= 2.0 + 1 / 3


def test_a_smile_in_a_single_frame_is_not_shown():
    came = smoothed(25, 3, lambda t: emotion(0.95 if abs(t - 2) < 0.01 else 0.05))
    assert {shown["emotion"].label for _, shown in came} == {"neutral"}


def test_a_gender_that_is_wrong_in_every_third_frame_is_steady_and_no_surer_than_the_net():
    came = smoothed(25, 20, lambda t: gender(0.3 if round(t * 25) % 3 == 2 else 0.8))
    assert {shown["gender"].label for _, shown in came} == {"woman"}
    assert 0.5 < came[-1][1]["gender"].confidence < 0.8


def test_an_age_that_claims_to_be_exact_counts_more():
    came = smoothed(25, 30, lambda t: age(20.0, spread=10.0) if round(t * 25) % 2 else age(40.0, spread=40.0))
    assert 20 < came[-1][1]["age"].years < 22
    assert came[-1][1]["age"].group == "20-29"


def test_an_age_that_jumps_is_steady():
    came = smoothed(25, 30, lambda t: age(30 + 8 * math.sin(40 * t)))
    years = [shown["age"].years for t, shown in came if t > 5]
    assert max(years) - min(years) < 1


@pytest.mark.parametrize("stage", ["gender", "emotion", "age"])
def test_the_frame_rate_does_not_matter(stage):
    def at_the_end(rate: float):
        # All change at once, and 12 s is reached by all rates.
        came = smoothed(rate, 12 + 1 / rate, lambda t: {**emotion(0.1), **gender(0.1), **age(20)} if t < 9 else
                        {**emotion(0.9), **gender(0.9), **age(60)})  # fmt: skip
        return came[-1][1][stage]

    slow, fast = at_the_end(10), at_the_end(60)
    if stage == "age":
        assert slow.years == pytest.approx(fast.years, abs=1.0)
    else:
        assert slow.label == fast.label and slow.confidence == pytest.approx(fast.confidence, abs=0.04)


def test_an_answer_about_a_better_picture_counts_more():
    smoother = Smoother(OVER_S, hold_s=1.0)
    for number in range(250):
        turned_away = number % 2 == 0
        said = gender(0.2) | age(60) if turned_away else gender(0.9) | age(30)
        shown = smoother.update(number / 25, said, 0.2 if turned_away else 0.8)
    assert shown["gender"].label == "woman" and 34 < shown["age"].years < 38


def test_equal_qualities_change_nothing_however_low():
    of_all = [Smoother(OVER_S, hold_s=1.0) for _ in range(3)]
    for number in range(50):
        said = gender(0.3 + 0.4 * (number % 3)) | emotion(0.1 * (number % 9)) | age(20 + number % 7)
        shown = [
            smoother.update(number / 25, said, counts) for smoother, counts in zip(of_all, (1, 0.3, 0.0), strict=True)
        ]
        assert shown[0] == shown[1] == shown[2]


def test_a_missing_answer_is_bridged_for_a_moment_only():
    came = smoothed(25, 4, lambda t: emotion(0.9) | (age(30) if t < 1 else {}))
    with_age = [t for t, shown in came if "age" in shown]
    assert with_age[0] == 0 and 1.9 < with_age[-1] < 2.1
    assert list(came[0][1]) == ["emotion", "age"]


def test_what_is_not_a_number_is_left_out():
    nan = float("nan")
    broken = {"age": Age(nan, nan, nan, "?"), "gender": Classes("man", nan, {"man": nan, "woman": 0.2})}
    came = smoothed(25, 0.2, lambda t: broken if t else age(30) | gender(0.8))
    assert came[-1][1]["age"].years == 30 and came[-1][1]["gender"].confidence == 0.8
    assert smoothed(25, 0.04, lambda t: broken)[0][1] == {}


def test_attributes_of_ones_own_are_smoothed_by_what_they_are():
    came = smoothed(25, 6, lambda t: {"glasses": gender(0.9)["gender"], "beauty": Value(round(t * 25) % 2)})
    assert came[-1][1]["glasses"].label == "woman" and came[-1][1]["beauty"].value == pytest.approx(0.5, abs=0.1)


def test_over_0_seconds_nothing_is_smoothed():
    smoother = Smoother({"emotion": 0.0}, hold_s=1.0)
    for number, happy in enumerate([0.1, 0.9, 0.2]):
        assert smoother.update(number / 25, emotion(happy))["emotion"].confidence == max(happy, round(1 - happy, 4))


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.04, 1.0, 1e6]), st.floats(0, 1), st.floats(0, 100)), max_size=20))
def test_what_is_smoothed_lies_among_what_was_said(answers):
    smoother, now_s, said = Smoother(OVER_S, hold_s=1.0), 0.0, []
    for passed_s, woman, years in answers:
        now_s += passed_s
        said.append((woman, years))
        shown = smoother.update(now_s, gender(woman) | age(years, spread=10))
        assert min(y for _, y in said) - 1e-3 <= shown["age"].years <= max(y for _, y in said) + 1e-3
        confidence = shown["gender"].scores["woman"]
        assert min(w for w, _ in said) - 1e-3 <= confidence <= max(w for w, _ in said) + 1e-3
