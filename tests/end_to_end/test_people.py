"""Events of a run are the same whatever dies, and grow only: programs that follow them miss nothing."""

from __future__ import annotations

import json
import signal

from stages.people.log import follow
from tests.end_to_end.command import Ran
from tests.end_to_end.material import scene, write_picture

AREAS = ("--set=zones.left=[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]", "--set=lines.middle=[[0.5, 1], [0.5, 0]]")
PACED = "--set=pace=true"


def told(ran: Ran) -> list[str]:
    return [json.loads(text)["event"] for text in ran.events.splitlines()]


def test_a_run_that_is_stopped_killed_and_gone_on_with_has_the_events_of_one_that_is_not(place, slow_film):
    calm = place.run(slow_film, *AREAS, output="calm")
    assert {"appeared", "entered", "exited", "left"} <= set(told(calm))
    assert told(calm).count("appeared") == told(calm).count("left")
    stopped = place.start(slow_film, *AREAS, PACED).until_lines(9).signal(signal.SIGINT).end()
    before = told(stopped)
    assert calm.events.startswith(stopped.events) and before.count("left") < before.count("appeared")
    [*_, (position, _)] = follow(stopped.output / "events.jsonl")
    run = place.start(slow_film, *AREAS, PACED, "--resume").until_lines(14)
    run.stages()["render"][0].kill()
    went_on = run.end()
    assert went_on.status == 0, went_on.err
    assert went_on.events == calm.events and went_on.results == calm.results
    later = [event["event"] for _, event in follow(went_on.output / "events.jsonl", position)]
    assert before + later == told(calm)


def test_pictures_and_faces_without_ids_have_no_events(place, film, astronaut, tmp_path):
    (tmp_path / "shots").mkdir()
    write_picture(tmp_path / "shots" / "a.jpg", scene(astronaut, 8))
    pictures = place.run(tmp_path / "shots", output="pictures")
    untracked = place.run(film, "--set=render.track=false", output="untracked")
    unasked = place.run(film, "--set=render.events=false", output="unasked")
    for ran in (pictures, untracked, unasked):
        assert ran.status == 0 and not (ran.output / "events.jsonl").exists()


def test_events_that_somebody_has_changed_are_refused_by_resume_and_kept_by_replace(place, slow_film):
    stopped = place.start(slow_film, PACED).until_lines(9).signal(signal.SIGINT).end()
    (stopped.output / "events.jsonl").write_text("mine\n")
    refused = place.run(slow_film, "--resume")
    assert "events.jsonl was not written by facepipe, or was changed since; move it away" in refused.complaint
    assert (stopped.output / "events.jsonl").read_text() == "mine\n"
    replaced = place.run(slow_film, "--replace")
    assert replaced.status == 0 and "it is kept as events-changed.jsonl" in replaced.err
    assert (stopped.output / "events-changed.jsonl").read_text() == "mine\n"
