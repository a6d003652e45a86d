"""Two captures cannot speak for one source, and a successor need not wait for long."""

from __future__ import annotations

from stages.core.claim import Claim


def test_the_first_capture_has_the_name_and_keeps_it():
    claim = Claim()
    assert [claim.hello("a", now_s) for now_s in (0.0, 0.2, 9.0)] == [True, True, True]


def test_a_second_one_is_refused_while_the_first_still_beats():
    claim = Claim()
    claim.hello("a", 0.0)
    assert claim.hello("b", 0.1) is None
    assert claim.hello("a", 0.2) is True
    assert claim.hello("b", 0.3) is False
    assert claim.hello("a", 0.4) is True


def test_a_successor_waits_until_its_predecessor_has_been_silent_for_a_second():
    claim = Claim()
    claim.hello("a", 0.0)
    assert [claim.hello("b", now_s) for now_s in (0.5, 0.9, 1.1)] == [None, None, True]
    assert claim.hello("a", 1.2) is None  # It was only slow: now it is the one too many.
    claim.hello("b", 1.3)
    assert claim.hello("a", 1.4) is False


def test_a_successor_of_one_whose_connection_is_gone_need_not_wait():
    claim = Claim()
    claim.hello("a", 0.0)
    claim.lost()
    assert claim.hello("b", 0.1) is True
