"""How capture hands out work."""

from __future__ import annotations

from stages.core.flow import (
    Acked,
    AnswerRefused,
    AskInstead,
    CropsCame,
    Finished,
    Flow,
    Forget,
    KeepCrops,
    LetGo,
    Read,
    ReadAll,
    Refuse,
    Rules,
    SayDrop,
    SayEnd,
    SayGivenUp,
    SendCrops,
    SendFrame,
    SendPicture,
    SendPreview,
    SendReserve,
    SendWelcome,
    Stop,
    Tick,
    WorkerBeat,
    WorkerCame,
    WorkerGone,
)


def flowing(*, acked: bool = True, **rules) -> Flow:
    """A flow with one detect `d` and one age `a` that have room for two pieces each."""
    flow = Flow(Rules(attributes=("age",), cards={"detect": "D", "age": "A"}, **rules))
    for connection, stage, card in (("d", "detect", "D"), ("a", "age", "A")):
        flow.step(WorkerCame(connection, stage, ("desk", 0), 1, card), 0.0)
        flow.step(WorkerBeat(connection, room=2, finished=0), 0.0)
    if acked:
        ack(flow)
    return flow


def ack(flow: Flow, done: int = 0, lacks: dict | None = None, now_s: float = 0.0, **said) -> list:
    ack.number += 1
    said = {"clean": False, "preview": None, **said}
    return flow.step(Acked(1, ack.number, done, {f: frozenset(w) for f, w in (lacks or {}).items()}, **said), now_s)


ack.number = 0


def read(flow: Flow, count: int = 1, now_s: float = 0.0) -> list:
    return [action for _ in range(count) for action in flow.step(Read(100), now_s)]


def sent_to(connection: str, actions: list) -> list[int]:
    """The frames whose crops are given to a worker."""
    return [action.frame for action in actions if isinstance(action, SendCrops) and action.connection == connection]


def cut(flow: Flow, frame: int, faces: int = 1, attempt: int = 1) -> list:
    return flow.step(CropsCame("d", frame, attempt, "boxes", faces, 10 * faces), 0.0)


def test_nothing_is_read_before_every_stage_and_render_have_been_heard():
    flow = Flow(Rules(attributes=("age",), cards={"detect": "D", "age": "A"}))
    assert not flow.started
    flow.step(WorkerCame("d", "detect", ("desk", 0), 1, "D"), 0.0)
    ack(flow)
    assert not flow.started
    flow.step(WorkerCame("a", "age", ("desk", 0), 1, "A"), 0.0)
    assert flow.started and flow.may_read(100)


def test_a_frame_goes_to_detect_and_its_picture_to_render():
    assert read(flowing()) == [SendFrame("d", 0, 1, 1, ()), SendPicture(0)]


def test_a_worker_gets_no_more_than_it_has_room_for():
    flow = flowing()
    assert [type(action) for action in read(flow, 3)] == [SendFrame, SendPicture] * 2
    assert flow.waiting["detect"] == 1
    assert flow.step(WorkerBeat("d", room=2, finished=1), 0.0) == [SendFrame("d", 2, 3, 1, ()), SendPicture(2)]


def test_crops_free_the_credit_of_their_piece_without_a_beat():
    flow = flowing()
    read(flow, 3)
    assert cut(flow, 0, faces=0) == [KeepCrops(0), SendFrame("d", 2, 3, 1, ()), SendPicture(2)]


def test_work_goes_to_the_worker_with_the_most_room():
    flow = flowing()
    flow.step(WorkerCame("e", "detect", ("desk", 1), 1, "D"), 0.0)
    flow.step(WorkerBeat("e", room=2, finished=0), 0.0)
    sent = [action.connection for action in read(flow, 4) if isinstance(action, SendFrame)]
    assert sorted(sent[:2]) == ["d", "e"] and sorted(sent) == ["d", "d", "e", "e"]


def test_crops_go_to_every_attribute_stage_and_none_go_out_without_faces():
    flow = flowing()
    read(flow, 2)
    assert cut(flow, 0, faces=2) == [KeepCrops(0), SendCrops("a", "age", 0, 1)]
    assert cut(flow, 1, faces=0) == [KeepCrops(1)]


def test_the_window_holds_frames_until_they_are_acknowledged():
    flow = flowing(window=2)
    read(flow, 2)
    assert not flow.may_read(100)
    assert ack(flow, done=1, lacks={1: ["age"]}, now_s=0.25) == [Forget(0, 0.25)]
    assert flow.may_read(100)


def test_the_window_holds_bytes_too_but_one_frame_may_always_go():
    flow = flowing(window_bytes=150)
    assert flow.may_read(1000)
    read(flow)
    assert flow.may_read(50) and not flow.may_read(51)


def test_only_the_newest_acknowledgement_counts():
    flow = flowing()
    read(flow, 2)
    newest, older = Acked(1, 1000, 2, {}, False, None), Acked(1, 999, 1, {}, False, None)
    flow.step(newest, 0.0)
    assert flow.step(older, 0.0) == []
    assert (flow.done, flow.in_flight) == (2, 0)


def test_what_a_worker_held_goes_out_again_when_it_is_gone_and_nothing_else():
    flow = flowing()
    read(flow, 2)
    cut(flow, 0)
    flow.step(WorkerCame("b", "age", ("desk", 1), 1, "A"), 0.0)
    flow.step(WorkerBeat("b", room=2, finished=0), 0.0)
    assert flow.step(WorkerGone("a"), 0.0) == [SendCrops("b", "age", 0, 1)]


def test_a_piece_that_a_worker_has_died_over_says_its_next_life_goes_out_alone():
    for cause, sent in (("killed", [SendCrops("b", "age", 0, 1)]), ("exit", [SendReserve("b")])):
        flow = flowing()
        read(flow)
        cut(flow, 0)
        flow.step(WorkerCame("b", "age", ("desk", 0), 4, "A", ended=((1, cause), (3, "killed"))), 0.0)
        assert flow.step(WorkerBeat("b", room=2, finished=0), 0.0) == sent


def test_what_render_has_already_is_not_sent_again():
    flow = flowing()
    read(flow)
    cut(flow, 0)
    ack(flow, lacks={0: ["picture"]})  # The answer of age is there.
    assert flow.step(WorkerGone("a"), 0.0) == []
    assert flow.waiting == {"detect": 0, "age": 0}


def test_a_frame_whose_crops_died_with_detect_goes_to_detect_again():
    flow = flowing()
    read(flow)
    flow.step(WorkerBeat("d", room=2, finished=1), 0.0)
    ack(flow, lacks={0: ["age"]})  # Its faces are at render, its crops are nowhere.
    flow.step(WorkerGone("d"), 0.0)
    assert flow.waiting["detect"] == 1


def test_a_worker_with_another_card_is_refused_once_and_gets_no_work():
    flow = flowing()
    [refusal] = flow.step(WorkerCame("x", "age", ("shed", 0), 1, "other card"), 0.0)
    assert refusal == Refuse("x", "the age of this run has another model card or other settings")
    assert flow.step(WorkerBeat("x", room=2, finished=0), 0.0) == []


def test_a_new_incarnation_of_a_worker_replaces_the_old_one_and_not_the_other_way_round():
    flow = flowing()
    read(flow)
    flow.step(WorkerCame("d2", "detect", ("desk", 0), 2, "D"), 0.0)
    assert flow.step(WorkerBeat("d2", room=2, finished=0), 0.0) == [SendFrame("d2", 0, 1, 2, ())]
    assert isinstance(flow.step(WorkerCame("d3", "detect", ("desk", 0), 1, "D"), 0.0)[0], Refuse)


def test_a_connection_that_nobody_knows_is_welcomed_until_it_says_hello():
    flow = flowing()
    assert flow.step(WorkerBeat("n", room=2, finished=0), 0.0) == [SendWelcome("n", 1)]
    assert flow.step(WorkerBeat("n", room=2, finished=0), 0.0) == [SendWelcome("n", 1)]
    flow.step(WorkerCame("n", "age", ("desk", 7), 1, "A", account=1), 0.0)
    assert flow.step(WorkerBeat("n", room=2, finished=0), 0.0) == []


def test_without_progress_what_render_lacks_is_sent_again_after_a_while_that_doubles():
    flow = flowing(resend_after_s=10.0)
    read(flow)
    cut(flow, 0)
    ack(flow, lacks={0: ["picture", "age"]})
    flow.step(WorkerBeat("d", room=2, finished=1), 0.0), flow.step(WorkerBeat("a", room=2, finished=1), 0.0)
    assert flow.step(Tick(), 9.9) == []
    assert flow.step(Tick(), 10.0) == [SendPicture(0), SendCrops("a", "age", 0, 2)]
    flow.step(WorkerBeat("a", room=2, finished=2), 11.0)
    assert flow.step(Tick(), 29.9) == []
    assert flow.step(Tick(), 30.0) == [SendPicture(0), SendCrops("a", "age", 0, 3)]


def test_a_slow_worker_is_not_a_lost_one():
    flow = flowing(resend_after_s=10.0)
    read(flow)
    ack(flow)
    assert flow.step(Tick(), 10.0) == [SendPicture(0)]  # Detect is still at it.
    assert flow.step(Tick(), 30.0) == [SendPicture(0)]
    # After the third stall in a row even what it holds is taken for lost.
    assert flow.step(Tick(), 70.0) == [SendPicture(0), SendFrame("d", 0, 2, 2, ())]


def test_what_a_silent_worker_holds_goes_to_one_that_answers_as_soon_as_that_has_nothing_to_do():
    flow = flowing(resend_after_s=10.0)
    flow.step(WorkerBeat("a", room=16, finished=0), 0.0)
    flow.step(WorkerBeat("d", room=3, finished=0), 0.0)
    read(flow, 3)
    for frame in range(3):
        cut(flow, frame)
    flow.step(WorkerCame("b", "age", ("barn", 0), 1, "A"), 0.0)
    flow.step(WorkerBeat("b", room=2, finished=0), 0.0)
    lacks = {frame: ["age"] for frame in range(3)}
    ack(flow, lacks=lacks, now_s=9.8)
    assert sent_to("b", ack(flow, lacks=lacks, now_s=9.9)) == []
    assert sent_to("b", flow.step(Tick(), 10.0)) == [0]  # A stall: whatever "a" is at, another one is asked, too.
    assert sent_to("b", flow.step(WorkerBeat("b", room=2, finished=1), 10.1)) == []
    assert sent_to("b", ack(flow, done=1, lacks={1: ["age"], 2: ["age"]}, now_s=10.2)) == [1]  # It has answered.
    assert sent_to("b", flow.step(WorkerBeat("b", room=2, finished=2), 10.3)) == [2]  # And no stall for each further.
    assert sent_to("b", flow.step(WorkerBeat("b", room=2, finished=3), 10.4)) == []


def lied_about(frame: int) -> Flow:
    """A flow whose `a` has no room, and in which the wrong answers for this frame were one too many."""
    flow = flowing(tries=1, give_up_after_s=5.0)
    flow.step(WorkerBeat("a", room=0, finished=0), 0.0)
    flow.step(WorkerCame("liar", "age", ("desk", 1), 1, "A"), 0.0)
    flow.step(WorkerBeat("liar", room=2, finished=0), 0.0)
    read(flow)
    assert sent_to("liar", cut(flow, frame)) == [frame]
    flow.step(AnswerRefused(frame, "age", flow.number_of("liar"), "is wrong"), 0.0)
    return flow


def test_a_frame_with_too_many_wrong_answers_waits_for_a_worker_that_has_no_room_for_a_moment():
    """As one says that has a piece alone, of this source or of another."""
    flow = lied_about(0)
    assert sent_to("a", flow.step(WorkerBeat("a", room=2, finished=0), 4.0)) == [0]


def test_a_frame_with_too_many_wrong_answers_is_given_up_when_only_those_who_came_later_have_room_for_long():
    flow = lied_about(0)
    flow.step(WorkerCame("later", "age", ("desk", 2), 1, "A"), 1.0)
    assert not flow.step(WorkerBeat("later", room=2, finished=0), 1.0)
    assert not flow.step(Tick(), 4.0)
    [said] = flow.step(Tick(), 5.0)
    assert said == SayGivenUp(0, "age", "age gave 1 answers for this frame that could not be taken")


def test_what_was_dropped_on_its_way_to_a_slow_render_still_counts_against_the_window():
    flow = flowing(live=True, window=2, deadline_s=1.0)
    flow.step(WorkerBeat("d", room=9, finished=0), 0.0)
    read(flow, 2)
    flow.step(Tick(), 1.5)  # Both are late, and dropped; but they lie in the queue of render.
    assert not any(isinstance(action, SendFrame) for action in read(flow, 2, now_s=1.6))
    assert any(isinstance(action, SendFrame) for action in ack(flow, done=2, now_s=1.7))


def test_the_end_is_said_until_render_has_closed_its_outputs():
    flow = flowing()
    assert flow.step(ReadAll(), 0.0) == [SayEnd(0)]
    assert flow.step(Tick(), 0.1) == []
    assert flow.step(Tick(), 0.2) == [SayEnd(0)]
    assert ack(flow, clean=True, now_s=0.25) == [Finished()]
    assert flow.step(Tick(), 1.0) == []


def test_a_person_who_stops_a_file_takes_back_what_was_not_handed_out():
    flow = flowing()
    read(flow, 5)  # Two are with detect.
    actions = flow.step(Stop(), 0.0)
    assert actions == [Forget(4, None), Forget(3, None), Forget(2, None), SayEnd(2)]
    assert not flow.may_read(100)


def test_a_camera_drops_the_oldest_frame_that_was_not_handed_out():
    flow = flowing(live=True, window=3)
    read(flow, 3)
    assert read(flow) == [Forget(2, None), SayDrop(2, 2, "detect", "queue full")]
    assert flow.in_flight == 3


def test_a_camera_drops_the_newest_frame_when_all_others_are_with_detect():
    flow = flowing(live=True, window=2)
    read(flow, 2)
    assert read(flow) == [Forget(2, None), SayDrop(2, 2, "detect", "queue full")]


def test_the_next_frame_is_asked_about_what_a_dropped_one_was_to_be_asked_about():
    flow = flowing(live=True, window=3)
    for asked in ((), (), ("age",), ()):  # Detect has the first two; the third is dropped for the fourth.
        said = flow.step(Read(100, asked), 0.0)
    assert said == [Forget(2, None), SayDrop(2, 2, "detect", "queue full")]
    said = flow.step(WorkerBeat("d", room=2, finished=1), 0.1)
    assert said == [AskInstead(3, ("age",)), SendFrame("d", 3, 3, 1, ()), SendPicture(3)]
    assert cut(flow, 3)[1:] == [SendCrops("a", "age", 3, 1)]


def test_a_camera_that_always_loses_the_frames_that_a_stage_is_to_be_asked_about_asks_it_all_the_same():
    flow = flowing(live=True, window=3)
    seen, asked = [], []
    for frame in range(90):
        said = flow.step(Read(100, ("age",) if frame % 3 == 0 else ()), frame / 30)
        if frame % 3 == 1 and seen:
            said += flow.step(WorkerBeat("d", room=2, finished=len(seen)), frame / 30)
            asked += [to for done in seen for to in sent_to("a", cut(flow, done))]
            flow.step(WorkerBeat("a", room=2, finished=len(asked)), frame / 30)
            said += ack(flow, done=seen[-1] + 1, now_s=frame / 30)
        seen += [action.frame for action in said if isinstance(action, SendFrame)]
    assert len(seen) > 50 and not [frame for frame in seen[1:] if frame % 3 == 0]
    assert len(asked) > 25


def test_drops_are_said_until_they_are_acknowledged_neighbours_in_one_breath():
    flow = flowing(live=True, window=2)
    read(flow, 4)
    assert flow.step(Tick(), 0.3) == [SayDrop(2, 3, "detect", "queue full")]
    ack(flow, done=4, now_s=0.4)
    assert flow.step(Tick(), 0.6) == []


def test_what_nobody_was_given_has_its_numbers_and_is_said_as_dropped_and_the_next_frame_follows_it():
    flow = flowing(live=True)
    flow.step(LetGo(14, "stages not ready"), 0.0)
    assert flow.step(LetGo(1, "opening"), 0.3)[-2:] == [
        SayDrop(0, 13, "capture", "stages not ready"),
        SayDrop(14, 14, "capture", "opening"),
    ]
    assert any(isinstance(action, SendFrame) and action.frame == 15 for action in read(flow, now_s=0.4))
    ack(flow, done=15, now_s=0.5)
    assert flow.in_flight == 1


def test_an_answer_that_is_late_is_given_up_and_a_frame_without_boxes_dropped():
    flow = flowing(live=True, deadline_s=1.0)
    read(flow, 2)
    cut(flow, 0)
    ack(flow, lacks={0: ["age"]})
    actions = flow.step(Tick(), 1.0)
    assert SayGivenUp(0, "age", "late") in actions
    assert SayDrop(1, 1, "detect", "late") in actions


def test_under_overload_attributes_are_given_up_before_frames_are_dropped():
    flow = flowing(live=True, deadline_s=60.0, window=8)
    said = []
    for frame in range(6):  # `age` has taken two pieces and goes no further
        said += read(flow, now_s=0.1 * frame)
        flow.step(WorkerBeat("d", room=2, finished=frame), 0.0)
        said += cut(flow, frame)
    lacks = {frame: ["age"] for frame in range(6)}
    said += ack(flow, lacks=lacks, now_s=0.6)
    assert [a.frame for a in said if isinstance(a, SendCrops)] == [0, 1]
    assert {(a.frame, a.reason) for a in said if isinstance(a, SayGivenUp)} == {
        (2, "overload"),
        (3, "overload"),
        (4, "overload"),
    }
    assert not any(isinstance(action, SayDrop) for action in said)
    said = flow.step(WorkerBeat("a", room=2, finished=2), 0.7)
    assert [a.frame for a in said if isinstance(a, SendCrops)] == [5]  # the newest


def test_a_stage_is_not_asked_about_a_frame_that_was_read_without_it():
    flow = flowing()
    flow.step(Read(100, asked=()), 0.0)
    assert not any(isinstance(action, SendCrops) for action in cut(flow, 0))
    said = ack(flow, lacks={0: ["picture", "age"]})  # Render waits for all of them until it has the picture.
    assert not any(isinstance(action, (SendCrops, SendFrame)) for action in [*said, *flow.step(Tick(), 100.0)])


def test_a_stage_that_is_gone_is_not_waited_for():
    flow = flowing(live=True, deadline_s=60.0, give_up_after_s=5.0)
    flow.step(WorkerGone("a"), 0.0)
    flow.step(Tick(), 0.0)
    read(flow, now_s=4.0)
    cut(flow, 0)
    ack(flow, lacks={0: ["age"]}, now_s=4.1)
    assert SayGivenUp(0, "age", "stage gone") in flow.step(Tick(), 5.0)


def test_the_newest_picture_of_a_camera_is_offered_one_at_a_time():
    flow = flowing(live=True)
    ack(flow, preview=0)
    assert SendPreview(0) in read(flow)
    assert not any(isinstance(action, SendPreview) for action in read(flow, 3, now_s=0.1))
    assert SendPreview(3) in ack(flow, preview=1, now_s=0.2)


def test_no_preview_is_offered_where_render_wants_none():
    flow = flowing(live=True)
    assert not any(isinstance(action, SendPreview) for action in read(flow, 3))


def gathering(**rules) -> Flow:
    """A flow of a file whose workers have room for eight pieces each."""
    flow = flowing(room=8, **rules)
    for connection in "da":
        flow.step(WorkerBeat(connection, room=8, finished=0), 0.0)
    return flow


def given(actions: list) -> list[int]:
    """The frames that are given to detect or an attribute stage."""
    return [action.frame for action in actions if isinstance(action, (SendFrame, SendCrops))]


def test_of_a_file_what_has_come_in_one_turn_goes_out_together_at_its_end():
    flow = gathering()
    assert given(read(flow, 5)) == []
    assert given(flow.step(Tick(), 0.0)) == [0, 1, 2, 3, 4]


def test_of_a_file_who_has_something_to_do_is_given_more_when_half_of_its_room_can_be_filled():
    flow = gathering()
    read(flow), flow.step(Tick(), 0.0)
    read(flow, 3)
    assert given(flow.step(Tick(), 0.0)) == []
    read(flow, 1)
    assert given(flow.step(Tick(), 0.0)) == [1, 2, 3, 4]


def test_of_a_file_who_has_nothing_to_do_is_given_what_there_is():
    flow = gathering()
    read(flow), flow.step(Tick(), 0.0)
    read(flow), flow.step(WorkerBeat("d", room=8, finished=1), 0.0)
    assert given(flow.step(Tick(), 0.0)) == [1]


def test_of_a_file_attributes_wait_for_others_as_long_as_detect_has_something_to_do():
    flow = gathering()
    read(flow, 8), flow.step(Tick(), 0.0)
    cut(flow, 0)
    assert given(flow.step(Tick(), 0.0)) == [0]  # The first piece waits for nobody.
    flow.step(WorkerBeat("a", room=8, finished=1), 0.01)
    for frame in (1, 2, 3):
        cut(flow, frame)
    assert given(flow.step(Tick(), 0.02)) == []
    cut(flow, 4)
    assert given(flow.step(Tick(), 0.03)) == [1, 2, 3, 4]


def test_of_a_file_attributes_do_not_wait_long_for_a_detect_that_is_slow():
    flow = gathering()
    read(flow, 8), flow.step(Tick(), 0.0)
    cut(flow, 0), flow.step(Tick(), 0.0), flow.step(WorkerBeat("a", room=8, finished=1), 0.01)
    cut(flow, 1)
    assert given(flow.step(Tick(), 0.05)) == []
    assert given(flow.step(Tick(), 0.11)) == [1]


def test_of_a_file_the_last_pieces_are_given_as_soon_as_detect_has_nothing_to_do():
    flow = gathering()
    read(flow, 2), flow.step(Tick(), 0.0)
    cut(flow, 0), cut(flow, 1)
    assert given(flow.step(Tick(), 0.0)) == [0, 1]


def test_of_a_file_the_workers_of_a_stage_share_the_window():
    flow = gathering()
    for replica in (1, 2, 3):
        flow.step(WorkerCame(f"d{replica}", "detect", ("desk", replica), 1, "D"), 0.0)
        flow.step(WorkerBeat(f"d{replica}", room=8, finished=0), 0.0)
    read(flow, 16)
    held = [a.connection for a in flow.step(Tick(), 0.0) if isinstance(a, SendFrame)]
    assert {c: held.count(c) for c in held} == dict.fromkeys(("d", "d1", "d2", "d3"), 3)
