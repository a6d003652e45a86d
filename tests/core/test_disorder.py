"""What happens on purpose is drawn from a seed."""

from __future__ import annotations

import pytest

from stages.core.config import Chaos
from stages.core.disorder import Disorder
from stages.core.messages import Beat, Refused, kinds, pack, unpack


def course(chaos: Chaos, life: int = 0, every_s: float = 0.1) -> list:
    disorder = Disorder(chaos, "age", 0, life)
    return [disorder.fates(every_s * number) for number in range(1000)]


def test_without_a_fault_every_message_is_sent_at_once():
    assert course(Chaos()) == [[(0.1 * number, False)] for number in range(1000)]


def test_the_same_seed_gives_the_same_course_and_another_life_another():
    chaos = Chaos(drop=0.5, duplicate=0.5)
    assert course(chaos) == course(chaos) != course(chaos, life=1)


def test_shares_are_kept():
    fates = course(Chaos(drop=0.2, duplicate=0.1, corrupt=0.3))
    sent = [fate for fate in fates if fate]
    assert 150 < len(fates) - len(sent) < 250
    assert 50 < sum(len(fate) == 2 for fate in sent) < 110
    assert 190 < sum(fate[0][1] for fate in sent) < 290


def test_late_messages_stay_in_order_and_only_those_to_be_reordered_are_overtaken():
    late = [fate[0][0] for fate in course(Chaos(delay=1.0))]
    assert late == sorted(late)
    overtaken = [fate[0][0] for fate in course(Chaos(reorder=0.2), every_s=0.01)]
    assert 150 < sum(due_s > 0.01 * number for number, due_s in enumerate(overtaken)) < 250
    assert overtaken != sorted(overtaken)


def test_a_spoilt_header_is_never_taken_for_another_message():
    beat = Beat(run="r", stage="age", replica=0, incarnation=7, room=2, finished=300)
    [header] = pack(beat)
    disorder = Disorder(Chaos(), "age", 0, 0)
    for _ in range(200):
        with pytest.raises(Refused):
            unpack([disorder.spoil(header)], kinds(Beat))


def test_a_process_ends_between_two_answers_where_it_is_told_to():
    disorder = Disorder(Chaos(crash_between=[3], slow=0.5), "detect", 0, 0)
    assert [disorder.ends_between(frame) for frame in range(2, 5)] == [False, True, False]
    assert disorder.slow_s == 0.5


def test_frames_have_their_deeds():
    disorder = Disorder(Chaos(crash_at=[3], hang_at=[4], fail_at=[5]), "age", 0, 0)
    assert [disorder.deed(frame) for frame in range(2, 7)] == [None, "crash", "hang", "fail", None]
