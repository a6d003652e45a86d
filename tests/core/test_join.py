"""How render joins what the stages say about a frame."""

from __future__ import annotations

from stages.core.join import (
    AttributeCame,
    CloseOutputs,
    Contradicted,
    Dropped,
    Emit,
    FacesCame,
    GivenUp,
    Join,
    PictureCame,
    SourceEnded,
    SourceStarted,
)


def joining(*attributes: str) -> Join:
    join = Join(attributes)
    join.step(SourceStarted(epoch=1))
    return join


def say(join: Join, frame: int, faces: int = 1, boxes: str = "b", attempt: int = 1) -> list:
    found = FacesCame(frame, attempt, boxes, faces, "faces", worker=5)
    return join.step(PictureCame(frame, f"picture {frame}")) + join.step(found)


def answer(join: Join, frame: int, stage: str = "age", boxes: str = "b", attempt: int = 1, value: object = 31) -> list:
    return join.step(AttributeCame(frame, attempt, boxes, stage, value))


def frames(actions: list) -> list[int]:
    return [action.frame for action in actions if isinstance(action, Emit)]


def test_a_frame_is_emitted_when_every_attribute_has_come():
    join = joining("gender", "age")
    assert say(join, 0) == []
    assert answer(join, 0, "age", value=31) == []
    assert answer(join, 0, "gender", value="w") == [Emit(0, "picture 0", "faces", {"gender": "w", "age": 31}, (), None)]


def test_a_frame_without_faces_waits_for_no_attribute():
    assert frames(say(joining("gender", "age"), 0, faces=0)) == [0]


def test_a_stage_that_is_not_asked_is_neither_waited_for_nor_missing():
    join = joining("gender", "age")
    join.step(FacesCame(0, 1, "b", 1, "faces", worker=5))
    assert join.lacks() == [(0, ["picture", "gender", "age"])]  # Which are asked the picture tells.
    assert frames(answer(join, 0, "gender")) == []
    assert join.step(PictureCame(0, "picture", asked=("gender",))) == [
        Emit(0, "picture", "faces", {"gender": 31}, (), None)
    ]


def test_a_complete_frame_waits_for_the_one_before_it():
    join = joining("age")
    say(join, 0), say(join, 1)
    assert answer(join, 1) == []
    assert join.lacks() == [(0, ["age"]), (1, [])]
    assert frames(answer(join, 0)) == [0, 1]


def test_the_parts_of_a_frame_may_come_in_any_order():
    join = joining("age")
    assert answer(join, 0) == []
    assert join.step(FacesCame(0, 1, "b", 1, "faces")) == []
    assert frames(join.step(PictureCame(0, "picture"))) == [0]


def test_what_comes_twice_or_too_late_changes_nothing_and_is_counted():
    join = joining("age")
    say(join, 0), say(join, 0)
    assert frames(answer(join, 0, value=31)) == [0]
    assert answer(join, 0, value=99) == []
    assert join.open_count == 0
    assert join.ignored.total() == 3


def test_the_first_answer_counts_not_its_repeat():
    join = joining("age")
    answer(join, 0, value=31), answer(join, 0, value=99)
    assert say(join, 0)[0].answers == {"age": 31}


def test_an_answer_along_other_boxes_is_not_joined():
    join = joining("age")
    say(join, 0, boxes="b", attempt=2)
    assert answer(join, 0, boxes="other") == []
    assert join.lacks() == [(0, ["age"])]


def test_a_detect_that_names_two_sets_of_boxes_in_one_try_is_named_and_the_frame_looked_at_again():
    join = joining("age")
    say(join, 0, boxes="b")
    assert answer(join, 0, boxes="other") == [Contradicted(0, "detect", 5)]
    assert join.lacks() == [(0, ["detect"])]
    join = joining()
    join.step(FacesCame(0, 1, "b", 1, "faces", worker=5))
    assert join.step(FacesCame(0, 1, "other", 2, "faces", worker=5)) == [Contradicted(0, "detect", 5)]
    assert frames(say(join, 0, boxes="right", attempt=2)) == [0]


def test_answers_of_a_newer_try_replace_those_of_an_older_one():
    join = joining("age")
    say(join, 0, boxes="old"), answer(join, 0, boxes="new", attempt=2)
    assert join.lacks() == [
        (0, ["detect"])
    ]  # Its faces are of the older try, and the newer ones are lost or on their way.
    assert frames(join.step(FacesCame(0, 2, "new", 1, "faces"))) == [0]


def test_an_attribute_that_is_given_up_is_missing_and_the_others_are_there():
    join = joining("gender", "age")
    say(join, 0), answer(join, 0, "gender", value="w")
    assert join.step(GivenUp(0, "age", "late")) == [Emit(0, "picture 0", "faces", {"gender": "w"}, ("age",), None)]


def test_a_frame_that_detect_gave_up_is_emitted_with_its_picture_and_the_reason():
    join = joining("age")
    join.step(PictureCame(0, "picture"))
    assert join.step(GivenUp(0, "detect", "it died three times")) == [
        Emit(0, "picture", None, {}, (), "it died three times")
    ]


def test_a_hole_of_dropped_frames_is_not_waited_for_and_is_accounted():
    join = joining()
    say(join, 0, faces=0), say(join, 5, faces=0)
    assert frames(join.step(Dropped(1, 4, "detect", "queue full"))) == [5]
    assert join.step(Dropped(1, 4, "detect", "queue full")) == []  # It is said until it is acknowledged.
    assert (join.done, join.emitted, dict(join.dropped)) == (6, 2, {("detect", "queue full"): 4})


def test_a_frame_that_was_emitted_is_not_dropped_afterwards():
    join = joining()
    say(join, 0, faces=0)
    join.step(Dropped(0, 1, "detect", "late"))
    assert (join.emitted, join.dropped.total()) == (1, 1)


def test_a_huge_range_of_drops_costs_nothing():
    join = joining()
    join.step(Dropped(0, 2**53, "detect", "late"))
    assert join.done == 2**53 + 1


def test_the_outputs_are_closed_once_after_the_last_frame():
    join = joining()
    assert join.step(SourceEnded(2)) == []
    say(join, 0, faces=0)
    assert say(join, 1, faces=0)[-1] == CloseOutputs()
    assert join.step(SourceEnded(2)) == []


def test_an_empty_source_ends_at_once():
    assert joining().step(SourceEnded(0)) == [CloseOutputs()]


def test_a_new_incarnation_of_capture_voids_what_the_old_one_had_under_way():
    join = joining("age")
    say(join, 0), answer(join, 0), say(join, 1)
    join.step(SourceStarted(epoch=2))
    assert (join.done, join.lacks()) == (1, [])
    join.step(SourceStarted(epoch=1))  # A late repeat of the old one.
    assert join.epoch == 2


def test_a_peer_that_opens_frames_without_end_is_bounded():
    join = Join(("age",), most_open=3)
    for frame in range(10):
        join.step(PictureCame(frame, "picture"))
    assert join.open_count == 3


def test_the_highest_frame_heard_of_counts_drops_too_and_outlives_the_capture_that_said_it():
    join = joining()
    assert join.heard == 0
    join.step(Dropped(3, 7, "detect", "late"))
    assert join.heard == 8
    join.step(SourceStarted(2))
    assert join.heard == 8


def test_a_join_that_is_started_again_goes_on_where_the_outputs_end():
    join = Join((), done=47)
    join.step(SourceStarted(2))
    join.step(PictureCame(46, "picture"))
    assert join.ignored["after the frame was emitted or dropped"] == 1
    join.step(PictureCame(47, "picture"))
    [emit] = join.step(FacesCame(47, 1, "none", 0, []))
    assert (emit.frame, join.done) == (47, 48)
