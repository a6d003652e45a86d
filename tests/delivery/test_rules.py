"""Which attribute stages are asked about which frame."""

from __future__ import annotations

import numpy as np
import pytest

from stages.answers import Value
from stages.config.load import read_config
from stages.delivery.rules import asked
from stages.frames import Face, FinishedFrame, Picture
from stages.vision.following import Follower


def frames_of(stage: str, rate: float | None, **every: int) -> list[int]:
    return [frame for frame in range(12) if stage in asked(frame, rate, every)]


def test_a_stage_is_asked_about_the_frames_whose_number_is_a_multiple():
    assert frames_of("age", 25.0, age=5, emotion=1) == [0, 5, 10]
    assert frames_of("emotion", 25.0, age=5, emotion=1) == list(range(12))


def test_every_stage_is_asked_about_a_picture():
    assert frames_of("age", None, age=5) == list(range(12))


@pytest.mark.parametrize(("rate", "asked_about"), [(1.0, list(range(12))), (4.0, [0, 2, 4, 6, 8, 10])])
def test_a_slow_video_is_asked_about_twice_a_second_at_least(rate, asked_about):
    assert frames_of("age", rate, age=5) == asked_about


def test_stages_stand_in_the_order_of_the_configuration():
    assert asked(9, 25.0, {"gender": 3, "emotion": 1, "age": 3}) == ("gender", "emotion", "age")


def test_gender_and_age_are_asked_about_every_third_frame_if_nothing_else_is_said():
    assert read_config("{}", "p").every() == {"gender": 3, "emotion": 1, "age": 3}
    own = "stages: {age: {every: 1}, emotion: {every: 2}, glasses: {kind: attribute, model: glasses.yaml}}"
    assert read_config(own, "p").every() == {"age": 1, "emotion": 2, "glasses": 1}


@pytest.mark.parametrize("render", ["track: false", "coast: 0.4"])
def test_every_frame_is_asked_about_where_nothing_would_carry_the_last_answer_on(render):
    assert read_config(f"render: {{{render}}}", "p").every() == {"gender": 1, "emotion": 1, "age": 1}
    assert read_config(f"render: {{{render}}}\nstages: {{age: {{every: 3}}}}", "p").every() == {"age": 3}


def test_what_is_shown_of_a_face_keeps_its_order_whichever_stages_were_asked():
    every = {"gender": 3, "emotion": 1, "age": 3}
    follower = Follower(1.0, dict.fromkeys(every, 1.0))
    for number in range(4):
        said = {stage: Value(0.5) for stage in asked(number, 25.0, every)}
        picture = Picture(np.zeros((9, 9, 3), np.uint8), number / 25, 25.0)
        [face] = follower.follow(FinishedFrame("clip", number, picture, [Face((1, 1, 5, 5), 0.9, said)])).faces
        assert list(face.shown) == ["gender", "emotion", "age"]
