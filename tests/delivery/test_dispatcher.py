"""How capture hands out work."""

from __future__ import annotations

import pickle

from stages.delivery.dispatcher import Dispatcher
from stages.delivery.events import (
    AnswerRefused,
    AskInstead,
    Discarded,
    Finished,
    Forget,
    FromWorker,
    KeepCrops,
    Read,
    ReadAll,
    Refuse,
    SendCrops,
    SendFrame,
    SendIsolate,
    SendPicture,
    SendPreview,
    SendWelcome,
    StopReading,
    Tick,
    WorkerDisconnected,
    WorkerExited,
)
from stages.delivery.rules import Rules
from stages.protocol import limits
from stages.protocol.messages import Drop, GivenUp
from tests.delivery.said import acked, crops, dropped, end, given_up, heartbeat, hello


def dispatching(**rules) -> Dispatcher:
    """A dispatcher with one detect `d` and one age `a` with credit for two tasks each."""
    dispatcher = Dispatcher(Rules(attributes=("age",), cards={"detect": "D", "age": "A"}, **rules))
    for connection, stage, card in (("d", "detect", "D"), ("a", "age", "A")):
        dispatcher.step(hello(connection, stage, ("desk", 0), 1, card), 0.0)
        dispatcher.step(heartbeat(connection, credit=2, finished=0), 0.0)
    ack(dispatcher)
    return dispatcher


def ack(
    dispatcher: Dispatcher, acked_up_to: int = 0, missing_parts: dict | None = None, now_s: float = 0.0, **said
) -> list:
    ack.number += 1
    return dispatcher.step(acked(ack.number, acked_up_to, missing_parts, **said), now_s)


ack.number = 0


def read(dispatcher: Dispatcher, count: int = 1, now_s: float = 0.0) -> list:
    return [action for _ in range(count) for action in dispatcher.step(Read(100), now_s)]


def sent_to(connection: str, actions: list) -> list[int]:
    """The frames whose crops are given to a worker."""
    return [action.frame for action in actions if isinstance(action, SendCrops) and action.connection == connection]


def cut(dispatcher: Dispatcher, frame: int, faces: int = 1, attempt: int = 1) -> list:
    return dispatcher.step(FromWorker("d", crops(frame, faces, attempt)), 0.0)


def test_nothing_is_read_before_every_stage_and_render_have_been_heard():
    dispatcher = Dispatcher(Rules(attributes=("age",), cards={"detect": "D", "age": "A"}))
    assert not dispatcher.started
    dispatcher.step(hello("d", "detect", ("desk", 0), 1, "D"), 0.0)
    ack(dispatcher)
    assert not dispatcher.started
    dispatcher.step(hello("a", "age", ("desk", 0), 1, "A"), 0.0)
    assert dispatcher.started and dispatcher.may_read(100)


def test_a_frame_goes_to_detect_and_its_picture_to_render():
    assert read(dispatching()) == [SendFrame("d", 0, 1, 1, ()), SendPicture(0)]


def test_a_worker_gets_no_more_than_its_credit():
    dispatcher = dispatching()
    assert [type(action) for action in read(dispatcher, 3)] == [SendFrame, SendPicture] * 2
    assert dispatcher.waiting["detect"] == 1
    assert dispatcher.step(heartbeat("d", credit=2, finished=1), 0.0) == [
        SendFrame("d", 2, 3, 1, ()),
        SendPicture(2),
    ]


def test_a_worker_gets_no_more_than_any_may_whatever_credit_it_states():
    dispatcher = dispatching(window=64)
    dispatcher.step(heartbeat("d", credit=2**53, finished=0), 0.0)
    assert sum(isinstance(action, SendFrame) for action in read(dispatcher, 40)) == limits.MAX_CREDIT


def test_what_is_kept_about_peers_that_come_and_go_without_end_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "WORKERS", 4)
    monkeypatch.setattr(limits, "GREETED", 4)
    dispatcher = dispatching()
    sizes = []
    for number in range(1000, 1300):
        taken, refused, greeted = f"taken{number}", f"refused{number}", f"greeted{number}"
        dispatcher.step(heartbeat(greeted), 0.0)
        dispatcher.step(hello(refused, "age", ("desk", number), 1, "another card"), 0.0)
        dispatcher.step(hello(taken, "age", ("desk", number), 1, ended=((0, "exit"),)), 0.0)
        dispatcher.step(WorkerExited("age", ("shed", number), 1, "exit"), 0.0)
        if number % 3:
            dispatcher.step(WorkerDisconnected(taken), 0.0)
        sizes.append(len(pickle.dumps(dispatcher)))
    assert max(sizes[100:]) < 1.2 * max(sizes[:100])


def test_crops_free_the_credit_of_their_task_without_a_heartbeat():
    dispatcher = dispatching()
    read(dispatcher, 3)
    assert cut(dispatcher, 0, faces=0) == [KeepCrops(crops(0, faces=0)), SendFrame("d", 2, 3, 1, ()), SendPicture(2)]


def test_work_goes_to_the_worker_with_the_most_credit():
    dispatcher = dispatching()
    dispatcher.step(hello("e", "detect", ("desk", 1), 1, "D"), 0.0)
    dispatcher.step(heartbeat("e", credit=2, finished=0), 0.0)
    sent = [action.connection for action in read(dispatcher, 4) if isinstance(action, SendFrame)]
    assert sorted(sent[:2]) == ["d", "e"] and sorted(sent) == ["d", "d", "e", "e"]


def test_crops_go_to_every_attribute_stage_and_none_go_out_without_faces():
    dispatcher = dispatching()
    read(dispatcher, 2)
    assert cut(dispatcher, 0, faces=2) == [KeepCrops(crops(0, faces=2)), SendCrops("a", "age", 0, 1)]
    assert cut(dispatcher, 1, faces=0) == [KeepCrops(crops(1, faces=0))]


def test_the_window_holds_frames_until_they_are_acknowledged():
    dispatcher = dispatching(window=2)
    read(dispatcher, 2)
    assert not dispatcher.may_read(100)
    assert ack(dispatcher, acked_up_to=1, missing_parts={1: ["age"]}, now_s=0.25) == [Forget(0, 0.25)]
    assert dispatcher.may_read(100)


def test_the_window_holds_bytes_too_but_one_frame_may_always_go():
    dispatcher = dispatching(window_bytes=150)
    assert dispatcher.may_read(1000)
    read(dispatcher)
    assert dispatcher.may_read(50) and not dispatcher.may_read(51)


def test_only_the_newest_acknowledgement_counts():
    dispatcher = dispatching()
    read(dispatcher, 2)
    dispatcher.step(acked(1000, acked_up_to=2), 0.0)
    assert dispatcher.step(acked(999, acked_up_to=1), 0.0) == []
    assert (dispatcher.acked_up_to, dispatcher.in_flight) == (2, 0)


def test_what_a_worker_held_goes_out_again_when_it_is_gone_and_nothing_else():
    dispatcher = dispatching()
    read(dispatcher, 2)
    cut(dispatcher, 0)
    dispatcher.step(hello("b", "age", ("desk", 1), 1, "A"), 0.0)
    dispatcher.step(heartbeat("b", credit=2, finished=0), 0.0)
    assert dispatcher.step(WorkerDisconnected("a"), 0.0) == [SendCrops("b", "age", 0, 1)]


def test_a_task_that_a_worker_has_died_over_says_its_next_life_goes_out_in_isolation():
    for cause, sent in (("killed", [SendCrops("b", "age", 0, 1)]), ("exit", [SendIsolate("b")])):
        dispatcher = dispatching()
        read(dispatcher)
        cut(dispatcher, 0)
        dispatcher.step(hello("b", "age", ("desk", 0), 4, "A", ended=((1, cause), (3, "killed"))), 0.0)
        assert dispatcher.step(heartbeat("b", credit=2, finished=0), 0.0) == sent


def test_what_render_has_already_is_not_sent_again():
    dispatcher = dispatching()
    read(dispatcher)
    cut(dispatcher, 0)
    ack(dispatcher, missing_parts={0: ["picture"]})  # The answer of age is there.
    assert dispatcher.step(WorkerDisconnected("a"), 0.0) == []
    assert dispatcher.waiting == {"detect": 0, "age": 0}


def test_a_frame_whose_crops_died_with_detect_goes_to_detect_again():
    dispatcher = dispatching()
    read(dispatcher)
    dispatcher.step(heartbeat("d", credit=2, finished=1), 0.0)
    ack(dispatcher, missing_parts={0: ["age"]})  # Its faces are at render, its crops are nowhere.
    dispatcher.step(WorkerDisconnected("d"), 0.0)
    assert dispatcher.waiting["detect"] == 1


def test_a_worker_with_another_card_is_refused_once_and_gets_no_work():
    dispatcher = dispatching()
    [refusal] = dispatcher.step(hello("x", "age", ("shed", 0), 1, "other card"), 0.0)
    assert refusal == Refuse("x", "the age of this run has another model card or other settings")
    assert dispatcher.step(heartbeat("x", credit=2, finished=0), 0.0) == []


def test_a_new_incarnation_of_a_worker_replaces_the_old_one_and_not_the_other_way_round():
    dispatcher = dispatching()
    read(dispatcher)
    dispatcher.step(hello("d2", "detect", ("desk", 0), 2, "D"), 0.0)
    assert dispatcher.step(heartbeat("d2", credit=2, finished=0), 0.0) == [SendFrame("d2", 0, 1, 2, ())]
    assert isinstance(dispatcher.step(hello("d3", "detect", ("desk", 0), 1, "D"), 0.0)[0], Refuse)


def test_a_connection_that_nobody_knows_is_welcomed_until_it_says_hello():
    dispatcher = dispatching()
    assert dispatcher.step(heartbeat("n", credit=2, finished=0), 0.0) == [SendWelcome("n", 1)]
    assert dispatcher.step(heartbeat("n", credit=2, finished=0), 0.0) == [SendWelcome("n", 1)]
    dispatcher.step(hello("n", "age", ("desk", 7), 1, "A", session_id=1), 0.0)
    assert dispatcher.step(heartbeat("n", credit=2, finished=0), 0.0) == []


def test_without_progress_what_render_is_missing_is_sent_again_after_a_while_that_doubles():
    dispatcher = dispatching(resend_after_s=10.0)
    read(dispatcher)
    cut(dispatcher, 0)
    ack(dispatcher, missing_parts={0: ["picture", "age"]})
    (
        dispatcher.step(heartbeat("d", credit=2, finished=1), 0.0),
        dispatcher.step(heartbeat("a", credit=2, finished=1), 0.0),
    )
    assert dispatcher.step(Tick(), 9.9) == []
    assert dispatcher.step(Tick(), 10.0) == [SendPicture(0), SendCrops("a", "age", 0, 2)]
    dispatcher.step(heartbeat("a", credit=2, finished=2), 11.0)
    assert dispatcher.step(Tick(), 29.9) == []
    assert dispatcher.step(Tick(), 30.0) == [SendPicture(0), SendCrops("a", "age", 0, 3)]


def test_a_slow_worker_is_not_a_lost_one():
    dispatcher = dispatching(resend_after_s=10.0)
    read(dispatcher)
    ack(dispatcher)
    assert dispatcher.step(Tick(), 10.0) == [SendPicture(0)]  # Detect is still at it.
    assert dispatcher.step(Tick(), 30.0) == [SendPicture(0)]
    # After the third stall in a row even what it holds is taken for lost.
    assert dispatcher.step(Tick(), 70.0) == [SendPicture(0), SendFrame("d", 0, 2, 2, ())]


def test_what_a_silent_worker_holds_goes_to_one_that_answers_as_soon_as_that_has_nothing_to_do():
    dispatcher = dispatching(resend_after_s=10.0)
    dispatcher.step(heartbeat("a", credit=16, finished=0), 0.0)
    dispatcher.step(heartbeat("d", credit=3, finished=0), 0.0)
    read(dispatcher, 3)
    for frame in range(3):
        cut(dispatcher, frame)
    dispatcher.step(hello("b", "age", ("barn", 0), 1, "A"), 0.0)
    dispatcher.step(heartbeat("b", credit=2, finished=0), 0.0)
    missing_parts = {frame: ["age"] for frame in range(3)}
    ack(dispatcher, missing_parts=missing_parts, now_s=9.8)
    assert sent_to("b", ack(dispatcher, missing_parts=missing_parts, now_s=9.9)) == []
    assert sent_to("b", dispatcher.step(Tick(), 10.0)) == [0]  # A stall: whatever "a" is at, another one is asked, too.
    assert sent_to("b", dispatcher.step(heartbeat("b", credit=2, finished=1), 10.1)) == []
    # It has answered.
    assert sent_to("b", ack(dispatcher, acked_up_to=1, missing_parts={1: ["age"], 2: ["age"]}, now_s=10.2)) == [1]
    # And no stall for each further.
    assert sent_to("b", dispatcher.step(heartbeat("b", credit=2, finished=2), 10.3)) == [2]
    assert sent_to("b", dispatcher.step(heartbeat("b", credit=2, finished=3), 10.4)) == []


def lied_about(frame: int) -> Dispatcher:
    """A dispatcher whose `a` has no room, and in which the wrong answers for this frame were one too many."""
    dispatcher = dispatching(tries=1, give_up_after_s=5.0)
    dispatcher.step(heartbeat("a", credit=0, finished=0), 0.0)
    dispatcher.step(hello("liar", "age", ("desk", 1), 1, "A"), 0.0)
    dispatcher.step(heartbeat("liar", credit=2, finished=0), 0.0)
    read(dispatcher)
    assert sent_to("liar", cut(dispatcher, frame)) == [frame]
    dispatcher.step(AnswerRefused(frame, "age", dispatcher.number_of("liar"), "is wrong"), 0.0)
    return dispatcher


def test_a_frame_with_too_many_wrong_answers_waits_for_a_worker_that_has_no_room_for_a_moment():
    """As one says that has a task in isolation, of this source or of another."""
    dispatcher = lied_about(0)
    assert sent_to("a", dispatcher.step(heartbeat("a", credit=2, finished=0), 4.0)) == [0]


def test_a_frame_with_too_many_wrong_answers_is_given_up_when_only_those_who_came_later_have_room_for_long():
    dispatcher = lied_about(0)
    dispatcher.step(hello("later", "age", ("desk", 2), 1, "A"), 1.0)
    assert not dispatcher.step(heartbeat("later", credit=2, finished=0), 1.0)
    assert not dispatcher.step(Tick(), 4.0)
    [said] = dispatcher.step(Tick(), 5.0)
    assert said == given_up(0, "age", "age gave 1 answers for this frame that could not be taken")


def test_what_was_dropped_on_its_way_to_a_slow_render_still_counts_against_the_window():
    dispatcher = dispatching(live=True, window=2, deadline_s=1.0)
    dispatcher.step(heartbeat("d", credit=9, finished=0), 0.0)
    read(dispatcher, 2)
    dispatcher.step(Tick(), 1.5)  # Both are late, and dropped; but they lie in the queue of render.
    assert not any(isinstance(action, SendFrame) for action in read(dispatcher, 2, now_s=1.6))
    assert any(isinstance(action, SendFrame) for action in ack(dispatcher, acked_up_to=2, now_s=1.7))


def test_the_end_is_said_until_render_has_closed_its_outputs():
    dispatcher = dispatching()
    assert dispatcher.step(ReadAll(), 0.0) == [end(0)]
    assert dispatcher.step(Tick(), 0.1) == []
    assert dispatcher.step(Tick(), 0.2) == [end(0)]
    assert ack(dispatcher, clean=True, now_s=0.25) == [Finished()]
    assert dispatcher.step(Tick(), 1.0) == []


def test_a_person_who_stops_a_file_takes_back_what_was_not_handed_out():
    dispatcher = dispatching()
    read(dispatcher, 5)  # Two are with detect.
    actions = dispatcher.step(StopReading(), 0.0)
    assert actions == [Forget(4, None), Forget(3, None), Forget(2, None), end(2)]
    assert not dispatcher.may_read(100)


def test_a_camera_drops_the_oldest_frame_that_was_not_handed_out():
    dispatcher = dispatching(live=True, window=3)
    read(dispatcher, 3)
    assert read(dispatcher) == [Forget(2, None), dropped(2, 2, "detect", "queue full")]
    assert dispatcher.in_flight == 3


def test_a_camera_drops_the_newest_frame_when_all_others_are_with_detect():
    dispatcher = dispatching(live=True, window=2)
    read(dispatcher, 2)
    assert read(dispatcher) == [Forget(2, None), dropped(2, 2, "detect", "queue full")]


def test_the_next_frame_is_asked_about_what_a_dropped_one_was_to_be_asked_about():
    dispatcher = dispatching(live=True, window=3)
    for asked in ((), (), ("age",), ()):  # Detect has the first two; the third is dropped for the fourth.
        said = dispatcher.step(Read(100, asked), 0.0)
    assert said == [Forget(2, None), dropped(2, 2, "detect", "queue full")]
    said = dispatcher.step(heartbeat("d", credit=2, finished=1), 0.1)
    assert said == [AskInstead(3, ("age",)), SendFrame("d", 3, 3, 1, ()), SendPicture(3)]
    assert cut(dispatcher, 3)[1:] == [SendCrops("a", "age", 3, 1)]


def test_a_camera_that_always_loses_the_frames_that_a_stage_is_to_be_asked_about_asks_it_all_the_same():
    dispatcher = dispatching(live=True, window=3)
    seen, asked = [], []
    for frame in range(90):
        said = dispatcher.step(Read(100, ("age",) if frame % 3 == 0 else ()), frame / 30)
        if frame % 3 == 1 and seen:
            said += dispatcher.step(heartbeat("d", credit=2, finished=len(seen)), frame / 30)
            asked += [to for acked_up_to in seen for to in sent_to("a", cut(dispatcher, acked_up_to))]
            dispatcher.step(heartbeat("a", credit=2, finished=len(asked)), frame / 30)
            said += ack(dispatcher, acked_up_to=seen[-1] + 1, now_s=frame / 30)
        seen += [action.frame for action in said if isinstance(action, SendFrame)]
    assert len(seen) > 50 and not [frame for frame in seen[1:] if frame % 3 == 0]
    assert len(asked) > 25


def test_drops_are_said_until_they_are_acknowledged_neighbours_in_one_breath():
    dispatcher = dispatching(live=True, window=2)
    read(dispatcher, 4)
    assert dispatcher.step(Tick(), 0.3) == [dropped(2, 3, "detect", "queue full")]
    ack(dispatcher, acked_up_to=4, now_s=0.4)
    assert dispatcher.step(Tick(), 0.6) == []


def test_what_nobody_was_given_has_its_numbers_and_is_said_as_dropped_and_the_next_frame_follows_it():
    dispatcher = dispatching(live=True)
    dispatcher.step(Discarded(14, "stages not ready"), 0.0)
    assert dispatcher.step(Discarded(1, "opening"), 0.3)[-2:] == [
        dropped(0, 13, "capture", "stages not ready"),
        dropped(14, 14, "capture", "opening"),
    ]
    assert any(isinstance(action, SendFrame) and action.frame == 15 for action in read(dispatcher, now_s=0.4))
    ack(dispatcher, acked_up_to=15, now_s=0.5)
    assert dispatcher.in_flight == 1


def test_an_answer_that_is_late_is_given_up_and_a_frame_without_boxes_dropped():
    dispatcher = dispatching(live=True, deadline_s=1.0)
    read(dispatcher, 2)
    cut(dispatcher, 0)
    ack(dispatcher, missing_parts={0: ["age"]})
    actions = dispatcher.step(Tick(), 1.0)
    assert given_up(0, "age", "late") in actions
    assert dropped(1, 1, "detect", "late") in actions


def test_under_overload_attributes_are_given_up_before_frames_are_dropped():
    dispatcher = dispatching(live=True, deadline_s=60.0, window=8)
    said = []
    for frame in range(6):  # `age` has taken two tasks and goes no further
        said += read(dispatcher, now_s=0.1 * frame)
        dispatcher.step(heartbeat("d", credit=2, finished=frame), 0.0)
        said += cut(dispatcher, frame)
    missing_parts = {frame: ["age"] for frame in range(6)}
    said += ack(dispatcher, missing_parts=missing_parts, now_s=0.6)
    assert [a.frame for a in said if isinstance(a, SendCrops)] == [0, 1]
    assert {(a.frame, a.reason) for a in said if isinstance(a, GivenUp)} == {
        (2, "overload"),
        (3, "overload"),
        (4, "overload"),
    }
    assert not any(isinstance(action, Drop) for action in said)
    said = dispatcher.step(heartbeat("a", credit=2, finished=2), 0.7)
    assert [a.frame for a in said if isinstance(a, SendCrops)] == [5]  # the newest


def test_a_stage_is_not_asked_about_a_frame_that_was_read_without_it():
    dispatcher = dispatching()
    dispatcher.step(Read(100, asked=()), 0.0)
    assert not any(isinstance(action, SendCrops) for action in cut(dispatcher, 0))
    # Render waits for all of them until it has the picture.
    said = ack(dispatcher, missing_parts={0: ["picture", "age"]})
    assert not any(isinstance(action, (SendCrops, SendFrame)) for action in [*said, *dispatcher.step(Tick(), 100.0)])


def test_a_stage_that_is_gone_is_not_waited_for():
    dispatcher = dispatching(live=True, deadline_s=60.0, give_up_after_s=5.0)
    dispatcher.step(WorkerDisconnected("a"), 0.0)
    dispatcher.step(Tick(), 0.0)
    read(dispatcher, now_s=4.0)
    cut(dispatcher, 0)
    ack(dispatcher, missing_parts={0: ["age"]}, now_s=4.1)
    assert given_up(0, "age", "stage gone") in dispatcher.step(Tick(), 5.0)


def test_the_newest_picture_of_a_camera_is_offered_one_at_a_time():
    dispatcher = dispatching(live=True)
    ack(dispatcher, preview=0)
    assert SendPreview(0) in read(dispatcher)
    assert not any(isinstance(action, SendPreview) for action in read(dispatcher, 3, now_s=0.1))
    assert SendPreview(3) in ack(dispatcher, preview=1, now_s=0.2)


def test_no_preview_is_offered_where_render_wants_none():
    dispatcher = dispatching(live=True)
    assert not any(isinstance(action, SendPreview) for action in read(dispatcher, 3))


def batching(**rules) -> Dispatcher:
    """A dispatcher of a file whose workers have room for eight tasks each."""
    dispatcher = dispatching(credit=8, **rules)
    for connection in "da":
        dispatcher.step(heartbeat(connection, credit=8, finished=0), 0.0)
    return dispatcher


def given(actions: list) -> list[int]:
    """The frames that are given to detect or an attribute stage."""
    return [action.frame for action in actions if isinstance(action, (SendFrame, SendCrops))]


def test_of_a_file_what_has_come_in_one_turn_goes_out_together_at_its_end():
    dispatcher = batching()
    assert given(read(dispatcher, 5)) == []
    assert given(dispatcher.step(Tick(), 0.0)) == [0, 1, 2, 3, 4]


def test_of_a_file_who_has_something_to_do_is_given_more_when_half_of_its_room_can_be_filled():
    dispatcher = batching()
    read(dispatcher), dispatcher.step(Tick(), 0.0)
    read(dispatcher, 3)
    assert given(dispatcher.step(Tick(), 0.0)) == []
    read(dispatcher, 1)
    assert given(dispatcher.step(Tick(), 0.0)) == [1, 2, 3, 4]


def test_of_a_file_who_has_nothing_to_do_is_given_what_there_is():
    dispatcher = batching()
    read(dispatcher), dispatcher.step(Tick(), 0.0)
    read(dispatcher), dispatcher.step(heartbeat("d", credit=8, finished=1), 0.0)
    assert given(dispatcher.step(Tick(), 0.0)) == [1]


def test_of_a_file_attributes_wait_for_others_as_long_as_detect_has_something_to_do():
    dispatcher = batching()
    read(dispatcher, 8), dispatcher.step(Tick(), 0.0)
    cut(dispatcher, 0)
    assert given(dispatcher.step(Tick(), 0.0)) == [0]  # The first task waits for nobody.
    dispatcher.step(heartbeat("a", credit=8, finished=1), 0.01)
    for frame in (1, 2, 3):
        cut(dispatcher, frame)
    assert given(dispatcher.step(Tick(), 0.02)) == []
    cut(dispatcher, 4)
    assert given(dispatcher.step(Tick(), 0.03)) == [1, 2, 3, 4]


def test_of_a_file_attributes_do_not_wait_long_for_a_detect_that_is_slow():
    dispatcher = batching()
    read(dispatcher, 8), dispatcher.step(Tick(), 0.0)
    cut(dispatcher, 0), dispatcher.step(Tick(), 0.0), dispatcher.step(heartbeat("a", credit=8, finished=1), 0.01)
    cut(dispatcher, 1)
    assert given(dispatcher.step(Tick(), 0.05)) == []
    assert given(dispatcher.step(Tick(), 0.11)) == [1]


def test_of_a_file_the_last_tasks_are_given_as_soon_as_detect_has_nothing_to_do():
    dispatcher = batching()
    read(dispatcher, 2), dispatcher.step(Tick(), 0.0)
    cut(dispatcher, 0), cut(dispatcher, 1)
    assert given(dispatcher.step(Tick(), 0.0)) == [0, 1]


def test_of_a_file_the_workers_of_a_stage_share_the_window():
    dispatcher = batching()
    for replica in (1, 2, 3):
        dispatcher.step(hello(f"d{replica}", "detect", ("desk", replica), 1, "D"), 0.0)
        dispatcher.step(heartbeat(f"d{replica}", credit=8, finished=0), 0.0)
    read(dispatcher, 16)
    held = [a.connection for a in dispatcher.step(Tick(), 0.0) if isinstance(a, SendFrame)]
    assert {c: held.count(c) for c in held} == dict.fromkeys(("d", "d1", "d2", "d3"), 3)
