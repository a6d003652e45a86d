"""What lies on a worker's desk."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.desk import Desk
from stages.core.messages import Finish, Frame, Reserve, Welcome, WorkerRefused

PIXELS = np.zeros((1, 1, 3), np.uint8)


def welcome(run: str = "r", epoch: int = 1, account: int = 1, room: int = 2) -> Welcome:
    return Welcome(run=run, epoch=epoch, source="s", account=account, room=room)


def piece(seq: int, run: str = "r", epoch: int = 1) -> Frame:
    return Frame(
        run=run, epoch=epoch, source="s", frame=seq, seq=seq, attempt=1, skip=[], geometries=[], arrays=(PIXELS,)
    )


def test_a_welcome_is_answered_with_a_hello_every_time_and_starts_anew_only_with_something_new():
    desk = Desk()
    assert desk.take(welcome())
    desk.take(piece(1))
    assert desk.take(welcome()) and len(desk.waiting) == 1
    assert desk.take(welcome(account=2)) and not desk.waiting


def test_a_new_incarnation_of_capture_sweeps_the_desk():
    desk = Desk()
    desk.take(welcome()), desk.take(piece(1))
    desk.answered(desk.waiting.popleft())
    assert desk.finished == 1
    desk.take(piece(2)), desk.take(welcome(epoch=2))
    assert (desk.finished, list(desk.waiting)) == (0, [])


def test_work_of_another_run_or_epoch_is_ignored_and_counted():
    desk = Desk()
    desk.take(welcome())
    desk.take(piece(1, run="other")), desk.take(piece(1, epoch=9))
    assert (list(desk.waiting), desk.ignored) == ([], 2)


@pytest.mark.parametrize("later", [{"epoch": 2}, {"account": 2}])
def test_an_answer_to_work_from_before_the_last_welcome_is_not_counted_as_finished(later):
    desk = Desk()
    desk.take(welcome()), desk.take(piece(5))
    old = desk.waiting.popleft()
    desk.take(welcome(**later))
    desk.answered(old)
    assert desk.finished == 0


def test_finish_of_this_epoch_ends_the_service_and_a_late_one_of_another_does_not():
    desk = Desk()
    desk.take(welcome())
    desk.take(Finish(run="r", epoch=7, source="s"))
    assert not desk.served
    desk.take(Finish(run="r", epoch=1, source="s"))
    assert desk.served
    desk.take(welcome(run="next", epoch=2))
    assert not desk.served


def test_a_refusal_is_kept_with_its_reason():
    desk = Desk()
    desk.take(welcome()), desk.take(WorkerRefused(run="r", reason="another card"))
    assert desk.refused == "another card"


def test_capture_has_to_hear_at_once_what_is_finished_when_it_can_send_nothing_more():
    desk = Desk()
    desk.take(welcome()), desk.take(piece(1))
    desk.answered(desk.waiting.popleft())
    assert not desk.credit_is_spent  # One more can be sent: the regular beat is soon enough.
    desk.take(piece(2))
    assert desk.credit_is_spent
    desk.told()
    assert not desk.credit_is_spent


def gathering(piece_s: float) -> Desk:
    """A desk whose capture gives up to eight pieces, after work at pieces that took so long each."""
    desk = Desk()
    desk.take(welcome(room=8))
    desk.worked(5 * piece_s, 5)
    return desk


def test_pieces_that_take_little_are_gathered_and_those_that_take_long_are_not():
    assert gathering(0.003).room == 8 and gathering(0.2).room == 2
    assert 2 < gathering(0.03).room < 8


def test_before_anything_is_known_of_the_work_and_of_a_camera_nothing_is_gathered():
    desk = Desk()
    desk.take(welcome(room=8))
    assert (desk.room, desk.held_s) == (2, 0.0)
    desk.take(welcome(account=2, room=2)), desk.worked(0.001, 1)
    assert (desk.room, desk.held_s) == (2, 0.0)


def test_answers_wait_for_others_where_pieces_are_gathered_but_not_that_of_a_piece_taken_alone():
    desk = gathering(0.003)
    assert 0 < desk.held_s <= 0.1
    desk.take(Reserve(run="r", epoch=1, source="s"))
    assert desk.clear_for_one() and desk.held_s == 0.0


def test_where_pieces_are_gathered_every_answer_is_told_for_capture_waits_for_several():
    desk = gathering(0.003)
    desk.take(piece(1)), desk.answered(desk.waiting.popleft())
    assert desk.credit_is_spent
