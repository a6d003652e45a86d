"""Runs that want the same place: the second has another one or is refused, and the first is not disturbed."""

from __future__ import annotations

import os
import signal

import pytest

from tests.end_to_end.command import Ran


def test_a_second_run_finds_a_place_of_its_own_and_says_which_one(place, endless_film, film, shown: Ran):
    first = place.start(endless_film, "--set=pace=true").until_lines(3)
    second = place.start(film, output="second").end(alone=False).succeeded()
    assert second.results == shown.results
    assert second.err.startswith("facepipe: port 5600 is in use, so this run uses 5601\n")

    same_folder = place.start(film).end(alone=False)
    assert same_folder.status == 2
    assert same_folder.complaint == (
        f"{first.output} is being written to by another run (process {first.pid}); choose another one with --output."
    )

    part = place.start(film, "--only", "render", output="third").end(alone=False)  # where the others look for it
    assert (part.status, part.out) == (2, "")
    assert part.err == (
        f"facepipe: port 5600 is taken by another run (process {first.pid}); choose another one: --set port=5700.\n"
    )

    ran = first.signal(signal.SIGINT).end()
    assert ran.status == 130
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
    assert len(ran.lines) >= 3


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files, which POSIX has")
def test_a_full_disk_ends_the_run_and_what_was_written_is_whole(place, slow_film):
    import resource

    def no_large_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # Then writing fails, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    ran = place.run(slow_film, "--set=pace=true", preexec_fn=no_large_files)
    assert ran.status == 1
    assert "cannot write" in ran.complaint and "File too large" in ran.complaint
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
