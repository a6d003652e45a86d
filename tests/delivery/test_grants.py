"""Nobody answers what was not given to him."""

from __future__ import annotations

import pytest

from stages.delivery.grants import Assignment, Grants

TASK = Assignment(worker=3, frame=7, attempt=2, faces=1, boxes_hash="ab", stage="age")


def test_a_grant_says_which_task_it_is_and_whose():
    assert Grants("key", 5).assignment(Grants("key", 5).sign(TASK)) == TASK
    of_detect = Assignment(worker=1, frame=0, attempt=1, faces=0, boxes_hash="", stage="detect")
    assert Grants("key", 5).assignment(Grants("key", 5).sign(of_detect)) == of_detect


def test_a_grant_of_another_key_or_epoch_is_none():
    grant = Grants("key", 5).sign(TASK)
    assert Grants("another", 5).assignment(grant) is None
    assert Grants("key", 6).assignment(grant) is None


@pytest.mark.parametrize("at", range(0, len(Grants("key", 5).sign(TASK)), 3))
def test_a_grant_of_which_anything_was_changed_is_none(at):
    grant = Grants("key", 5).sign(TASK)
    other = "0" if grant[at] != "0" else "1"
    assert Grants("key", 5).assignment(grant[:at] + other + grant[at + 1 :]) is None


@pytest.mark.parametrize("grant", ["", "x" * 200, None, 5, ["a"], {}, "1 2 3 4 ab age", "\x00", "7 " * 60])
def test_what_is_no_grant_is_none(grant):
    assert Grants("key", 5).assignment(grant) is None


@pytest.mark.parametrize("boxes_hash", ["a b", " ", "1 2 3 age", "\u00e4", "b" * 500])
def test_boxes_that_a_worker_has_given_an_odd_name_are_nobodys_task(boxes_hash):
    grants = Grants("key", 5)
    assert (
        grants.assignment(
            grants.sign(Assignment(worker=3, frame=7, attempt=2, faces=1, boxes_hash=boxes_hash, stage="age"))
        )
        is None
    )
