"""Which tasks go out in isolation, and which are given up."""

from __future__ import annotations

import pytest

from stages.delivery.quarantine import KILLS_ISOLATED, KILLS_TO_QUARANTINE, Quarantine


def quarantine() -> Quarantine:
    return Quarantine(("detect", "age"), tries=3)


@pytest.mark.parametrize(("cause", "how"), [("exit", "ended"), ("hang", "hung")])
def test_what_a_worker_held_that_ended_by_its_own_fault_is_quarantined_and_given_up_after_three_ends_in_isolation(
    cause, how
):
    tasks = quarantine()
    assert [tasks.ended("age", frame, cause, isolated=False) for frame in (7, 8, 7, 7)] == [None] * 4
    assert (tasks.of("age"), tasks.of("detect")) == ({7, 8}, set())
    assert [tasks.ended("age", 7, cause, isolated=True) for _ in range(2)] == [None, None]
    assert tasks.ended("age", 7, cause, isolated=True) == f"age {how} 3 times at this frame"


def test_an_exception_counts_as_an_end_does():
    tasks = quarantine()
    assert [tasks.failed("age", 7, "IndexError", isolated) for isolated in (False, True, True)] == [None] * 3
    assert tasks.failed("age", 7, "IndexError", isolated=True) == "age failed 3 times at this frame: IndexError"


def test_kills_from_outside_quarantine_nothing_unless_they_are_many_over_one_task():
    tasks = quarantine()
    for frame in (7, 8):
        for _ in range(KILLS_TO_QUARANTINE - 1):
            assert tasks.ended("age", frame, "killed", isolated=False) is None
    assert tasks.of("age") == set()
    tasks.ended("age", 7, "killed", isolated=False)
    assert tasks.of("age") == {7}
    assert {tasks.ended("age", 7, "killed", isolated=True) for _ in range(KILLS_ISOLATED - 1)} == {None}
    assert tasks.ended("age", 7, "killed", isolated=True) == "age was killed 10 times at this frame"


def test_what_was_survived_is_quarantined_no_longer_and_of_a_frame_that_is_done_nothing_is_kept():
    tasks = quarantine()
    for frame in (7, 8):
        tasks.ended("age", frame, "exit", isolated=True)
    tasks.clear("age", 7)
    assert tasks.of("age") == {8}
    tasks.forget(8)
    assert tasks.of("age") == set()
    assert [tasks.ended("age", 8, "exit", isolated=True) for _ in range(2)] == [None, None]  # It begins anew.
