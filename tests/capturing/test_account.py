"""What capture tells of the run."""

from __future__ import annotations

from stages.capturing.account import Account


def test_render_is_told_how_late_the_frames_since_the_last_time_were():
    account = Account()
    for frame, latency_s in enumerate((0.03, 0.5, 0.04)):
        account.forgotten(frame, latency_s)
    account.forgotten(3, None)  # It was dropped.
    assert [account.lately(), account.lately()] == [0.04, None]
