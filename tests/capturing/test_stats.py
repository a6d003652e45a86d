"""What capture tells of the run."""

from __future__ import annotations

from stages.capturing.stats import CaptureStats


def test_render_is_told_how_late_the_frames_since_the_last_time_were():
    stats = CaptureStats()
    for frame, latency_s in enumerate((0.03, 0.5, 0.04)):
        stats.forgotten(frame, latency_s)
    stats.forgotten(3, None)  # It was dropped.
    assert [stats.lately(), stats.lately()] == [0.04, None]
