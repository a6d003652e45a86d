"""Whatever dies, stands still or is started again: the results are those of an undisturbed run."""

from __future__ import annotations

import signal

import pytest

from tests.chaos.killing import STAGES, compare, frames_of
from tests.end_to_end.command import Ran
from tests.end_to_end.material import FACES, scene, write_clip

PACED = "--set=pace=true"
QUICKLY = "--set=hang=2"


@pytest.fixture(scope="session")
def calm(slow_film, tmp_path_factory) -> Ran:
    """The slow film, run undisturbed and as fast as it can be analysed."""
    from tests.end_to_end.command import somewhere

    with somewhere(tmp_path_factory.mktemp("calm")) as here:
        return here.run(slow_film)


def assert_same(ran: Ran, calm: Ran) -> None:
    assert ran.status == 0, ran.err
    assert ran.results == calm.results
    assert frames_of(ran.output / "annotated/slow.mp4") == len(FACES)
    left = [path.name for path in (ran.output / "annotated").iterdir()]
    assert left == ["slow.mp4"]


# --- The promise ---


def test_kills_of_every_stage_and_a_hang_change_nothing(place, astronaut, tmp_path):
    clip = write_clip(tmp_path / "slow.mp4", [scene(astronaut, number % len(FACES)) for number in range(320)])
    came = compare(place, clip, QUICKLY, seed=3, kills=9, every_s=0.6, stops=1, timeout_s=110)
    assert came.disturbed.status == 0, came.disturbed.err
    assert came.differences == 0
    assert frames_of(came.disturbed.output / "annotated/slow.mp4") == 320
    assert sum(came.kills.values()) >= 8 and set(came.kills | came.stops) == set(STAGES)
    assert came.restarts >= 9
    [source] = came.disturbed.summary["sources"]
    assert (source["captured"], source["rendered"], source["dropped"]) == (320, 320, [])
    assert source["faces"] == came.calm.summary["sources"][0]["faces"]


def test_all_stages_killed_at_once(place, slow_film, calm):
    run = place.start(slow_film, PACED, QUICKLY).until_lines(6)
    for process in [process for stage in run.stages().values() for process in stage]:
        process.kill()
    assert_same(run.end(), calm)


def test_render_killed_at_the_end_while_it_joins_the_video_or_just_after(place, slow_film, calm):
    run = place.start(slow_film, "--set=pace=false", QUICKLY).until_lines(len(FACES) - 1)
    run.stages()["render"][0].kill()
    assert_same(run.end(), calm)


# --- The launcher itself ---


def test_a_run_whose_launcher_was_killed_goes_on_where_its_outputs_end(place, slow_film, calm):
    killed = place.start(slow_film, PACED).until_lines(9).signal(signal.SIGKILL).end()
    assert len(killed.lines) < len(FACES)
    refused = place.run(slow_film)
    assert refused.status == 2
    assert "holds a run that was broken off; --resume goes on with it, --fresh replaces it" in refused.complaint
    other = place.run(slow_film, "--resume", "--detector", "dlib")
    assert other.status == 2
    assert "stages.detect is not what the run in" in other.complaint
    assert other.results == killed.results
    assert_same(place.run(slow_film, "--resume"), calm)
    again = place.run(slow_film, "--resume")
    assert (again.status, again.results) == (0, calm.results)
    assert "is finished; there is nothing to resume" in again.err


def test_a_run_that_a_person_has_stopped_can_go_on_too(place, slow_film, calm):
    stopped = place.start(slow_film, PACED).until_lines(9).signal(signal.SIGINT).end()
    assert stopped.status == 130
    assert_same(place.run(slow_film, "--resume"), calm)


def test_resume_begins_a_run_where_there_is_none(place, slow_film, calm):
    assert_same(place.run(slow_film, "--resume"), calm)
