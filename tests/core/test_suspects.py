"""Which pieces go out alone, and which are given up."""

from __future__ import annotations

import pytest

from stages.core.suspects import KILLS_ALONE, KILLS_SUSPECT, Suspects


def suspects() -> Suspects:
    return Suspects(("detect", "age"), tries=3)


@pytest.mark.parametrize(("cause", "how"), [("exit", "ended"), ("hang", "hung")])
def test_what_a_worker_held_that_ended_by_its_own_doing_is_suspect_and_given_up_after_three_ends_alone(cause, how):
    pieces = suspects()
    assert [pieces.ended("age", frame, cause, alone=False) for frame in (7, 8, 7, 7)] == [None] * 4
    assert (pieces.of("age"), pieces.of("detect")) == ({7, 8}, set())
    assert [pieces.ended("age", 7, cause, alone=True) for _ in range(2)] == [None, None]
    assert pieces.ended("age", 7, cause, alone=True) == f"age {how} 3 times at this frame"


def test_an_exception_counts_as_an_end_does():
    pieces = suspects()
    assert [pieces.failed("age", 7, "IndexError", alone) for alone in (False, True, True)] == [None] * 3
    assert pieces.failed("age", 7, "IndexError", alone=True) == "age failed 3 times at this frame: IndexError"


def test_kills_from_outside_make_nothing_suspect_unless_they_are_many_over_one_piece():
    pieces = suspects()
    for frame in (7, 8):
        for _ in range(KILLS_SUSPECT - 1):
            assert pieces.ended("age", frame, "killed", alone=False) is None
    assert pieces.of("age") == set()
    pieces.ended("age", 7, "killed", alone=False)
    assert pieces.of("age") == {7}
    assert {pieces.ended("age", 7, "killed", alone=True) for _ in range(KILLS_ALONE - 1)} == {None}
    assert pieces.ended("age", 7, "killed", alone=True) == "age was killed 10 times at this frame"


def test_what_was_survived_is_suspect_no_longer_and_of_a_frame_that_is_done_nothing_is_kept():
    pieces = suspects()
    for frame in (7, 8):
        pieces.ended("age", frame, "exit", alone=True)
    pieces.clear("age", 7)
    assert pieces.of("age") == {8}
    pieces.forget(8)
    assert pieces.of("age") == set()
    assert [pieces.ended("age", 8, "exit", alone=True) for _ in range(2)] == [None, None]  # It begins anew.
