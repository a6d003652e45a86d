"""Results in pieces: a real run that is killed and stopped has the bytes of one file, and is read as one run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import facepipe
from stages.people.__main__ import main as people
from stages.report.__main__ import main as report
from stages.results.jsonl import lines_of
from stages.results.pieces import number_of, pieces_in
from tests.end_to_end.command import Ran, Workplace, somewhere
from tests.end_to_end.material import scene
from tests.end_to_end.server import camera
from tests.sinks.clips import frames_in

ROTATE, PACED = "--set=render.rotate=2s", "--set=pace=true"


def joined(ran: Ran, name: str) -> bytes:
    return b"".join((path / name).read_bytes() for path in pieces_in(ran.output))


@pytest.fixture(scope="module")
def rotated(slow_film, tmp_path_factory) -> Ran:
    """Eight seconds in pieces of two, whose render was killed in the second, and which was stopped in the third."""
    with somewhere(tmp_path_factory.mktemp("rotated")) as here:
        run = here.start(slow_film, ROTATE, PACED).until(lambda: _pieces(here) == 2, "a second piece")
        run.stages()["render"][0].kill()
        stopped = run.until(lambda: _pieces(here) == 3, "a third piece").signal(signal.SIGINT).end()
        assert stopped.status == 130, stopped.err
        return here.run(slow_film, ROTATE, "--resume")


def test_a_run_in_pieces_whose_render_is_killed_has_the_bytes_of_one_file(calm, rotated):
    assert rotated.status == 0, rotated.err
    assert joined(rotated, "results.jsonl") == calm.results
    assert joined(rotated, "events.jsonl") == calm.events
    assert [frames_in(path / "annotated/slow.mp4") for path in pieces_in(rotated.output)] == [8, 8, 8, 8]
    assert rotated.summary["sources"][0]["rendered"] == 32


def test_what_reads_results_takes_the_pieces_as_one_run(calm, rotated):
    whole, pieces = (list(map(repr, facepipe.read(ran.output).frames())) for ran in (calm, rotated))
    assert pieces == whole and len(whole) == 32
    before = joined(rotated, "events.jsonl")
    for ran in (calm, rotated):
        assert people([str(ran.output), "--csv", "--events"]) == 0
        assert report([str(ran.output), "--csv"]) == 0
    for table in ("seconds.csv", "faces.csv"):
        assert (rotated.output / table).read_bytes() == (calm.output / table).read_bytes()
    assert joined(rotated, "events.jsonl") == before
    assert b"pieces/000001/annotated/slow.mp4" in (rotated.output / "people.csv").read_bytes()


def test_the_report_of_a_run_in_pieces_has_its_faces_from_the_videos_of_the_pieces(calm, rotated, monkeypatch):
    monkeypatch.setattr("stages.report.cut.unchanged_file", lambda *_: None)  # As of a camera.
    for ran in (calm, rotated):
        assert report([str(ran.output)]) == 0
    whole, pieces = ((ran.output / "report.html").read_text().count("data:image/jpeg") for ran in (calm, rotated))
    assert pieces == whole > 0


def test_a_stream_gives_the_frames_of_all_pieces(slow_film, tmp_path):
    overrides = {"render.rotate": "1s", "stages.detect.detector": "haar"}
    with facepipe.stream(slow_film, output=tmp_path / "out", overrides=overrides) as frames:
        assert [frame.frame for frame in frames] == list(range(32))
    assert len(pieces_in(tmp_path / "out")) == 8


def test_a_finished_run_in_pieces_is_not_run_again(rotated, slow_film):
    with somewhere(rotated.output.parent) as here:
        again = here.run(slow_film, ROTATE, "--resume", output=rotated.output.name)
    assert again.status == 0 and "finished" in again.err + again.out


def test_a_camera_in_pieces_keeps_the_newest_of_them_and_counts_every_frame(place, astronaut):
    with camera(lambda number: scene(astronaut, number), rate=15) as live:
        run = place.start(live.url, "--set=render.rotate=1s", "--set=render.keep=2s", "--set=reconnect=1")
        run.until(lambda: _newest(run.output) >= 3, "a third piece").stages()["render"][0].kill()
        run.until(lambda: _newest(run.output) >= 7, "a seventh piece")
        live.ended.set()
        ran = run.end().succeeded()
    pieces = pieces_in(ran.output)
    assert number_of(pieces[0].name) > 1 and 2 <= len(pieces) <= 4
    frames = [line.frame for path in pieces for line in lines_of(path / "results.jsonl")]
    assert frames == sorted(set(frames))
    [source] = ran.summary["sources"]
    dropped = sum(drop["count"] for drop in source["dropped"])
    assert source["captured"] == source["rendered"] + dropped + source["unaccounted"]
    assert source["rendered"] > len(frames)  # Those of the pieces that are deleted count.
    for path in pieces:
        first = next(lines_of(path / "results.jsonl"))
        assert path.name.endswith(first.clock[:19].replace(":", "-"))


def _newest(output: Path) -> int:
    return max((number_of(path.name) for path in pieces_in(output) if path != output), default=0)


def _pieces(here: Workplace) -> int:
    return len(pieces_in(here.folder / "out")) if (here.folder / "out").exists() else 0
