"""Faults are drawn from a seed."""

from __future__ import annotations

import pytest

from stages.config.schema import Chaos
from stages.protocol.messages import Heartbeat, Refused, kinds, pack, unpack
from stages.transport.faults import FaultInjector


def course(chaos: Chaos, life: int = 0, every_s: float = 0.1) -> list:
    injector = FaultInjector(chaos, "age", 0, life)
    return [injector.schedule(every_s * number) for number in range(1000)]


def test_without_a_fault_every_message_is_sent_at_once():
    assert course(Chaos()) == [[(0.1 * number, False)] for number in range(1000)]


def test_the_same_seed_gives_the_same_course_and_another_life_another():
    chaos = Chaos(drop=0.5, duplicate=0.5)
    assert course(chaos) == course(chaos) != course(chaos, life=1)


def test_shares_are_kept():
    schedules = course(Chaos(drop=0.2, duplicate=0.1, corrupt=0.3))
    sent = [sending for sending in schedules if sending]
    assert 150 < len(schedules) - len(sent) < 250
    assert 50 < sum(len(sending) == 2 for sending in sent) < 110
    assert 190 < sum(sending[0][1] for sending in sent) < 290


def test_late_messages_stay_in_order_and_only_those_to_be_reordered_are_overtaken():
    late = [sending[0][0] for sending in course(Chaos(delay=1.0))]
    assert late == sorted(late)
    overtaken = [sending[0][0] for sending in course(Chaos(reorder=0.2), every_s=0.01)]
    assert 150 < sum(due_s > 0.01 * number for number, due_s in enumerate(overtaken)) < 250
    assert overtaken != sorted(overtaken)


def test_a_corrupt_header_is_never_taken_for_another_message():
    heartbeat = Heartbeat(run="r", stage="age", replica=0, incarnation=7, credit=2, finished=300)
    [header] = pack(heartbeat)
    injector = FaultInjector(Chaos(), "age", 0, 0)
    for _ in range(200):
        with pytest.raises(Refused):
            unpack([injector.corrupt(header)], kinds(Heartbeat))


def test_a_process_ends_between_two_answers_where_it_is_told_to():
    injector = FaultInjector(Chaos(crash_between=[3], slow=0.5), "detect", 0, 0)
    assert [injector.crashes_between(frame) for frame in range(2, 5)] == [False, True, False]
    assert injector.slow_s == 0.5


def test_frames_have_their_faults():
    injector = FaultInjector(Chaos(crash_at=[3], hang_at=[4], fail_at=[5]), "age", 0, 0)
    assert [injector.fault_at(frame) for frame in range(2, 7)] == [None, "crash", "hang", "fail", None]
