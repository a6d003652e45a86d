"""How render joins what the stages say about a frame."""

from __future__ import annotations

from stages.delivery.joiner import CloseOutputs, Contradicted, Emit, Joiner
from stages.protocol.messages import Attribute
from tests.delivery import said
from tests.delivery.said import dropped, end, found, given_up, picture, source


def joining(*attributes: str) -> Joiner:
    joiner = Joiner(attributes)
    joiner.step(source(epoch=1))
    return joiner


def say(joiner: Joiner, frame: int, faces: int = 1, boxes: str = "b", attempt: int = 1) -> list:
    return joiner.step(picture(frame)) + joiner.step(found(frame, faces, boxes, attempt))


def answer(joiner: Joiner, frame: int, stage: str = "age", **known) -> list:
    return joiner.step(said.answer(frame, stage, **known))


def values(answers: dict[str, Attribute]) -> dict[str, float]:
    """Of one face."""
    return {stage: message.answers[0][0] for stage, message in answers.items()}


def frames(actions: list) -> list[int]:
    return [action.frame for action in actions if isinstance(action, Emit)]


def test_a_frame_is_emitted_when_every_attribute_has_come():
    joiner = joining("gender", "age")
    assert say(joiner, 0) == []
    assert answer(joiner, 0, "age", value=31) == []
    gender, age = said.answer(0, "gender", value=0.5), said.answer(0, "age", value=31)
    assert joiner.step(gender) == [Emit(0, picture(0), found(0), {"gender": gender, "age": age}, (), None)]


def test_a_frame_without_faces_waits_for_no_attribute():
    assert frames(say(joining("gender", "age"), 0, faces=0)) == [0]


def test_a_stage_that_is_not_asked_is_neither_waited_for_nor_missing():
    joiner = joining("gender", "age")
    joiner.step(found(0))
    assert joiner.missing_parts() == [(0, ["picture", "gender", "age"])]  # Which are asked the picture tells.
    assert frames(answer(joiner, 0, "gender")) == []
    [emit] = joiner.step(picture(0, asked=["gender"]))
    assert (list(emit.answers), emit.missing) == (["gender"], ())


def test_a_complete_frame_waits_for_the_one_before_it():
    joiner = joining("age")
    say(joiner, 0), say(joiner, 1)
    assert answer(joiner, 1) == []
    assert joiner.missing_parts() == [(0, ["age"]), (1, [])]
    assert frames(answer(joiner, 0)) == [0, 1]


def test_the_parts_of_a_frame_may_come_in_any_order():
    joiner = joining("age")
    assert answer(joiner, 0) == []
    assert joiner.step(found(0)) == []
    assert frames(joiner.step(picture(0))) == [0]


def test_what_comes_twice_or_too_late_changes_nothing_and_is_counted():
    joiner = joining("age")
    say(joiner, 0), say(joiner, 0)
    assert frames(answer(joiner, 0, value=31)) == [0]
    assert answer(joiner, 0, value=99) == []
    assert joiner.missing_parts() == []
    assert joiner.ignored.total() == 3


def test_the_first_answer_counts_not_its_repeat():
    joiner = joining("age")
    answer(joiner, 0, value=31), answer(joiner, 0, value=99)
    assert values(say(joiner, 0)[0].answers) == {"age": 31}


def test_an_answer_along_other_boxes_is_not_joined():
    joiner = joining("age")
    say(joiner, 0, boxes="b", attempt=2)
    assert answer(joiner, 0, boxes="other") == []
    assert joiner.missing_parts() == [(0, ["age"])]


def test_a_detect_that_names_two_sets_of_boxes_in_one_try_is_named_and_the_frame_looked_at_again():
    joiner = joining("age")
    say(joiner, 0, boxes="b")
    assert answer(joiner, 0, boxes="other") == [Contradicted(found(0))]
    assert joiner.missing_parts() == [(0, ["detect"])]
    joiner = joining()
    joiner.step(found(0))
    assert joiner.step(found(0, faces=2, boxes="other")) == [Contradicted(found(0))]
    assert frames(say(joiner, 0, boxes="right", attempt=2)) == [0]


def test_answers_of_a_newer_try_replace_those_of_an_older_one():
    joiner = joining("age")
    say(joiner, 0, boxes="old"), answer(joiner, 0, boxes="new", attempt=2)
    assert joiner.missing_parts() == [
        (0, ["detect"])
    ]  # Its faces are of the older try, and the newer ones are lost or on their way.
    assert frames(joiner.step(found(0, boxes="new", attempt=2))) == [0]


def test_an_attribute_that_is_given_up_is_missing_and_the_others_are_there():
    joiner = joining("gender", "age")
    say(joiner, 0), answer(joiner, 0, "gender", value=0.5)
    [emit] = joiner.step(given_up(0, "age", "late"))
    assert (values(emit.answers), emit.missing) == ({"gender": 0.5}, ("age",))


def test_a_frame_that_detect_gave_up_is_emitted_with_its_picture_and_the_reason():
    joiner = joining("age")
    joiner.step(picture(0))
    assert joiner.step(given_up(0, "detect", "it died three times")) == [
        Emit(0, picture(0), None, {}, (), "it died three times")
    ]


def test_a_hole_of_dropped_frames_is_not_waited_for_and_is_accounted():
    joiner = joining()
    say(joiner, 0, faces=0), say(joiner, 5, faces=0)
    assert frames(joiner.step(dropped(1, 4, "detect", "queue full"))) == [5]
    assert joiner.step(dropped(1, 4, "detect", "queue full")) == []  # It is said until it is acknowledged.
    assert (joiner.next_frame, joiner.emitted, dict(joiner.dropped)) == (6, 2, {("detect", "queue full"): 4})


def test_a_frame_that_was_emitted_is_not_dropped_afterwards():
    joiner = joining()
    say(joiner, 0, faces=0)
    joiner.step(dropped(0, 1, "detect", "late"))
    assert (joiner.emitted, joiner.dropped.total()) == (1, 1)


def test_a_huge_range_of_drops_costs_nothing():
    joiner = joining()
    joiner.step(dropped(0, 2**53, "detect", "late"))
    assert joiner.next_frame == 2**53 + 1


def test_the_outputs_are_closed_once_after_the_last_frame():
    joiner = joining()
    assert joiner.step(end(2)) == []
    say(joiner, 0, faces=0)
    assert say(joiner, 1, faces=0)[-1] == CloseOutputs()
    assert joiner.step(end(2)) == []


def test_an_empty_source_ends_at_once():
    assert joining().step(end(0)) == [CloseOutputs()]


def test_a_new_incarnation_of_capture_voids_what_the_old_one_had_under_way():
    joiner = joining("age")
    say(joiner, 0), answer(joiner, 0), say(joiner, 1)
    joiner.step(source(epoch=2))
    assert (joiner.next_frame, joiner.missing_parts()) == (1, [])
    joiner.step(source(epoch=1))  # A late repeat of the old one.
    assert joiner.epoch == 2


def test_a_peer_that_opens_frames_without_end_is_bounded():
    joiner = Joiner(("age",), most_open=3)
    for frame in range(10):
        joiner.step(picture(frame))
    assert len(joiner.missing_parts()) == 3


def test_the_highest_frame_heard_of_counts_drops_too_and_outlives_the_capture_that_said_it():
    joiner = joining()
    assert joiner.heard == 0
    joiner.step(dropped(3, 7, "detect", "late"))
    assert joiner.heard == 8
    joiner.step(source(2))
    assert joiner.heard == 8


def test_a_joiner_that_is_started_again_goes_on_where_the_outputs_end():
    joiner = Joiner((), next_frame=47)
    joiner.step(source(2))
    joiner.step(picture(46))
    assert joiner.ignored["after the frame was emitted or dropped"] == 1
    joiner.step(picture(47))
    [emit] = joiner.step(found(47, faces=0))
    assert (emit.frame, joiner.next_frame) == (47, 48)
