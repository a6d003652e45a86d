"""Two captures cannot hold the lease of one source, and a successor need not wait for long."""

from __future__ import annotations

from stages.delivery.lease import LeaseState, SourceLease

GRANTED, PENDING, DENIED = LeaseState


def test_the_first_capture_has_the_name_and_keeps_it():
    lease = SourceLease()
    assert [lease.hello("a", now_s) for now_s in (0.0, 0.2, 9.0)] == [GRANTED, GRANTED, GRANTED]


def test_a_second_one_is_refused_while_the_first_still_sends_heartbeats():
    lease = SourceLease()
    lease.hello("a", 0.0)
    assert lease.hello("b", 0.1) is PENDING
    assert lease.hello("a", 0.2) is GRANTED
    assert lease.hello("b", 0.3) is DENIED
    assert lease.hello("a", 0.4) is GRANTED


def test_a_successor_waits_until_its_predecessor_has_been_silent_for_a_second():
    lease = SourceLease()
    lease.hello("a", 0.0)
    assert [lease.hello("b", now_s) for now_s in (0.5, 0.9, 1.1)] == [PENDING, PENDING, GRANTED]
    assert lease.hello("a", 1.2) is PENDING  # It was only slow: now it is the one too many.
    lease.hello("b", 1.3)
    assert lease.hello("a", 1.4) is DENIED


def test_a_successor_of_one_whose_connection_is_gone_need_not_wait():
    lease = SourceLease()
    lease.hello("a", 0.0)
    lease.lost()
    assert lease.hello("b", 0.1) is GRANTED
