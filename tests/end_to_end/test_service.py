"""A service goes on by itself after whatever has ended it."""

from __future__ import annotations

import signal

from tests.end_to_end.command import eventually
from tests.end_to_end.material import scene
from tests.end_to_end.server import camera


def test_a_service_goes_on_after_kill_9_ends_well_with_sigterm_and_keeps_what_it_cannot_go_on_with(place, astronaut):
    with camera(lambda number: scene(astronaut, number), rate=15) as door:
        run = place.start(door.url, "--service").until_lines(6)
        run.signal(signal.SIGKILL).end(alone=False)
        eventually(lambda: place.processes() == [], "the stages have ended")

        before = run.line_count
        ran = place.start(door.url, "--service").until_lines(before + 4).signal(signal.SIGTERM).end()
        assert ran.status == 0, ran.err
        assert "goes on at frame" in ran.err
        times = [line["time"] for line in ran.lines]
        assert times == sorted(set(times))

        (ran.output / "run.json").write_bytes(b"")
        again = place.start(door.url, "--service")
        again.output = place.folder / "out-2"
        anew = again.until_lines(3).signal(signal.SIGTERM).end()
        assert anew.status == 0, anew.err
        assert "it stays as it is, and this run begins" in anew.err
        assert [line["time"] for line in ran.lines] == times
        results, summary = anew.results, anew.summary

    waits = place.start(door.url, "--service", output="out-2")
    waits.until(lambda: "waiting as long as it takes for it" in waits.err, "the wait")
    ended = waits.signal(signal.SIGTERM).end()
    assert (ended.status, ended.results, ended.summary) == (0, results, summary)
