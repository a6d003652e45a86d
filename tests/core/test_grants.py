"""Nobody answers what was not given to him."""

from __future__ import annotations

import pytest

from stages.core.grants import Grants, Task

TASK = Task(worker=3, frame=7, attempt=2, faces=1, boxes="ab", stage="age")


def test_a_grant_says_which_task_it_is_and_whose():
    assert Grants("key", 5).task(Grants("key", 5).sign(TASK)) == TASK
    of_detect = Task(worker=1, frame=0, attempt=1, faces=0, boxes="", stage="detect")
    assert Grants("key", 5).task(Grants("key", 5).sign(of_detect)) == of_detect


def test_a_grant_of_another_key_or_epoch_is_none():
    grant = Grants("key", 5).sign(TASK)
    assert Grants("another", 5).task(grant) is None
    assert Grants("key", 6).task(grant) is None


@pytest.mark.parametrize("at", range(0, len(Grants("key", 5).sign(TASK)), 3))
def test_a_grant_of_which_anything_was_changed_is_none(at):
    grant = Grants("key", 5).sign(TASK)
    other = "0" if grant[at] != "0" else "1"
    assert Grants("key", 5).task(grant[:at] + other + grant[at + 1 :]) is None


@pytest.mark.parametrize("grant", ["", "x" * 200, None, 5, ["a"], {}, "1 2 3 4 ab age", "\x00", "7 " * 60])
def test_what_is_no_grant_is_none(grant):
    assert Grants("key", 5).task(grant) is None


@pytest.mark.parametrize("boxes", ["a b", " ", "1 2 3 age", "\u00e4", "b" * 500])
def test_boxes_that_a_worker_has_given_an_odd_name_are_nobodys_task(boxes):
    grants = Grants("key", 5)
    assert grants.task(grants.sign(Task(worker=3, frame=7, attempt=2, faces=1, boxes=boxes, stage="age"))) is None
