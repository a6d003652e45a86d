"""Runs that want the same place: the second has another one or is refused, and the first is not disturbed."""

from __future__ import annotations

import os
import signal

import pytest

from tests.end_to_end.command import Ran
from tests.end_to_end.material import FACES


@pytest.fixture
def first(place, endless_film):
    """A run in the middle."""
    return place.start(endless_film, "--set=pace=true").until_lines(3)


def test_a_second_run_finds_a_place_of_its_own_and_says_how_helpers_name_it(place, film, first, shown: Ran):
    second = place.start(film, output="second").end(alone=False)
    assert second.status == 0, second.err
    assert second.results == shown.results
    assert second.err.startswith(
        "facepipe: another run is using port 5600, so this one uses 5601; only stages that you start yourself to help"
        " it need to know: --set port=5601\n"
    )

    same_folder = place.start(film).end(alone=False)
    assert same_folder.status == 2
    assert same_folder.complaint == (
        f"{first.output} is being written to by another run (process {first.pid}); choose another one with --output."
    )

    same_stage = place.stage("render", "--config", "pipeline.yaml", "--set=render.display=none").end(alone=False)
    assert same_stage.status == 2
    assert "port 5600 is taken by another run" in same_stage.err

    ran = first.signal(signal.SIGINT).end()
    assert ran.status == 130
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
    assert len(ran.lines) >= 3


def test_of_a_run_in_parts_each_is_where_the_others_look_for_it(place, film, first):
    part = place.start(film, "--only", "render", output="second").end(alone=False)
    assert (part.status, part.out) == (2, "")
    assert part.err == (
        f"facepipe: port 5600 is taken by another run (process {first.pid}); choose another one: --set port=5700.\n"
    )
    first.signal(signal.SIGINT).end()


def test_results_of_somebody_else_are_not_overwritten(place, film):
    theirs = place.folder / "out/results.jsonl"
    theirs.parent.mkdir()
    theirs.write_text('{"my": "results"}\n')
    ran = place.run(film)
    assert ran.status == 2
    assert ran.complaint.startswith(f"{theirs} was not written by facepipe, or was changed since; move it away")
    assert theirs.read_text() == '{"my": "results"}\n'


def test_files_of_others_in_the_folder_are_left_alone(place, film, shown: Ran):
    others = [place.folder / "out" / name for name in ("notes.txt", "annotated/mine.mp4", "logs/mine.log")]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    for _ in range(2):
        ran = place.run(film)
        assert ran.status == 0, ran.err
    assert ran.results == shown.results
    assert [path.read_text() for path in others] == ["mine"] * 3


def test_a_run_does_not_remove_its_own_source(place, film):
    """What an earlier run has written may be looked at again, with the results in the same folder."""
    assert place.run(film).status == 0
    annotated = place.folder / "out/annotated/film.mp4"
    before = annotated.read_bytes()
    again = place.run(annotated)
    if again.status == 2:
        assert annotated.read_bytes() == before  # Refusing is in order.
    else:
        assert (again.status, len(again.lines)) == (0, len(FACES)), again.err


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_an_output_folder_that_cannot_be_is_refused(place, film, kind):
    blocked = place.folder / "blocked"
    blocked.write_text("not a folder")
    ran = place.run(film, output="blocked" if kind == "a file" else "blocked/out")
    assert ran.status == 2
    assert str(blocked) in ran.complaint and "choose another folder with --output." in ran.complaint
    assert blocked.read_text() == "not a folder"


def test_an_output_that_fails_in_the_middle_ends_the_run_and_names_itself(place, film):
    (place.folder / "out").mkdir()
    (place.folder / "out/annotated").write_text("where the video should go")
    ran = place.run(film)
    assert ran.status == 1
    assert str(place.folder / "out/annotated") in ran.complaint
    assert (place.folder / "out/annotated").read_text() == "where the video should go"


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
