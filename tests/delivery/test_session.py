"""The session of a worker at one capture."""

from __future__ import annotations

import numpy as np
import pytest

from stages.delivery.session import WorkerSession
from stages.protocol.messages import Finish, Frame, Isolate, Welcome, WorkerRefused

PIXELS = np.zeros((1, 1, 3), np.uint8)


def welcome(run: str = "r", epoch: int = 1, session_id: int = 1, credit: int = 2) -> Welcome:
    return Welcome(run=run, epoch=epoch, source="s", session_id=session_id, credit=credit)


def task(seq: int, run: str = "r", epoch: int = 1) -> Frame:
    return Frame(
        run=run, epoch=epoch, source="s", frame=seq, seq=seq, attempt=1, skip=[], geometries=[], arrays=(PIXELS,)
    )


def test_a_welcome_is_answered_with_a_hello_every_time_and_starts_anew_only_with_something_new():
    session = WorkerSession()
    assert session.take(welcome())
    session.take(task(1))
    assert session.take(welcome()) and len(session.waiting) == 1
    assert session.take(welcome(session_id=2)) and not session.waiting


def test_a_new_incarnation_of_capture_clears_the_session():
    session = WorkerSession()
    session.take(welcome()), session.take(task(1))
    session.answered(session.waiting.popleft())
    assert session.finished == 1
    session.take(task(2)), session.take(welcome(epoch=2))
    assert (session.finished, list(session.waiting)) == (0, [])


def test_work_of_another_run_or_epoch_is_ignored_and_counted():
    session = WorkerSession()
    session.take(welcome())
    session.take(task(1, run="other")), session.take(task(1, epoch=9))
    assert (list(session.waiting), session.ignored) == ([], 2)


@pytest.mark.parametrize("later", [{"epoch": 2}, {"session_id": 2}])
def test_an_answer_to_work_from_before_the_last_welcome_is_not_counted_as_finished(later):
    session = WorkerSession()
    session.take(welcome()), session.take(task(5))
    old = session.waiting.popleft()
    session.take(welcome(**later))
    session.answered(old)
    assert session.finished == 0


def test_finish_of_this_epoch_ends_the_service_and_a_late_one_of_another_does_not():
    session = WorkerSession()
    session.take(welcome())
    session.take(Finish(run="r", epoch=7, source="s"))
    assert not session.served
    session.take(Finish(run="r", epoch=1, source="s"))
    assert session.served
    session.take(welcome(run="next", epoch=2))
    assert not session.served


def test_a_refusal_is_kept_with_its_reason():
    session = WorkerSession()
    session.take(welcome()), session.take(WorkerRefused(run="r", reason="another card"))
    assert session.refused == "another card"


def test_capture_has_to_hear_at_once_what_is_finished_when_it_can_send_nothing_more():
    session = WorkerSession()
    session.take(welcome()), session.take(task(1))
    session.state(2)
    session.answered(session.waiting.popleft())
    assert not session.credit_is_spent  # One more can be sent: the regular heartbeat is soon enough.
    session.take(task(2))
    assert session.credit_is_spent
    session.mark_reported()
    assert not session.credit_is_spent


def batching(task_s: float) -> WorkerSession:
    """A session whose capture gives up to eight tasks, after work at tasks that took so long each."""
    session = WorkerSession()
    session.take(welcome(credit=8))
    session.worked(5 * task_s, 5)
    return session


def test_tasks_that_take_little_travel_in_batches_and_those_that_take_long_do_not():
    assert batching(0.003).credit == 8 and batching(0.2).credit == 2
    assert 2 < batching(0.03).credit < 8


def test_before_anything_is_known_of_the_work_and_of_a_camera_there_are_no_batches():
    session = WorkerSession()
    session.take(welcome(credit=8))
    assert (session.credit, session.linger_s) == (2, 0.0)
    session.take(welcome(session_id=2, credit=2)), session.worked(0.001, 1)
    assert (session.credit, session.linger_s) == (2, 0.0)


def test_answers_wait_for_others_in_a_batch_but_not_that_of_a_task_taken_alone():
    session = batching(0.003)
    assert 0 < session.linger_s <= 0.1
    session.take(Isolate(run="r", epoch=1, source="s"))
    assert session.ready_for_isolation() and session.linger_s == 0.0


def test_where_tasks_travel_in_batches_every_answer_is_told_for_capture_waits_for_several():
    session = batching(0.003)
    session.take(task(1)), session.answered(session.waiting.popleft())
    assert session.credit_is_spent
